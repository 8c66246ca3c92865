/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether what has one name in a machine and in its tree is the same.
 * Zone: free.
 */
#pragma once

#include "control/changes-walk.h"

/*
 * Fills the aspects of a change for which both sides are known, and makes its kind CHANGE_SAME if
 * there are none. What cannot be read counts as changed. With 'wants_all' only types are compared.
 */
void change_compare(const struct changes_walk *walk, struct change *change);
