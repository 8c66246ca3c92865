/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system of the payload, operation by operation.
 * Zone: free.
 */
#include <string.h>

#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "run/explain-rows.h"

/* clang-format off */
static const char *const kinds[_OPERATION_COUNT] = {
	[OPERATION_BASE] = "base",
	[OPERATION_NEW] = "new",
	[OPERATION_BIND] = "bind",
	[OPERATION_OVERLAY] = "overlay",
	[OPERATION_COVER] = "cover",
	[OPERATION_DEVICES] = "devices",
	[OPERATION_RUN_HOST] = "run-host",
	[OPERATION_DIRECTORY] = "directory",
	[OPERATION_REMOUNT] = "remount",
	[OPERATION_HOST_FILES] = "host-files",
	[OPERATION_OS_CHECK] = "os-check",
	[OPERATION_MACHINE_ID] = "machine-id",
};

static const char *const places[] = {
	[SOURCE_TARGET] = "target",
	[SOURCE_TREE] = "tree",
	[SOURCE_IMAGE] = "image",
	[SOURCE_HOST] = "host",
	[SOURCE_SYSFS] = "sysfs",
	[SOURCE_EMPTY] = "empty",
	[SOURCE_HANDED] = "handed",
	[SOURCE_MEMORY] = "memory",
};

static const char *const needs[] = {
	[NEED_FATAL] = "required",
	[NEED_IF_EXISTS] = "if-exists",
	[NEED_NICE] = "optional",
};

/* Words of mount(8), but for the last two. */
static const struct {
	unsigned int flag;
	const char *word;
} flag_words[] = {
	{MOUNT_FLAG_READ_ONLY, "ro"},
	{MOUNT_FLAG_WRITABLE, "rw"},
	{MOUNT_FLAG_NOSUID, "nosuid"},
	{MOUNT_FLAG_NODEV, "nodev"},
	{MOUNT_FLAG_NOEXEC, "noexec"},
	{MOUNT_FLAG_STRICTATIME, "strictatime"},
	{MOUNT_FLAG_NOSYMFOLLOW, "nosymfollow"},
	{MOUNT_FLAG_SLAVE, "slave"},
};

#define THE_HOSTS "shows or does what is the host's alone"
#define HARDWARE "hardware and file systems of the host, to look at"

/* Why everybody gets it. What is below a row, and in no row of its own, has its reason. */
static const struct {
	const char *target, *reason;
} reasons[] = {
	{"/tmp", "the payload's own, gone with it; not if something is mounted there"},
	{"/sys", "the kernel's devices, to look at"},
	{"/sys/fs/cgroup", "the payload's own control groups"},
	{"/sys/fs/bpf", "a place to mount on later"},
	{"/dev", "always fresh, never the tree's own"},
	{"/dev/shm", "shared memory"},
	{"/dev/pts", "pseudo-terminals of its own"},
	{"/dev/mqueue", "message queues"},
	{"/run", "the payload's own, gone with it"},
	{"/run/host", "nobody inside may change what the host says"},
	{"/run/host/os-release", "which system the host is"},
	{"/run/host/incoming", "what the host mounts there appears inside"},
	{"/run/host/unix-export", "sockets made there appear on the host"},
	{"/proc", "its own processes"},
	{"/proc/sys", "the kernel's settings belong to the host"},
	{"/proc/sys/net", "but those of its own network"},
	{"/proc/sys/kernel/random/boot_id", "each start looks like a boot of its own"},
	{"/proc/kmsg", "no kernel log of the host"},
	{"/proc/kallsyms", THE_HOSTS},
	{"/proc/kcore", THE_HOSTS},
	{"/proc/keys", THE_HOSTS},
	{"/proc/sysrq-trigger", THE_HOSTS},
	{"/proc/timer_list", THE_HOSTS},
	{"/proc/acpi", HARDWARE},
	{"/proc/apm", HARDWARE},
	{"/proc/asound", HARDWARE},
	{"/proc/bus", HARDWARE},
	{"/proc/fs", HARDWARE},
	{"/proc/irq", HARDWARE},
	{"/proc/scsi", HARDWARE},
	{"/run/host/nesting/proc", "out of sight: without it no container inside could mount one"},
	{"/run/host/nesting/sys", "out of sight: without it no container inside could mount one"},
	{"/run/host/journal", "where its journal is received"},
	{"/run/host/credentials", "what was passed to it in secret"},
	{"/", "starts empty, gone with the machine"},
	{"/usr", "the only part of the tree that is seen"},
	{"/var", "starts empty, gone with the machine"},
};
/* clang-format on */
static_assert(ARRAY_LEN(places) == SOURCE_MEMORY + 1, "a word for each place");
static_assert(ARRAY_LEN(needs) == NEED_NICE + 1, "a word for each need");

