/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chooses rows of the table of API mounts and adds what the user asked for, parents first.
 * Zone: free.
 */
#include "mount/mount-plan.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/scope.h"
#include "ids/nsresource.h"
#include "image/os-check.h"
#include "mount/api-mounts.h"
#include "mount/bind-user.h"
#include "mount/credentials.h"
#include "mount/mount-late.h"

static unsigned int conditions_that_hold(const struct config *config,
					 const struct mount_facts *facts)
{
	bool is_network_view = facts->network_is_private || config->api_vfs == API_VFS_NETWORK;
	bool is_writable = config->api_vfs == API_VFS_WRITABLE;

	return (config->tmpfs_on_tmp ? API_TMP : 0) | (facts->ids_are_own ? API_OWN_IDS : 0) |
	       (is_writable ? API_SYSFS_WRITABLE : API_PROTECTED) |
	       (is_network_view && !is_writable ? API_SYSFS_SKELETON : API_SYSFS_WHOLE) |
	       /* Runtimes set those of the network of a container by way of our /proc. */
	       (is_network_view || config->nesting ? API_NET_SYSCTL : 0);
}

static int compare_requests(const void *left, const void *right)
{
	const struct mount_request *a = *(const struct mount_request *const *)left;
	const struct mount_request *b = *(const struct mount_request *const *)right;
	int by_path = strcmp(a->destination, b->destination);

	if (by_path != 0)
		return by_path;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->position < b->position ? -1 : 1;
}

/* Words of mount(8) that are flags of the mount rather than options of the file system. */
/* clang-format off */
static const struct {
	const char *word;
	unsigned int flag;
	bool is_set;
} flag_words[] = {
	{"ro", MOUNT_FLAG_READ_ONLY, true},	  {"rw", MOUNT_FLAG_READ_ONLY, false},
	{"nosuid", MOUNT_FLAG_NOSUID, true},	  {"suid", MOUNT_FLAG_NOSUID, false},
	{"nodev", MOUNT_FLAG_NODEV, true},	  {"dev", MOUNT_FLAG_NODEV, false},
	{"noexec", MOUNT_FLAG_NOEXEC, true},	  {"exec", MOUNT_FLAG_NOEXEC, false},
	{"strictatime", MOUNT_FLAG_STRICTATIME, true}, {"relatime", MOUNT_FLAG_STRICTATIME, false},
	{"nosymfollow", MOUNT_FLAG_NOSYMFOLLOW, true},
};
/* clang-format on */

/* Takes the flag words out of 'options' into 'flags'; returns what is left, NULL for nothing. */
static const char *split_options(struct arena *arena, const char *options, unsigned int *flags)
{
	char *rest = arena_allocate(arena, strlen(options) + 1);
	size_t used = 0;

	while (*options) {
		size_t length = strcspn(options, ","), i;

		for (i = 0; i < ARRAY_LEN(flag_words); i++)
			if (strlen(flag_words[i].word) == length &&
			    strncmp(options, flag_words[i].word, length) == 0)
				break;
		if (i < ARRAY_LEN(flag_words)) {
			*flags = flag_words[i].is_set ? *flags | flag_words[i].flag
						      : *flags & ~flag_words[i].flag;
		} else if (length > 0) {
			if (used > 0)
				rest[used++] = ',';
			memcpy(rest + used, options, length);
			used += length;
		}
		options += length + (options[length] == ',');
	}
	return used > 0 ? rest : NULL;
}

static bool is_root(const char *path)
{
	return strcmp(path, "/") == 0;
}

static void add_layers(struct arena *arena, const struct mount_request *request,
		       struct mount_operation *operation)
{
	struct mount_layer *layers = arena_allocate(arena, request->layer_count * sizeof(*layers));

	for (size_t i = 0; i < request->layer_count; i++)
		layers[i] = (struct mount_layer){
			.place = !request->layers[i].path             ? SOURCE_EMPTY
				 : request->layers[i].path_is_in_tree ? SOURCE_IMAGE
								      : SOURCE_HOST,
			.path = request->layers[i].path,
		};
	operation->kind = OPERATION_OVERLAY;
	operation->layers = layers;
	operation->layer_count = request->layer_count;
}

static void add_request(struct arena *arena, const struct mount_request *request,
			struct mount_plan *plan)
{
	struct mount_operation *operation = ARRAY_ADD(arena, plan);

