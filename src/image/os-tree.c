/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a tree's os-release and machine-id and recognises its init, all through the resolver.
 * Zone: free.
 */
#include "image/os-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"

#define OS_RELEASE_MAX_BYTES ((size_t)64 * 1024)
#define MACHINE_ID_MAX_BYTES ((size_t)64)
#define SCRIPT_HEAD_BYTES 512

/*
 * Errors that say "it is not there" about a path chosen by the guest, dangling and looping links
 * included.
 */
static bool is_absence(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

/* The same, and what may not be looked at counts as absent for us, but not for the machine. */
static bool is_absent(struct os_tree *tree, int r)
{
	tree->is_unseen = tree->is_unseen || r == -EACCES;
	return r == -EACCES || is_absence(r);
}

/* Some devices act when they are only opened, and nobody may have asked for more than a look. */
static int read_regular(int root_fd, const char *path, size_t max, char **ret_text,
			size_t *ret_length)
{
	mode_t mode;

	TRY(path_status(root_fd, path, &mode));
	return S_ISREG(mode) ? path_read(root_fd, path, max, ret_text, ret_length) : -EINVAL;
}

/* --- os-release(5) --- */

static int probe_os_release(struct arena *arena, int root_fd, struct os_tree *tree)
{
	static const char *const places[] = {"/etc/os-release", "/usr/lib/os-release"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		auto_free char *text = NULL;
		size_t length;
		int r = read_regular(root_fd, places[i], OS_RELEASE_MAX_BYTES, &text, &length);

		if (is_absent(tree, r) || r == -EINVAL || r == -EISDIR || r == -ENXIO)
			continue;
		if (r < 0 && r != -EFBIG)
			return r;
		/* One that is too large exists all the same; it only tells us nothing. */
		tree->has_os_release = true;
		if (r == 0)
			os_release_parse(arena, text, length, &tree->identity);
		return 0;
	}
	return 0;
}

/* --- machine-id(5) --- */

static int probe_machine_id(int root_fd, struct os_tree *tree)
{
	auto_free char *text = NULL;
	size_t length;
	int r = read_regular(root_fd, "/etc/machine-id", MACHINE_ID_MAX_BYTES, &text, &length);

	if (is_absent(tree, r)) {
		tree->machine_id_state = MACHINE_ID_MISSING;
		return 0;
	}
	if (r == -EINVAL || r == -EISDIR || r == -ENXIO || r == -EFBIG) {
		tree->machine_id_state = MACHINE_ID_INVALID;
		return 0;
	}
	TRY(r);
	if (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	if (length == 0)
		tree->machine_id_state = MACHINE_ID_EMPTY;
	else if (strcmp(text, "uninitialized") == 0)
		tree->machine_id_state = MACHINE_ID_UNINITIALIZED;
	else if (length == 32 && parse_id128(text, tree->machine_id) == 0)
		tree->machine_id_state = MACHINE_ID_VALID;
	else
		tree->machine_id_state = MACHINE_ID_INVALID;
	return 0;
}

/* --- init --- */

/*
 * The names by which distributions install each program. Sysvinit is plainly "init" and recognised
 * by its company.
 */
/* clang-format off */
static const struct {
	const char *name;
	enum init_kind kind;
} init_names[] = {
	{"systemd", INIT_SYSTEMD},
	{"busybox", INIT_BUSYBOX},
	{"busybox.static", INIT_BUSYBOX},
	{"busybox-static", INIT_BUSYBOX},
	{"openrc-init", INIT_OPENRC},
	{"runit", INIT_RUNIT},
	{"runit-init", INIT_RUNIT},
	{"s6-linux-init", INIT_S6},
	{"s6-svscan", INIT_S6},
	{"dinit", INIT_DINIT},
	{"dinit-init", INIT_DINIT},
	{"sysvinit", INIT_SYSVINIT},
	{"init.sysvinit", INIT_SYSVINIT},
};
/* clang-format on */

/* busybox installed as hard links carries any name. */
static bool is_same_as(int root_fd, const char *path, const struct stat *status)
{
	auto_close int fd = path_open(root_fd, path, O_PATH, 0);
	struct stat other;

	return fd >= 0 && fstat(fd, &other) == 0 && other.st_dev == status->st_dev &&
	       other.st_ino == status->st_ino;
}

/* s6-linux-init(7) makes /sbin/init a small script that starts the program of that name. */
static bool is_s6_script(int root_fd, const char *init_path)
{
	auto_close int fd = path_open(root_fd, init_path, O_RDONLY | O_NONBLOCK, 0);
	char head[SCRIPT_HEAD_BYTES + 1];
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, head, SCRIPT_HEAD_BYTES);
	if (length < 2)
		return false;
	head[length] = '\0';
	return head[0] == '#' && head[1] == '!' && strstr(head, "s6-linux-init");
}

static enum init_kind recognise_init(int root_fd, const char *init_path, int init_fd,
				     const struct stat *status)
{
	char path[PATH_MAX] = "";
	const char *name;

	if (fd_path(init_fd, path) < 0)
		return INIT_UNKNOWN;
	name = path_last(path);
	for (size_t i = 0; i < ARRAY_LEN(init_names); i++)
		if (strcmp(name, init_names[i].name) == 0)
			return init_names[i].kind;
	if (is_same_as(root_fd, "/bin/busybox", status))
		return INIT_BUSYBOX;
	if (is_s6_script(root_fd, init_path))
		return INIT_S6;
	if (path_status(root_fd, "/sbin/telinit", NULL) == 0 ||
	    path_status(root_fd, "/etc/inittab", NULL) == 0)
		return INIT_SYSVINIT;
	return INIT_UNKNOWN;
}

static int probe_init(int root_fd, struct os_tree *tree)
{
	static const char *const places[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd",
					     "/sbin/init"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		auto_close int fd = path_open(root_fd, places[i], O_PATH, 0);
		struct stat status;

		if (is_absent(tree, fd))
			continue;
		TRY(fd);
		if (fstat(fd, &status) < 0)
			return -errno;
		if (!S_ISREG(status.st_mode) || !(status.st_mode & 0111))
			continue;
		tree->init_path = places[i];
		tree->init_kind = recognise_init(root_fd, places[i], fd, &status);
		return 0;
	}
	return 0;
}

int os_tree_probe(struct arena *arena, int root_fd, enum os_tree_depth depth, struct os_tree *ret)
{
	struct os_tree tree = {.init_kind = INIT_UNKNOWN};
	mode_t mode;
	int r;

	r = path_status(root_fd, "/usr", &mode);
	if (r < 0 && !is_absent(&tree, r))
		return r;
	tree.has_usr = r == 0 && S_ISDIR(mode);
	TRY(probe_machine_id(root_fd, &tree));
	if (depth == OS_TREE_BOOT || !tree.has_usr)
		TRY(probe_os_release(arena, root_fd, &tree));
	if (depth == OS_TREE_BOOT)
		TRY(probe_init(root_fd, &tree));
	*ret = tree;
	return 0;
}

static const char *const init_kind_names[] = {
	[INIT_UNKNOWN] = "unknown", [INIT_SYSTEMD] = "systemd", [INIT_SYSVINIT] = "sysvinit",
	[INIT_OPENRC] = "openrc",   [INIT_RUNIT] = "runit",     [INIT_S6] = "s6",
	[INIT_DINIT] = "dinit",     [INIT_BUSYBOX] = "busybox",
};
static_assert(ARRAY_LEN(init_kind_names) == _INIT_KIND_COUNT, "one name for each kind of init");

const char *init_kind_name(enum init_kind kind)
{
	return init_kind_names[kind];
}
