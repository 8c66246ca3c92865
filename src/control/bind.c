/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn bind, unbind: files of the host in a machine that runs.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/mount-values.h"
#include "config/owner-values.h"
#include "config/settings.h"
#include "control/bind-live.h"
#include "control/files.h"
#include "control/guest.h"
#include "host/places.h"
#include "mount/detached.h"
#include "mount/id-mount-apply.h"
#include "run/owners.h"

/* In the machine's directory: a line for each mount that was made here. */
#define RECORD_FILE "binds"

struct binding {
	struct config config;
	const char *verb, *machine;
	const char *words[2]; /* paths, as they were given, or NULL */
	bool read_only, makes;
	const struct mount_request *request;
	struct guest guest;
	struct bind_live live;
};

typedef int (*live_function)(struct bind_live *live);

/* --- What was asked for --- */

struct flag {
	const char *option;
	size_t field; /* a bool in struct binding */
};

static const struct flag flags[] = {
	{"--read-only", offsetof(struct binding, read_only)},
	{"--mkdir", offsetof(struct binding, makes)},
};

static bool take_flag(struct binding *binding, const char *word, bool has_flags)
{
	for (size_t i = 0; has_flags && i < ARRAY_LEN(flags); i++)
		if (strcmp(word, flags[i].option) == 0) {
			*(bool *)((char *)binding + flags[i].field) = true;
			return true;
		}
	return false;
}

static int read_words(struct binding *binding, int argc, char **argv, size_t paths_max)
{
	bool takes_options = true;
	size_t count = 0;

	binding->verb = argv[0];
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (takes_options && strcmp(word, "--") == 0)
			takes_options = false;
		else if (takes_options && take_flag(binding, word, paths_max == 2))
			continue;
		else if (takes_options && *word == '-')
			return refuse(EINVAL, "'%s' does not know the option '%s'", argv[0], word);
		else if (count > paths_max || !*word)
			return refuse(EINVAL, "'%s' cannot do anything with '%s'", argv[0], word);
		else if (count++ == 0)
			binding->machine = word;
		else
			binding->words[count - 2] = word;
	}
	if (count < 2)
		return refuse(EINVAL, "'%s' needs the name of a machine and a path", argv[0]);
	return 0;
}

/* A path may have colons; what is behind one of them is options only if it begins with one. */
static const char *find_options(const char *path)
{
	for (const char *colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':'))
		if (is_about_owners(colon + 1) || text_has_prefix(colon + 1, "rbind") ||
		    text_has_prefix(colon + 1, "norbind"))
			return colon;
	return NULL;
}

static const char *escape(struct arena *arena, const char *path, size_t length)
{
	char *escaped = arena_allocate(arena, 2 * length + 1), *to = escaped;

	for (size_t i = 0; i < length; i++) {
		if (path[i] == ':' || path[i] == '\\')
			*to++ = '\\';
		*to++ = path[i];
	}
	return escaped;
}

/* Read as --bind is, so that all of it means the same. */
static int read_request(struct binding *binding)
{
	struct arena *arena = &binding->config.arena;
	const struct asking asking = {
		.config = &binding->config,
		.setting = binding->read_only ? SETTING_BIND_RO : SETTING_BIND,
		.origin = ORIGIN_OPTION,
		.noun = "'bind'",
	};
	const char *inside = binding->words[1], *options = inside ? find_options(inside) : NULL;
	size_t length = !inside ? 0 : options ? (size_t)(options - inside) : strlen(inside);
	char *source = NULL;
	int r = path_absolute(arena, binding->words[0], &source);

	if (r < 0)
		return fail(r, "Cannot tell where '%s' of '%s' is: no current directory",
			    binding->words[0], binding->verb);
	TRY(set_bind(&asking, arena_format(arena, "%s:%s%s", escape(arena, source, strlen(source)),
					   inside ? escape(arena, inside, length)
						  : escape(arena, source, strlen(source)),
					   options ?: "")));
	binding->request = &binding->config.mounts.items[0];
	if (strcmp(binding->request->destination, "/") == 0)
		return refuse(EINVAL, "'%s' cannot cover '/' of a machine that runs",
			      binding->verb);
	return 0;
}

/* --- The mount --- */