	*operation = (struct mount_operation){
		.kind = OPERATION_BIND,
		.target = request->destination,
		.flags = request->read_only ? MOUNT_FLAG_READ_ONLY : 0,
		.recursive = request->recursive,
		.ids = request->ids,
		.makes_target = true,
		.is_custom = true,
	};
	switch (request->kind) {
	case MOUNT_BIND:
		operation->source = request->source;
		/* Owners are mapped before the clone, when nothing is mounted in the tree yet. */
		operation->place = !request->source              ? SOURCE_EMPTY
				   : !request->source_is_in_tree ? SOURCE_HOST
				   : request->ids                ? SOURCE_IMAGE
								 : SOURCE_TREE;
		break;
	case MOUNT_TMPFS:
		operation->kind = OPERATION_NEW;
		operation->source = "tmpfs";
		operation->flags |= MOUNT_FLAG_NODEV | MOUNT_FLAG_STRICTATIME;
		operation->options =
			split_options(arena, request->options ? request->options : "mode=0755",
				      &operation->flags);
		/*
		 * Always: whoever may make nodes in a tmpfs of the payload's could otherwise open
		 * any device.
		 */
		operation->flags |= MOUNT_FLAG_NODEV;
		break;
	case MOUNT_INACCESSIBLE:
		operation->kind = OPERATION_COVER;
		operation->makes_target = false;
		break;
	case MOUNT_OVERLAY:
		add_layers(arena, request, operation);
		break;
	}
}

/* Parents first. What goes on the root itself must be there before anything is mounted in it. */
static void add_requests(struct arena *arena, const struct mount_requests *requests, bool on_root,
			 struct mount_plan *plan)
{
	const struct mount_request **sorted =
		arena_allocate(arena, (requests->count + 1) * sizeof(*sorted));

	for (size_t i = 0; i < requests->count; i++)
		sorted[i] = &requests->items[i];
	qsort(sorted, requests->count, sizeof(*sorted), compare_requests);
	for (size_t i = 0; i < requests->count; i++)
		if (is_root(sorted[i]->destination) == on_root)
			add_request(arena, sorted[i], plan);
}

/* What stands in /run/host that is still the host's. Nice to have, each of them. */
static void add_shared(struct arena *arena, const struct mount_facts *facts,
		       struct mount_plan *plan)
{
	const struct {
		const char *source, *target;
		unsigned int flags;
	} rows[] = {
		{facts->host_os_release, "/run/host/os-release", MOUNT_FLAG_READ_ONLY},
		{facts->exchange ? facts->exchange->incoming : NULL, "/run/host/incoming",
		 MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_SLAVE},
		{facts->exchange ? facts->exchange->export : NULL, "/run/host/unix-export",
		 MOUNT_FLAG_WRITABLE | MOUNT_FLAG_NOSYMFOLLOW},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].source)
			*ARRAY_ADD(arena, plan) = (struct mount_operation){
				.kind = OPERATION_BIND,
				.place = SOURCE_HOST,
				.source = rows[i].source,
				.target = rows[i].target,
				.flags = rows[i].flags | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
					 MOUNT_FLAG_NOEXEC,
				.need = NEED_NICE,
			};
}

/* Where sysfs is bound, it is the host's that a container inside has to see. */
static void add_nesting(struct arena *arena, bool sysfs_is_bound, struct mount_plan *plan)
{
	static const struct {
		const char *type, *target;
		unsigned int flags;
		enum mount_need need;
		unsigned long magic;
	} rows[] = {
		{"proc", NESTING_PROC, 0, NEED_FATAL, PROC_SUPER_MAGIC},
		{"sysfs", NESTING_SYS, 0, NEED_NICE, 0},
		/* Where the host's is read-only to its core, all others have to be. */
		{"sysfs", NESTING_SYS, MOUNT_FLAG_READ_ONLY, NEED_FATAL, SYSFS_MAGIC},
	};

	for (size_t i = 0; i < (sysfs_is_bound ? 1 : ARRAY_LEN(rows)); i++)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_NEW,
			.target = rows[i].target,
			.source = rows[i].type,
			.flags = rows[i].flags | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
				 MOUNT_FLAG_NOEXEC,
			.need = rows[i].need,
			.skips_mount_point = true,
			.magic = rows[i].magic,
		};
}

