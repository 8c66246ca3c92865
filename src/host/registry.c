/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the one line that a running machine has in the lock file of its name.
 * Zone: free.
 */
#include "host/registry.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"
#include "host/locks.h"
#include "host/places.h"
#include "host/registry-words.h"

/* The environment is the user's, and an assignment can be long. */
#define ENTRY_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* A line that is being written again meanwhile is read again. */
#define READ_TRIES 5
#define READ_AGAIN_NSEC 1000000

const char *const registry_changes_words[REGISTRY_CHANGES_COUNT] = {
	[REGISTRY_CHANGES_IN_TREE] = "tree",      [REGISTRY_CHANGES_OVERLAY] = "overlay",
	[REGISTRY_CHANGES_SNAPSHOT] = "snapshot", [REGISTRY_CHANGES_NONE] = "none",
	[REGISTRY_CHANGES_LOST] = "lost",
};

/* --- One line --- */

static const char *decode(struct arena *arena, const char *text)
{
	char *decoded = arena_copy(arena, text), *end = decoded;
	unsigned int byte;

	for (; *text; text++)
		if (*text == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2]) && sscanf(text + 1, "%2x", &byte) == 1) {
			*end++ = (char)byte;
			text += 2;
		} else {
			*end++ = *text;
		}
	*end = '\0';
	return decoded;
}

/* NULL for what is no text, or empty, also when it only becomes so: an encoded NUL ends it. */
static const char *get_text(struct arena *arena, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	if (text && *text)
		text = decode(arena, text);
	return text && *text ? text : NULL;
}

static uint64_t get_number(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}

static bool get_flag(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

static enum registry_changes get_kind(const json_t *json)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));

	for (size_t i = 0; kind && i < ARRAY_LEN(registry_changes_words); i++)
		if (strcmp(kind, registry_changes_words[i]) == 0)
			return (enum registry_changes)i;
	return REGISTRY_CHANGES_LOST;
}

static struct registry_interfaces get_interfaces(struct arena *arena, const json_t *json)
{
	const json_t *list = json_object_get(json, "interfaces");
	size_t count = json_array_size(list);
	int *items = count > 0 ? arena_allocate(arena, count * sizeof(*items)) : NULL;

	for (size_t i = 0; i < count; i++)
		items[i] = (int)json_integer_value(json_array_get(list, i));
	return (struct registry_interfaces){items, count};
}

static struct strings get_texts(struct arena *arena, const json_t *json, const char *key)
{
	const json_t *list = json_object_get(json, key);
	struct strings texts = {0};

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			strings_add(arena, &texts, decode(arena, text));
	}
	return texts;
}

static void fill_entry(struct arena *arena, const json_t *json, struct registry_entry *ret)
{
	*ret = (struct registry_entry){
		.machine = get_text(arena, json, "machine"),
		.leader = (pid_t)get_number(json, "leader"),
		.supervisor = (pid_t)get_number(json, "supervisor"),
		.tree = get_text(arena, json, "tree"),
		.tree_device = get_number(json, "tree_device"),
		.tree_inode = get_number(json, "tree_inode"),
		.kind = get_kind(json),
		.changes = get_text(arena, json, "changes"),
		.owners_from = (int64_t)get_number(json, "owners_from"),
		.started_usec = get_number(json, "started_usec"),
		.uuid = get_text(arena, json, "uuid"),
		.service = get_text(arena, json, "service"),
		.start = get_text(arena, json, "start"),
		.init = get_text(arena, json, "init"),
		.unit = get_text(arena, json, "unit"),
		.unit_is_users = get_flag(json, "unit_is_users"),
		.cgroup = get_text(arena, json, "cgroup"),
		.shift = (int64_t)get_number(json, "shift"),
		.interfaces = get_interfaces(arena, json),
		.has_own_network = get_flag(json, "has_own_network"),
		.ports = get_texts(arena, json, "ports"),
		.host_ports = get_texts(arena, json, "host_ports"),
		.caps_bounding = get_number(json, "caps_bounding"),
		.caps_ambient = get_number(json, "caps_ambient"),
		.no_new_privileges = get_flag(json, "no_new_privileges"),
		.filter = get_text(arena, json, "filter"),
		.environment = get_texts(arena, json, "environment"),
		.is_ready = get_flag(json, "is_ready"),
		.status = get_text(arena, json, "status"),
	};
}

