/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second half of a mount plan.
 * Zone: free.
 */
#pragma once

#include "mount/mount-plan.h"

/*
 * The kernel lets a container inside mount proc and sysfs only if its maker sees an instance of
 * each that nothing is mounted over and that is not read-only: those of the payload itself are both
 * (mount_namespaces(7)). These lie where no path of a program leads.
 */
#define NESTING_PROC "/run/host/nesting/proc"
#define NESTING_SYS "/run/host/nesting/sys"

/*
 * Puts last what the payload's own process has to mount, and what the user mounts over that, and
 * sets early_count; the order on both sides is kept. Pure.
 */
void mount_plan_put_late_last(struct arena *arena, const struct mount_facts *facts,
			      struct mount_plan *plan);
