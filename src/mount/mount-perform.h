/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One operation of a mount plan, for mount/mount-apply.c.
 * Zone: doomed.
 */
#pragma once

#include "mount/mount-apply.h"

/*
 * Carries out 'operation'. 'source_fd' is what was taken for it beforehand, and stays the caller's;
 * -EBADF: nothing. Complains itself; what may be missing is no failure.
 */
int mount_perform(struct mount_site *site, const struct mount_operation *operation, int source_fd);

/*
 * A detached mount of what 'operation' will take from the tree: a descriptor of the caller's, or
 * negative where it takes nothing or finds nothing. Silent.
 */
int mount_take_source(struct mount_site *site, const struct mount_operation *operation);
