/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the registry says of a machine: all of it for the verbs for running machines.
 * Zone: owing.
 */
#pragma once

#include "run/run-ids.h"

/*
 * Fills all that is known before the machine has a leader. Texts are in the arena of the
 * configuration. False where there is no telling the tree.
 */
bool describe(struct run *run, const struct machine *machine, struct registry_entry *ret);

/*
 * Adds what is known when the leader is there, and writes the entry; a filter that is the machine's
 * own beside it. Warns where that fails: the machine runs all the same.
 */
void describe_running(struct machine *machine);

/* The same after links or ports came or went. */
void describe_links(struct machine *machine);

/* Writes the entry once more, after something in it has changed. Warns as well. */
void describe_again(const struct machine *machine);
