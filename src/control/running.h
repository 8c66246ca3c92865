/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs for machines that run.
 * Zone: free: what they do to a machine is not taken back.
 */
#pragma once

int control_list(int argc, char **argv);
int control_status(int argc, char **argv);
int control_show(int argc, char **argv);
int control_top(int argc, char **argv);

int control_poweroff(int argc, char **argv);
int control_reboot(int argc, char **argv);
int control_terminate(int argc, char **argv);
int control_kill(int argc, char **argv);
int control_pause(int argc, char **argv);
int control_resume(int argc, char **argv);
