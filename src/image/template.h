/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees that are made out of another one before their first start.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

struct places;

struct template_request {
	const char *template, *directory; /* absolute paths */
	const struct places *places;      /* of the locks, and of what is only named */
	bool locks;                       /* the template is locked meanwhile, shared */
};

/* How the tree would come to be. */
enum template_way {
	TEMPLATE_WAY_NONE, /* there is something already */
	TEMPLATE_WAY_COPY,
	TEMPLATE_WAY_SNAPSHOT,
};

/* Looks, and makes nothing. Silent: what cannot be looked at would be a copy. */
enum template_way template_look(const struct template_request *request);

/*
 * Makes 'directory' out of 'template' unless something of that name is there. It appears all at
 * once: until then it is in a directory beside it that only root can enter, which the next call for
 * the same directory empties if this one is killed. Complains itself; -EINTR when the user
 * interrupted it, and then as on any failure nothing is left.
 */
int template_apply(const struct template_request *request);