static int read_entry(struct arena *arena, const char *text, struct registry_entry *ret)
{
	/* Behind it there may be the end of a longer line. */
	json_t *json = json_loadb(text, strcspn(text, "\n"), 0, NULL);
	bool is_known = get_number(json, "version") == REGISTRY_VERSION;

	fill_entry(arena, json, ret);
	json_decref(json);
	return is_known && ret->machine && ret->tree && ret->uuid && ret->service && ret->start &&
			       ret->init && ret->filter && ret->leader > 0 && ret->supervisor > 0
		       ? 0
		       : -EAGAIN;
}

/* --- One machine --- */

static int open_line(const char *directory)
{
	auto_free char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/" LOCKS_NAME_FILE, directory) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ESRCH : -errno;
	return fd;
}

/* The name alone does for a leader that ended, until its supervisor has tidied up. */
static int open_held(const char *directory)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	auto_close int fd = open_line(directory);

	TRY(fd);
	if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
		return -errno;
	return whole.l_type == F_UNLCK ? -ESRCH : steal_fd(fd);
}

static int read_line(struct arena *arena, int fd, struct registry_entry *ret)
{
	const struct timespec pause = {.tv_nsec = READ_AGAIN_NSEC};
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < READ_TRIES; tries++) {
		auto_free char *text = NULL;

		if (tries > 0)
			(void)nanosleep(&pause, NULL);
		if (lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		TRY(fd_read_all(fd, ENTRY_BYTES_MAX, &text, NULL));
		if (!*text)
			break;
		r = read_entry(arena, text, ret);
	}
	return r;
}

/* By the lock file as 'open_file' gives it: of one that runs, or of any. */
static int read_machine(struct arena *arena, const char *directory,
			int (*open_file)(const char *directory), struct registry_entry *ret)
{
	auto_close int fd = open_file(directory);

	TRY(fd);
	TRY(read_line(arena, fd, ret));
	ret->directory = directory;
	return 0;
}

const char *registry_directory(struct arena *arena, const struct places *places,
			       const char *machine)
{
	return arena_format(arena, "%s/%s", places->machines, machine);
}

static int read_running(struct arena *arena, const struct places *places, const char *machine,
			struct registry_entry *ret)
{
	return read_machine(arena, registry_directory(arena, places, machine), open_held, ret);
}

/* A machine manager has a file for each of its machines. */
static bool is_foreign(const struct places *places, const char *machine)
{
	auto_close int fd = text_is_hostname(machine)
				    ? open(places->registry, O_PATH | O_DIRECTORY | O_CLOEXEC)
				    : -EBADF;

	return fd >= 0 && faccessat(fd, machine, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int refuse_unknown(const struct places *places, const char *machine)
{
	if (is_foreign(places, machine)) {
		(void)refuse(ESRCH, "Machine '%s' is not one that nspawn has started", machine);
		hint("'machinectl' can reach it");
		return -ESRCH;
	}
	(void)refuse(ESRCH, "No machine named '%s' is running", machine);
	if (geteuid() != 0)
		hint("Looked at machines of your own only: as root also those of the host are found");
	return -ESRCH;
}

int registry_find(struct arena *arena, const struct places *places, const char *machine,
		  struct registry_entry *ret)
{
	struct registry_entry entry;
	int r = text_is_hostname(machine) ? read_running(arena, places, machine, &entry) : -ESRCH;

	if (r == -ESRCH)
		return refuse_unknown(places, machine);
	if (r == -EAGAIN)
		return refuse(EAGAIN, "Machine '%s' is only about to start", machine);
	if (r < 0)
		return fail(r, "Cannot look for the machine '%s'", machine);
	*ret = entry;
	return 0;
}

/* --- All of them --- */

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct registry_entry *)left)->machine,
		      ((const struct registry_entry *)right)->machine);
}