/* By which machines inside get ids of their own. */
static void add_manager_sockets(struct arena *arena, struct mount_plan *plan)
{
	static const struct {
		const char *source, *target;
	} rows[] = {
		{NSRESOURCE_SOCKET, "/run/host/io.systemd.NamespaceResource"},
		{MOUNTFS_SOCKET, "/run/host/io.systemd.MountFileSystem"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_HOST,
			.source = rows[i].source,
			.target = rows[i].target,
			.flags = MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
				 MOUNT_FLAG_NOEXEC,
		};
}

/* What the parent makes when the machine is about to start, and hands over. */
static void add_handed(struct arena *arena, const struct config *config,
		       const struct mount_facts *facts, struct mount_plan *plan)
{
	unsigned int locked = MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC;

	if (config->credentials.count > 0)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_HANDED,
			.source = "the credentials",
			.target = CREDENTIALS_DIRECTORY_INSIDE,
			.flags = locked | MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSYMFOLLOW,
			.magic = RAMFS_MAGIC,
		};
	if (facts->journal_socket)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_HOST,
			.source = facts->journal_socket,
			.target = JOURNAL_SOCKET_INSIDE,
			.flags = locked | MOUNT_FLAG_READ_ONLY,
		};
	if (facts->journal_directory)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_HANDED,
			.source = "the machine's journal on the host",
			.target = facts->journal_directory,
			.flags = locked,
			.makes_target = true,
			.need = facts->journal_is_try ? NEED_NICE : NEED_FATAL,
		};
}

/* What is made for the payload carries one label, unless the user gave a tmpfs its own. */
static void add_context(const char *context, struct mount_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct mount_operation *operation = &plan->items[i];

		if (operation->kind == OPERATION_NEW &&
		    (strcmp(operation->source, "tmpfs") == 0 ||
		     strcmp(operation->source, "devpts") == 0) &&
		    !(operation->options && strstr(operation->options, "context=")))
			operation->context = context;
	}
}

/*
 * Where mounts take part in making the operating system, only the tree as the payload will have it
 * can be looked at.
 */
static void add_os_check(struct arena *arena, const char *wanted, struct mount_plan *plan)
{
	*ARRAY_ADD(arena, plan) = (struct mount_operation){
		.kind = OPERATION_OS_CHECK, .target = "/", .source = wanted};
}

/* As much as a tree in memory may hold, which is the host's memory. */
#define VOLATILE_OPTIONS "mode=0755,size=25%,nr_inodes=1m"

/* What takes the changes instead of the tree. The tree itself is the lowest layer of an overlay. */
static void add_volatile_root(struct arena *arena, const struct config *config,
			      const struct mount_facts *facts, struct mount_plan *plan)
{
	bool is_memory = config->volatile_mode == VOLATILE_OVERLAY;
	struct mount_layer *layers;

	if (config->volatile_mode == VOLATILE_YES) {
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_NEW,
			.target = "/",
			.source = "tmpfs",
			.options = VOLATILE_OPTIONS,
			.flags = MOUNT_FLAG_NODEV | MOUNT_FLAG_STRICTATIME,
		};
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_IMAGE,
			.source = "/usr",
			.target = "/usr",
			.flags = MOUNT_FLAG_READ_ONLY,
			.recursive = true,
			.makes_target = true,
		};
		return;
	}
	if (!is_memory && !facts->delta)
		return;
	layers = arena_allocate(arena, 2 * sizeof(*layers));
	layers[0] = (struct mount_layer){SOURCE_IMAGE, "/"};
	layers[1] = is_memory ? (struct mount_layer){SOURCE_MEMORY, VOLATILE_OPTIONS}
			      : (struct mount_layer){SOURCE_HOST, facts->delta};
	*ARRAY_ADD(arena, plan) = (struct mount_operation){
		.kind = OPERATION_OVERLAY,
		.target = "/",
		.layers = layers,
		.layer_count = 2,
	};
}

/* After what makes the root, before what is mounted in it. */
static void add_base(struct arena *arena, const struct config *config,
		     const struct mount_facts *facts, bool root_is_replaced, bool root_is_other,
		     struct mount_plan *plan)
{
	/* What the user put over the root brings its own flags. */
	if (config->read_only && !root_is_replaced)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_REMOUNT,
			.target = "/",
			.flags = MOUNT_FLAG_READ_ONLY,
			.recursive = true,
		};
	/* What somebody else mounted on the root has an id of its own. */
	if (facts->machine_id && config->volatile_mode != VOLATILE_YES && !root_is_other)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_MACHINE_ID,
			.target = "/etc/machine-id",
			.source = facts->machine_id,
		};
	if (config->volatile_mode == VOLATILE_STATE)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_NEW,
			.target = "/var",
			.source = "tmpfs",
			.options = VOLATILE_OPTIONS,
			.flags = MOUNT_FLAG_NODEV | MOUNT_FLAG_STRICTATIME,
		};
	if (config->pivot_old)
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_HOST,
			.source = facts->whole_tree,
			.target = config->pivot_old,
			.flags = config->read_only ? MOUNT_FLAG_READ_ONLY : 0,
			.recursive = true,
			.makes_target = true,
		};
}

