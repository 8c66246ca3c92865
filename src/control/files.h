/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs that bring files of the host and of a running machine together.
 * Zone: owing.
 */
#pragma once

int control_copy_to(int argc, char **argv);
int control_copy_from(int argc, char **argv);
int control_bind(int argc, char **argv);
int control_unbind(int argc, char **argv);