static void close_directory(DIR **directory)
{
	if (*directory)
		(void)closedir(*directory);
}

/* Names of directories, running or not. */
static int list_names(struct arena *arena, const struct places *places, struct strings *names)
{
	__attribute__((cleanup(close_directory))) DIR *directory = opendir(places->machines);
	const struct dirent *item;

	if (!directory && errno != ENOENT)
		return fail(-errno, "Cannot look for machines in '%s'", places->machines);
	while (directory && (item = readdir(directory)))
		if (*item->d_name != '.' && text_is_hostname(item->d_name))
			strings_add(arena, names, arena_copy(arena, item->d_name));
	return 0;
}

int registry_list(struct arena *arena, const struct places *places, struct registry_entry **ret,
		  size_t *ret_count)
{
	struct {
		struct registry_entry *items;
		size_t count, room;
	} list = {0};
	struct strings names = {0};

	TRY(list_names(arena, places, &names));
	for (size_t i = 0; i < names.count; i++) {
		struct registry_entry entry;

		/* Not a machine, not yet, not any more, or not ours to look at. */
		if (read_running(arena, places, names.items[i], &entry) == 0)
			*ARRAY_ADD(arena, &list) = entry;
	}
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), compare_names);
	*ret = list.items;
	*ret_count = list.count;
	return 0;
}

/* --- What is left --- */

/* What has something in it but not that file was made by somebody else. */
static bool is_machines(struct arena *arena, const char *directory)
{
	return access(arena_format(arena, "%s/" LOCKS_NAME_FILE, directory), F_OK) == 0 ||
	       rmdir(directory) == 0;
}

int registry_list_left(struct arena *arena, const struct places *places, struct strings *ret)
{
	struct strings names = {0};

	TRY(list_names(arena, places, &names));
	for (size_t i = 0; i < names.count; i++) {
		const char *directory = registry_directory(arena, places, names.items[i]);

		if (registry_look(directory) == -ESRCH && is_machines(arena, directory))
			strings_add(arena, ret, names.items[i]);
	}
	return 0;
}

int registry_read_left(struct arena *arena, const struct places *places, const char *machine,
		       struct registry_entry *ret)
{
	return read_machine(arena, registry_directory(arena, places, machine), open_line, ret);
}

/* --- More of one --- */

int registry_look(const char *directory)
{
	auto_close int fd = open_held(directory);

	return fd < 0 ? fd : 0;
}

int registry_leader(const struct registry_entry *entry, int *ret_pidfd)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, entry->leader, 0);
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return -errno;
	/*
	 * While the supervisor has not reaped its child nobody else can have the number, and
	 * nobody but a child of a supervisor that still runs can pass for it.
	 */
	if (process_parent(entry->leader) != entry->supervisor ||
	    registry_look(entry->directory) < 0)
		return -ESRCH;
	if (poll(&end, 1, 0) != 0)
		return -ESRCH;
	*ret_pidfd = steal_fd(pidfd);
	return 0;
}

int registry_read_filter(struct arena *arena, const struct registry_entry *entry,
			 const struct sock_filter **ret, size_t *ret_length)
{
	const char *path = arena_format(arena, "%s/" REGISTRY_FILTER_FILE, entry->directory);
	size_t bytes_max = BPF_MAXINSNS * sizeof(struct sock_filter), length;
	auto_free char *text = NULL;
	struct sock_filter *filter;

	TRY(file_read(AT_FDCWD, path, bytes_max, &text, &length));
	if (length == 0 || length % sizeof(*filter) != 0)
		return -EBADMSG;
	filter = arena_allocate(arena, length);
	memcpy(filter, text, length);
	*ret = filter;
	*ret_length = length / sizeof(*filter);
	return 0;
}
