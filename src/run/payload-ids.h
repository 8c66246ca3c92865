/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the container's side comes to ids of its own (user_namespaces(7)). The tree is assembled by a
 * process outside the payload's user namespace: only so do the mounts become locked when the
 * payload's namespaces are made, and as root the owners on disk can be mapped and devices made.
 * That process then makes the payload's and is gone.
 * Zone: doomed.
 */
#pragma once

#include "ids/ids.h"

struct payload_request;

/*
 * Waits for our own map where somebody else writes it, and from here on makes files that belong to
 * the payload's root. Our rights stay.
 */
int payload_ids_assume(struct payload_request *request);

/*
 * Returns in the payload's own process, as root of its user namespace, with its namespaces made and
 * a copy of this mount namespace; its working directory is 'directory_fd' as seen there. The
 * process that called it says BORN and ends.
 */
int payload_ids_cross(struct payload_request *request, int directory_fd);
