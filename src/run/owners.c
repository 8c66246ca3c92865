/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns names into numbers, where the names are known.
 * Zone: free.
 */
#include "run/owners.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/owner-values.h"
#include "confine/users.h"
#include "run/host-accounts.h"

/* Ids on one side, and the groups that belong to them. */
struct ids_found {
	uint32_t first, count, group;
};

/* The host, or the tree. */
struct place {
	int tree_fd; /* -EBADF: the host */
	const char *name;
};

static int look_up_user(const struct place *place, const char *text, struct user_identity *ret)
{
	return place->tree_fd < 0 ? host_find_user(text, ret)
				  : users_find(place->tree_fd, text, ret);
}

static int look_up_group(const struct place *place, const char *text, gid_t *ret)
{
	return place->tree_fd < 0 ? host_find_group(text, ret)
				  : users_find_group(place->tree_fd, text, ret);
}

static int complain(const struct place *place, const char *what, const char *text, int r)
{
	if (r != -ESRCH && r != -EINVAL)
		return fail(r, "Cannot look up the %s '%s' %s", what, text, place->name);
	(void)refuse(ESRCH, "There is no %s '%s' %s", what, text, place->name);
	hint("Look at /etc/passwd and /etc/group there, or give a number");
	return -ESRCH;
}

static int find_users(const struct place *place, const char *text, struct ids_found *ret)
{
	auto_user_identity struct user_identity identity = {0};
	int r;

	/* Many have as many groups of the same numbers. */
	if (owner_range(text, &ret->first, &ret->count)) {
		ret->group = ret->first;
		if (strchr(text, '-'))
			return 0;
	}
	r = look_up_user(place, text, &identity);
	if (r == -EINVAL && ret->count > 0)
		return 0; /* 65535: a number, and no account's */
	if (r < 0)
		return complain(place, "user", text, r);
	*ret = (struct ids_found){identity.uid, 1, identity.name ? identity.gid : identity.uid};
	return 0;
}

static int find_groups(const struct place *place, const char *text, struct ids_found *ret)
{
	int r;

	if (owner_range(text, &ret->first, &ret->count))
		return 0;
	r = look_up_group(place, text, &ret->first);
	if (r < 0)
		return complain(place, "group", text, r);
	ret->count = 1;
	return 0;
}

static bool do_meet(uint32_t a, uint32_t b, uint32_t a_count, uint32_t b_count)
{
	return (uint64_t)a < (uint64_t)b + b_count && (uint64_t)b < (uint64_t)a + a_count;
}

static bool is_taken(const struct owner_pairs *pairs, const struct owner_pair *pair)
{
	for (size_t i = 0; i < pairs->count; i++) {
		const struct owner_pair *other = &pairs->items[i];

		if (other->is_group == pair->is_group &&
		    (do_meet(other->host, pair->host, other->count, pair->count) ||
		     do_meet(other->guest, pair->guest, other->count, pair->count)))
			return true;
	}
	return false;
}

static int add_pair(struct arena *arena, struct owner_pairs *pairs, const char *destination,
		    const struct owner_pair *pair)
{
	if (is_taken(pairs, pair)) {
		(void)refuse(
			EINVAL, "The owners of '%s' have %s %u of the host or %u of the tree twice",
			destination, pair->is_group ? "group" : "user", pair->host, pair->guest);
		hint("Each can be one other only");
		return -EINVAL;
	}
	*ARRAY_ADD(arena, pairs) = *pair;
	return 0;
}

static int find_said(struct arena *arena, const struct place places[2], const char *destination,
		     const struct owner_request *owner, struct owner_pairs *pairs,
		     struct owner_pairs *followers)
{
	struct ids_found host = {0}, guest = {0};

	if (owner->host.user) {
		TRY(find_users(&places[0], owner->host.user, &host));
		TRY(find_users(&places[1], owner->guest.user, &guest));
		TRY(add_pair(arena, pairs, destination,
			     &(struct owner_pair){host.first, guest.first, host.count, false}));
		if (!owner->host.group)
			*ARRAY_ADD(arena, followers) =
				(struct owner_pair){host.group, guest.group, host.count, true};
	}
	if (!owner->host.group)
		return 0;
	TRY(find_groups(&places[0], owner->host.group, &host));
	TRY(find_groups(&places[1], owner->guest.group, &guest));
	return add_pair(arena, pairs, destination,
			&(struct owner_pair){host.first, guest.first, host.count, true});
}

static int find_of_mount(struct arena *arena, const struct place places[2],
			 const struct mount_request *mount)
{
	struct id_request *ids = mount->ids;
	struct owner_pairs followers = {0};

	for (size_t i = 0; i < ids->owners.count; i++)
		TRY(find_said(arena, places, mount->destination, &ids->owners.items[i], &ids->pairs,
			      &followers));
	/* What nobody said yields to what somebody did. */
	for (size_t i = 0; i < followers.count; i++)
		if (!is_taken(&ids->pairs, &followers.items[i]))
			*ARRAY_ADD(arena, &ids->pairs) = followers.items[i];
	return 0;
}

int owners_find(struct config *config, int tree_fd)
{
	const struct place places[2] = {{-EBADF, "on the host"}, {tree_fd, "in the tree"}};

	for (size_t i = 0; i < config->mounts.count; i++)
		if (config->mounts.items[i].ids)
			TRY(find_of_mount(&config->arena, places, &config->mounts.items[i]));
	return 0;
}
