/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: users of the host that are known inside (--bind-user=): which ids they get there, and
 * the records in /run/host/userdb by which nss-systemd(8) finds them.
 * Zone: free. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/config.h"
#include "ids/id-map.h"

struct mount_plan;

/* Ids that systemd gives such users (systemd.io, "Users, Groups, UIDs and GIDs"). */
#define BIND_USER_FIRST 60514u
#define BIND_USER_LAST 60577u

#define BIND_USER_HOMES "/run/host/home"

/* One of them. */
struct bound_user {
	const char *name;
	uint32_t host_uid, host_gid;
	uint32_t id;           /* user and group inside */
	const char *host_home; /* absolute on the host, NULL: nothing to be shown */
	const char *home;      /* absolute inside */
	const char *shell;     /* absolute, NULL: the guest's default */
	/* JSON; the last one is a secret. */
	const char *user_record, *group_record, *privileged_record;
};

struct bound_users {
	struct bound_user *items;
	size_t count, room;
	struct strings groups; /* that all of them are in besides */
	bool guest_cannot_ask; /* nothing in the tree will read the records */
};

/*
 * The first id that is free in both texts, passwd(5) and group(5) of the tree, and in 'users'; 0 if
 * there is none. Lines that nobody could log in by count as well.
 */
uint32_t bind_user_choose_id(const char *passwd, const char *group,
			     const struct bound_users *users);

/* True if a line of passwd(5) or group(5) begins with the name. */
bool bind_user_has_name(const char *text, const char *name);

/* Fills in the records. 'real_name' and 'password' (as stored) may be NULL. */
void bind_user_describe(struct arena *arena, struct bound_user *user, const char *real_name,
			const char *password, const struct strings *groups);

/* Adds the mounts of their homes. */
void bind_user_plan(struct arena *arena, const struct bound_users *users, struct mount_plan *plan);

/*
 * Makes the directories and records below the directory 'host_fd', which becomes /run/host. Zone:
 * doomed. 'maps' tells whom the users are outside, NULL: nobody else. Returns 0 or a negative
 * errno; -ERANGE if the payload has no such ids. Silent.
 */
int bind_user_write(int host_fd, const struct bound_users *users, const struct id_maps *maps);
