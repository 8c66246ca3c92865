/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of a machine, under the names that org.freedesktop.machine1(5) gives it, be the
 * machine ours or the machine manager's.
 * Zone: free.
 */
#pragma once

#include "control/machines.h"

/* All of them. Complains itself, about the machine manager. */
int properties_of_machine(struct machines *machines, const struct machine_view *machine,
			  struct properties *ret);

/* The like of the manager itself: the machine manager's, or what holds without one. */
int properties_of_manager(struct machines *machines, struct properties *ret);

/* The cell of that name, NULL if there is none. */
const struct output_cell *property_find(const struct properties *properties, const char *name);

/* Its text, "" without one; its number, 0 without one. */
const char *property_text(const struct properties *properties, const char *name);
int64_t property_number(const struct properties *properties, const char *name);
