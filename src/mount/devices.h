/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands in the payload's /dev.
 * Zone: doomed.
 */
#pragma once

/*
 * Fills the empty tmpfs 'dev_fd' with nodes, links and directories owned by root. Messages go
 * through base/log.
 */
int devices_make(int dev_fd);
