/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs that look into a running machine, for an ordinary user too: where root reads and writes
 * what belongs to anybody, a user first becomes root of the machine's own ids. Zone: free.
 */
#pragma once

struct places;

/* The verb itself: 0 or a negative errno after its sentence. */
typedef int (*control_inside_function)(const struct places *places, void *argument);

/*
 * Calls 'function' with the caller's places: at once for root; for a user in a child that has
 * joined the user namespace of 'machine', with a mount namespace of its own in which the host's
 * files are where they were. Returns what it returned, or -EIO for that of a child.
 */
int control_inside(const char *machine, control_inside_function function, void *argument);
