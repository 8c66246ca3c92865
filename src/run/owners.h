/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: the numbers of the users and groups that owner=HOST>GUEST names.
 * Zone: free.
 */
#pragma once

#include "config/config.h"

/*
 * Fills the pairs of every mount request: HOST is looked up on the host, GUEST in the tree at
 * 'tree_fd', which is only read. Where no groups are said, the users' own follow them, unless
 * another pair has said something of them. Returns 0, or a negative errno after one sentence.
 */
int owners_find(struct config *config, int tree_fd);