/*
 * A sysfs shows a network, and so belongs to who made that. What is mounted in the host's comes
 * along: only who mounted it may leave it out. In a container the host's may be any file system.
 */
static void bind_sysfs(struct mount_operation *operation)
{
	operation->kind = OPERATION_BIND;
	operation->place = SOURCE_HOST;
	operation->source = operation->target;
	operation->recursive = true;
	operation->magic = 0;
}

static bool operation_is_devpts(const struct mount_operation *operation)
{
	return operation->kind == OPERATION_NEW && strcmp(operation->source, "devpts") == 0;
}

static bool is_devices_mount(const struct mount_operation *operation)
{
	return operation->kind == OPERATION_NEW && strcmp(operation->target, "/dev") == 0;
}

void mount_plan_make(struct arena *arena, const struct config *config,
		     const struct mount_facts *facts, struct mount_plan *ret)
{
	unsigned int holds = conditions_that_hold(config, facts);
	bool root_is_replaced, root_is_other;
	size_t count;

	/* Only /usr is taken out of the tree then, which may well be mounted. */
	ret->tree_is_alone = facts->machine_id && config->volatile_mode != VOLATILE_YES;
	add_volatile_root(arena, config, facts, ret);
	count = ret->count;
	add_requests(arena, &config->mounts, /* on_root= */ true, ret);
	root_is_replaced = ret->count > 0;
	root_is_other = ret->count > count;
	/* Before base directories are made in what may be no root at all. */
	if (os_check_place(config, facts->tree_is_unseen) == OS_CHECK_ROOT)
		add_os_check(arena, OS_CHECK_WANTS_USR, ret);
	for (size_t i = 0; i < api_mount_count; i++) {
		if ((api_mounts[i].condition & holds) != api_mounts[i].condition)
			continue;
		*ARRAY_ADD(arena, ret) = api_mounts[i].operation;
		if (api_mounts[i].condition & API_SYSFS_WHOLE && facts->sysfs_is_bound)
			bind_sysfs(&ret->items[ret->count - 1]);
		if (facts->has_no_tty_group && operation_is_devpts(&api_mounts[i].operation))
			ret->items[ret->count - 1].options = API_PTS_OPTIONS_WITHOUT_GROUP;
		/* The filter of devices, which holds for the child, forbids making most nodes. */
		ret->items[ret->count - 1].is_prepared =
			config->devices.count > 0 && is_devices_mount(&api_mounts[i].operation);
		/* The base directories must be made while the tree can still be written. */
		if (api_mounts[i].operation.kind == OPERATION_BASE)
			add_base(arena, config, facts, root_is_replaced, root_is_other, ret);
	}
	add_shared(arena, facts, ret);
	if (config->private_users_delegate)
		add_manager_sockets(arena, ret);
	if (facts->bound_users)
		bind_user_plan(arena, facts->bound_users, ret);
	add_handed(arena, config, facts, ret);
	/* The changes of the running host lie in the host, and would be seen there again. */
	if (facts->machine_id && facts->delta)
		*ARRAY_ADD(arena, ret) = (struct mount_operation){
			.kind = OPERATION_COVER,
			.need = NEED_IF_EXISTS,
			.target =
				arena_copy_n(arena, facts->delta,
					     (size_t)(path_last(facts->delta) - facts->delta) - 1),
		};
	if (config->nesting)
		add_nesting(arena, facts->sysfs_is_bound && !facts->network_is_private, ret);
	/* Before the user's own mounts, which may cover the files that these write. */
	*ARRAY_ADD(arena, ret) =
		(struct mount_operation){.kind = OPERATION_HOST_FILES, .target = "/etc"};
	add_requests(arena, &config->mounts, /* on_root= */ false, ret);
	if (facts->context)
		add_context(facts->context, ret);
	if (os_check_place(config, facts->tree_is_unseen) == OS_CHECK_ASSEMBLED)
		add_os_check(arena, OS_CHECK_WANTS_RELEASE, ret);
	mount_plan_put_late_last(arena, facts, ret);
	ret->cgroup = api_cgroup_mount;
	ret->devices = facts->devices;
}
