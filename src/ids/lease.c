/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes a range of ids, and what belongs to it, from the services.
 * Zone: owing.
 */
#include "ids/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/undo.h"
#include "config/config.h"
#include "ids/restrictions.h"

/* --- What is said to who knows another way --- */

struct reason {
	struct arena *arena;
	const char *text;
};

/* The first sentence is the reason; what is no failure is said as ever. */
static void keep_reason(const struct log_message *message, void *userdata)
{
	struct reason *reason = userdata;

	if (message->level != LOG_FAILURE) {
		log_forward(message);
		return;
	}
	if (reason->text || message->is_hint)
		return;
	reason->text = message->error ? arena_format(reason->arena, "%s: %s", message->sentence,
						     strerrordesc_np(-message->error))
				      : arena_copy(reason->arena, message->sentence);
}

/* --- The range --- */

static bool begins_with_range(const struct id_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (map->items[i].inside == 0)
			return map->items[i].count == USERS_RANGE && map->items[i].outside != 0;
	return false;
}

/* Whoever says that the maps are written is not believed: they decide whose the machine is. */
static int read_range(struct arena *arena, const struct id_holder *holder, struct id_maps *ret)
{
	int r = id_maps_read(arena, holder->pid, ret);

	if (r < 0)
		return fail(r, "Cannot read the ids that systemd-nsresourced gave");
	if (begins_with_range(&ret->users) && begins_with_range(&ret->groups))
		return 0;
	return refuse(EBADMSG, "systemd-nsresourced gave other ids than the %u it was asked for",
		      USERS_RANGE);
}

static int take_range(struct arena *arena, const struct lease_request *request,
		      struct id_holder *holder, struct lease *ret)
{
	TRY(nsresource_allocate(request->sockets, request->machine, request->delegated,
				holder->users_fd));
	TRY(read_range(arena, holder, &ret->maps));
	ret->users_fd = steal_fd(holder->users_fd);
	return 0;
}

/* --- The tree --- */

/* Never read-only: what every start needs is made in it first. Then we see to it. */
static int mount_tree(const struct lease_request *request, int users_fd)
{
	/* They take no descriptor that only names. */
	auto_close int fd = openat(request->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fail(-errno, "Cannot read the tree's directory")
		      : nsresource_mount_directory(request->sockets, fd, users_fd,
						   /* read_only= */ false);
}

int lease_open_tree(const struct lease_request *request, struct lease *lease)
{
	return lease->tree_fd >= 0 ? steal_fd(lease->tree_fd)
				   : mount_tree(request, lease->users_fd);
}

/* --- Both --- */

static void end_lease(void *argument)
{
	struct lease *lease = argument;

	scope_close(&lease->tree_fd);
	scope_close(&lease->users_fd);
	*lease = LEASE_NONE;
}

static int take(struct arena *arena, const struct lease_request *request, struct undo *undo,
		struct lease *ret)
{
	struct id_holder holder;
	int r = id_holder_start(&holder);

	if (r < 0)
		return restriction_explain(r, geteuid() != 0);
	r = take_range(arena, request, &holder, ret);
	id_holder_stop(&holder);
	TRY(r);
	undo_push(undo, end_lease, ret, "range of ids");
	if (request->directory_fd < 0)
		return 0;
	ret->tree_fd = mount_tree(request, ret->users_fd);
	return ret->tree_fd < 0 ? ret->tree_fd : 0;
}

int lease_take(struct arena *arena, const struct lease_request *request, struct undo *undo,
	       struct lease *ret, const char **ret_why)
{
	struct reason reason = {.arena = arena};
	struct interrupt interrupt;
	int r;

	*ret = LEASE_NONE;
	if (ret_why)
		log_set_sink(keep_reason, &reason);
	/* They may want an administrator's word, for which nobody has to wait. */
	interrupt_hold(&interrupt);
	r = take(arena, request, undo, ret);
	interrupt_release(&interrupt);
	log_set_sink(NULL, NULL);
	if (r >= 0 || !ret_why)
		return r;
	end_lease(ret);
	*ret_why = reason.text;
	return r;
}