static bool is_home(const struct mount_operation *operation)
{
	return operation->ids && operation->ids->rule == ID_RULE_ONLY;
}

static const char *reason_of(const struct mount_operation *operation)
{
	switch (operation->kind) {
	case OPERATION_BASE:
		return "every system has these";
	case OPERATION_DEVICES:
		return "see Devices";
	case OPERATION_RUN_HOST:
	case OPERATION_HOST_FILES:
		return "see Files";
	case OPERATION_MACHINE_ID:
		return "the host's own id stays its own";
	case OPERATION_OS_CHECK:
		return "mounts take part in making it an operating system";
	case OPERATION_REMOUNT:
		return strcmp(operation->target, "/") == 0 ? "asked for"
							   : "complete, nothing is added any more";
	case OPERATION_OVERLAY:
		return "the tree itself stays as it is";
	case OPERATION_DIRECTORY:
		if (strcmp(operation->target, "/tmp") == 0)
			return "made while that can be done, for the mount below";
		break;
	case OPERATION_NEW:
	case OPERATION_BIND:
	case OPERATION_COVER:
	case _OPERATION_COUNT:
	default:
		break;
	}
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(operation->target, reasons[i].target) == 0)
			return reasons[i].reason;
	if (is_home(operation))
		return "nobody's but this user's";
	return operation->place == SOURCE_SYSFS ? "the parts that programs look for" : NULL;
}

static const char *name_of_place(const struct explanation *e, enum mount_source_place place,
				 const char *path)
{
	switch (place) {
	case SOURCE_TREE:
	case SOURCE_IMAGE:
		return strcmp(path, "/") == 0 ? "the tree"
					      : arena_format(e->arena, "%s of the tree", path);
	case SOURCE_SYSFS:
		return "the same of a sysfs of its network";
	case SOURCE_EMPTY:
		return "a new empty directory";
	case SOURCE_MEMORY:
		return "memory";
	case SOURCE_HANDED:
		return path;
	case SOURCE_HOST:
		return arena_format(e->arena, "%s of the host", path);
	case SOURCE_TARGET:
	default:
		return "itself";
	}
}

static const char *name_of_layers(const struct explanation *e,
				  const struct mount_operation *operation)
{
	size_t top = operation->layer_count - 1;
	bool is_writable = !(operation->flags & MOUNT_FLAG_READ_ONLY);
	const char *text = "overlay of ";

	for (size_t i = 0; i <= top; i++) {
		const struct mount_layer *layer = &operation->layers[i];

		text = arena_format(e->arena, "%s%s%s", text,
				    i == 0                    ? ""
				    : i == top && is_writable ? ", with changes in "
							      : ", below ",
				    name_of_place(e, layer->place, layer->path));
	}
	return text;
}

