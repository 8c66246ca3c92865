/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Says what could not be mounted, and why that may be.
 * Zone: doomed.
 */
#pragma once

#include "mount/mount-plan.h"

/* 'r' is what the operation failed with; 'root_fd' the tree as far as it was made. */
void mount_complain(int root_fd, const struct mount_operation *operation, int r);