static int map_owners(struct binding *binding)
{
	struct id_namespaces namespaces = {0};
	struct id_mount mount = {
		.request = binding->request->ids,
		.name = binding->request->source,
		.is_on_host = true,
		.recursive = binding->request->recursive,
		.facts.machine = binding->guest.has_own_ids ? &binding->guest.maps : NULL,
		.owner_fd = -EBADF,
	};
	auto_close int target_fd = -EBADF;
	struct stat status;
	int r;

	TRY(owners_find(&binding->config, binding->guest.root_fd));
	target_fd = guest_resolve(&binding->guest, binding->request->destination, O_PATH);
	if (target_fd >= 0 && fstat(target_fd, &status) == 0) {
		uint32_t owner = mount.facts.machine ? id_map_to_inside(&mount.facts.machine->users,
									status.st_uid)
						     : status.st_uid;

		mount.facts.destination_owner = owner == UINT32_MAX ? 0 : owner;
	}
	r = id_mount_apply(&binding->config.arena, &namespaces, &mount, &binding->live.mount_fd);
	id_namespaces_close(&namespaces);
	return r;
}

/* What only root can do is done with the host's own view. */
static int open_source(struct binding *binding)
{
	const struct mount_request *request = binding->request;

	if (binding->guest.is_joined && request->ids)
		return refuse(EPERM, "Only root can map the owners of '%s'", request->source);
	if (binding->guest.is_joined)
		return 0;
	binding->live.mount_fd = open_tree(AT_FDCWD, request->source,
					   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						   (request->recursive ? AT_RECURSIVE : 0u));
	if (binding->live.mount_fd < 0)
		return fail(-errno, "Cannot open the bind source '%s'", request->source);
	return request->ids ? map_owners(binding) : 0;
}

static int open_record(struct binding *binding)
{
	const char *path = arena_format(&binding->config.arena, "%s/%s",
					binding->guest.entry.directory, RECORD_FILE);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(-errno, "Cannot open '%s'", path);
	binding->live.record_fd = fd;
	binding->live.proc_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return binding->live.proc_fd < 0 ? fail(-errno, "Cannot open '%s'", "/proc/self/fd") : 0;
}

static int run_child(struct binding *binding, live_function function)
{
	/* The directory of our own descriptors is the child's own. */
	int r = open_record(binding);

	if (r == 0)
		r = function(&binding->live);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_in_child(struct binding *binding, live_function function)
{
	pid_t pid;
	int status = 0;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return fail(-errno, "Cannot enter machine '%s'", binding->machine);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		_exit(run_child(binding, function));
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -EIO;
}

static int open_machine(struct binding *binding)
{
	struct arena *arena = &binding->config.arena;
	struct places places;

	TRY(places_find(arena, SCOPE_AUTO, &places));
	TRY(guest_open(arena, &places, binding->machine, &binding->guest));
	binding->live.guest = &binding->guest;
	return 0;
}

static int bind_path(struct binding *binding)
{
	TRY(read_request(binding));
	TRY(open_machine(binding));
	TRY(open_source(binding));
	binding->live.source = binding->request->source;
	binding->live.path = binding->request->destination;
	binding->live.recursive = binding->request->recursive;
	binding->live.read_only = binding->request->read_only;
	binding->live.makes = binding->makes;
	return run_in_child(binding, bind_live_attach);
}

static int unbind_path(struct binding *binding)
{
	if (*binding->words[0] != '/')
		return refuse(EINVAL, "'%s' is no absolute path in the machine", binding->words[0]);
	TRY(open_machine(binding));
	binding->live.path = binding->words[0];
	return run_in_child(binding, bind_live_detach);
}

static int run(int argc, char **argv, size_t paths_max, int (*function)(struct binding *))
{
	struct binding binding = {.guest = GUEST_NONE, .live.mount_fd = -EBADF};
	int r = read_words(&binding, argc, argv, paths_max);

	if (r == 0)
		r = function(&binding);
	scope_close(&binding.live.mount_fd);
	guest_close(&binding.guest);
	arena_done(&binding.config.arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int control_bind(int argc, char **argv)
{
	return run(argc, argv, 2, bind_path);
}

int control_unbind(int argc, char **argv)
{
	return run(argc, argv, 1, unbind_path);
}