/* What is mounted, without flags. */
static const char *what_of(const struct explanation *e, const struct mount_operation *operation)
{
	switch (operation->kind) {
	case OPERATION_BASE:
		return "directories and links that are missing";
	case OPERATION_NEW:
		return arena_format(e->arena, "new %s", operation->source);
	case OPERATION_COVER:
		return "made inaccessible";
	case OPERATION_DEVICES:
		return explain_nodes_are_bound(e) ? "device nodes of the host are mounted"
						  : "device nodes are made";
	case OPERATION_RUN_HOST:
		return "files are written to /run/host";
	case OPERATION_DIRECTORY:
		return "directory";
	case OPERATION_REMOUNT:
		return "remounted";
	case OPERATION_HOST_FILES:
		return "files of the host are followed";
	case OPERATION_MACHINE_ID:
		return "a new machine id is written";
	case OPERATION_OS_CHECK:
		return strcmp(operation->source, OS_CHECK_WANTS_USR) == 0
			       ? "must have /usr or an os-release file"
			       : "must have an os-release file";
	case OPERATION_OVERLAY:
		return name_of_layers(e, operation);
	case OPERATION_BIND:
	case _OPERATION_COUNT:
	default:
		return name_of_place(e, operation->place, operation->source);
	}
}

/* One entry a layer, the lowest first: "host /srv/base", "memory". */
static void add_layers(struct explanation *e, struct explain_row *row,
		       const struct mount_operation *operation)
{
	struct strings *list = operation->layer_count > 0 ? explain_list(e, row, "layers") : NULL;

	for (size_t i = 0; i < operation->layer_count; i++) {
		const struct mount_layer *layer = &operation->layers[i];
		bool has_path = layer->place == SOURCE_HOST || layer->place == SOURCE_IMAGE;

		strings_add(e->arena, list,
			    has_path ? arena_format(e->arena, "%s %s", places[layer->place],
						    explain_hide_random(e, layer->path))
				     : places[layer->place]);
	}
}

static void add_flags(struct explanation *e, const struct mount_operation *operation,
		      struct strings *list)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_words); i++)
		if (operation->flags & flag_words[i].flag)
			strings_add(e->arena, list, flag_words[i].word);
}

/*
 * The mount requests and what was said of mounts are in one order: each that was said made one of
 * them.
 */
static struct explain_origin origin_of_custom(const struct explanation *e,
					      const struct mount_operation *operation)
{
	const struct said_list *said = &e->config->said;
	const struct mount_requests *requests = &e->config->mounts;
	size_t request = 0;

	for (size_t i = 0; i < said->count && request < requests->count; i++) {
		enum setting setting = said->items[i].setting;

		if (setting < SETTING_BIND || setting > SETTING_OVERLAY_RO)
			continue;
		/* The very text, so that two requests for one place are told apart. */
		if (requests->items[request++].destination == operation->target)
			return explain_origin_of(e, &said->items[i]);
	}
	return (struct explain_origin){.source = EXPLAIN_DEFAULT};
}

static struct explain_origin origin_of(const struct explanation *e,
				       const struct mount_operation *operation)
{
	if (operation->is_custom)
		return origin_of_custom(e, operation);
	if (operation->kind == OPERATION_REMOUNT && strcmp(operation->target, "/") == 0)
		return explain_origin(e, e->config->volatile_mode == VOLATILE_NO
						 ? SETTING_READ_ONLY
						 : SETTING_VOLATILE);
	if (operation->kind == OPERATION_OVERLAY && e->plan->delta)
		return explain_origin(e, SETTING_EPHEMERAL);
	if (operation->kind == OPERATION_OVERLAY ||
	    (operation->kind != OPERATION_BASE && operation->kind != OPERATION_OS_CHECK &&
	     (strcmp(operation->target, "/") == 0 || strcmp(operation->target, "/usr") == 0 ||
	      strcmp(operation->target, "/var") == 0)))
		return explain_origin(e, SETTING_VOLATILE);
	if (is_home(operation))
		return explain_origin_in(e, SETTING_BIND_USER, explain_has_word,
					 path_last(operation->target));
	if (strncmp(operation->target, "/run/host/nesting/", strlen("/run/host/nesting/")) == 0)
		return explain_origin(e, SETTING_NESTING);
	if (e->config->pivot_old && strcmp(operation->target, e->config->pivot_old) == 0)
		return explain_origin(e, SETTING_PIVOT_ROOT);
	return (struct explain_origin){.source = EXPLAIN_DEFAULT};
}

static bool is_mount(const struct mount_operation *operation)
{
	static const bool kinds_of_mounts[_OPERATION_COUNT] = {
		[OPERATION_NEW] = true,   [OPERATION_BIND] = true,    [OPERATION_OVERLAY] = true,
		[OPERATION_COVER] = true, [OPERATION_REMOUNT] = true,
	};

	return kinds_of_mounts[operation->kind];
}

/* The payload mounts in its own user namespace, and so can undo it. */
static bool is_late(const struct explanation *e, const struct mount_operation *operation)
{
	const struct mount_plan *plan = &e->plan->mounts;

	return explain_has_user_namespace(e) && is_mount(operation) &&
	       (operation == &plan->cgroup || operation >= plan->items + plan->early_count);
}

static void explain_operation(struct explanation *e, const struct mount_operation *operation)
{
	bool is_bind = operation->kind == OPERATION_BIND, late = is_late(e, operation);
	bool is_locked = explain_has_user_namespace(e) && is_mount(operation) && !late;
	struct strings shown = {0}, owners = {0};
	struct explain_row *row;

	add_flags(e, operation, &shown);
	if (operation->options)
		text_words(e->arena, operation->options, ",", &shown);
	if (operation->context)
		strings_add(e->arena, &shown,
			    arena_format(e->arena, "context=%s", operation->context));
	if (is_bind && operation->is_custom && !operation->recursive)
		strings_add(e->arena, &shown, "norbind");
	explain_owners(e, operation, &owners);
	row = explain_row(
		e, operation->target,
		arena_format(e->arena, "%s%s%s%s%s%s%s", what_of(e, operation),
			     shown.count > 0 ? ": " : "", explain_join(e, &shown, " "),
			     owners.count > 0 ? ", owners: " : "", explain_join(e, &owners, ", "),
			     operation->need == NEED_IF_EXISTS ? ", if it exists" : "",
			     late ? ", by the payload" : ""),
		operation->is_custom ? explain_lost_owners(e, operation) : reason_of(operation));
	row->origin = origin_of(e, operation);
	explain_text(e, row, "target", operation->target);
	explain_text(e, row, "operation", kinds[operation->kind]);
	explain_text(e, row, "type", operation->kind == OPERATION_NEW ? operation->source : NULL);
	explain_text(e, row, "source_place", is_bind ? places[operation->place] : NULL);
	explain_text(e, row, "source", is_bind ? operation->source : NULL);
	add_flags(e, operation, explain_list(e, row, "flags"));
	add_layers(e, row, operation);
	if (owners.count > 0)
		*explain_list(e, row, "owners") = owners;
	explain_text(e, row, "options", operation->options);
	explain_text(e, row, "context", operation->context);
	explain_flag(e, row, "recursive", operation->recursive);
	explain_text(e, row, "need", needs[operation->need]);
	explain_flag(e, row, "is_locked", is_locked);
}

void explain_mounts(struct explanation *e)
{
	const struct mount_plan *plan = &e->plan->mounts;

	(void)explain_section(e, "mounts", "Mounts", NULL);
	for (size_t i = 0; i < plan->count; i++)
		explain_operation(e, &plan->items[i]);
	if (plan->cgroup.target && e->config->cgroup_namespace && e->found->cgroup &&
	    e->found->cgroup_obstacle == 0)
		explain_operation(e, &plan->cgroup);
	if (explain_has_user_namespace(e))
		(void)explain_row(e, "all of them", "locked",
				  "root inside can neither unmount them nor make them writable, "
				  "but for those 'by the payload'");
	if (!e->config->tmpfs_on_tmp)
		explain_row(e, "/tmp", "the tree's own", NULL)->origin =
			explain_origin_variable("$SYSTEMD_NSPAWN_TMPFS_TMP");
	if (e->config->api_vfs != API_VFS_READ_ONLY)
		explain_row(e, "/proc/sys, /sys",
			    e->config->api_vfs == API_VFS_WRITABLE ? "writable"
								   : "as for a private network",
			    NULL)
			->origin = explain_origin_variable("$SYSTEMD_NSPAWN_API_VFS_WRITABLE");
}
