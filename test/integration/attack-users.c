/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attack-users WORD…: what root of a user namespace tries. Whatever succeeds that should not is a
 * line that begins with "broke".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MOUNTS_MAX 256

static void broke(const char *stage, const char *how, const char *what)
{
	printf("broke %s %s %s\n", stage, how, what);
}

/* --- walls [+|~|-]TARGET…: these mounts are locked; "+" may be written to, "~" has no flags, "-"
 * has others in it --- */

static void loosen(const char *stage, const char *target, char kind)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	char probe[4200];
	int fd;

	snprintf(probe, sizeof(probe), "%s/attack-users-probe", target);
	if (syscall(SYS_umount2, target, MNT_DETACH) == 0 || syscall(SYS_umount2, target, 0) == 0)
		broke(stage, "umount", target);
	if (kind != '~' && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
		broke(stage, "remount", target);
	if (kind != '~' &&
	    syscall(SYS_mount_setattr, AT_FDCWD, target, 0, &attr, sizeof(attr)) == 0)
		broke(stage, "setattr", target);
	if (mount(target, "/tmp", NULL, MS_MOVE, NULL) == 0)
		broke(stage, "move", target);
	fd = kind != '/' ? -1 : open(probe, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		broke(stage, "write", target);
}

static void strip(const char *stage, const char *directory)
{
	int fd = open_tree(AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd >= 0)
		broke(stage, "clone-without-submounts", directory);
	if (mount(directory, "/tmp", NULL, MS_BIND, NULL) == 0)
		broke(stage, "bind-without-submounts", directory);
}

static void try_all(const char *stage, char **words)
{
	for (; *words; words++)
		if (words[0][0] == '-')
			strip(stage, words[0] + 1);
		else
			loosen(stage, words[0] + (words[0][0] != '/'), words[0][0]);
}

/* The whole tree once more somewhere else, where its mounts could be loose. */
static void try_copy(const char *stage, char **words)
{
	char copies[64][300], *list[65] = {NULL};
	size_t count = 0;

	if (mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL) < 0)
		return;
	for (; *words && count < 64; words++) {
		const char *path = strchr(*words, '/'), *kind = *words;

		if (*kind == '-' || strcmp(path, "/") == 0)
			continue;
		snprintf(copies[count], sizeof(copies[0]), "%.*s/tmp%s", (int)(path - kind), kind,
			 path);
		list[count] = copies[count];
		count++;
	}
	try_all(stage, list);
	(void)umount2("/tmp", MNT_DETACH);
}

static int walls(char **words)
{
	try_all("at-once", words);
	try_copy("copied", words);
	if (unshare(CLONE_NEWNS) == 0) {
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		try_all("unshared", words);
		try_copy("unshared-copied", words);
	}
	if (chroot("/proc/1/root") == 0)
		try_all("chroot", words);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
		try_all("below", words);
	return puts("done"), 0;
}

/* --- kernel PATH…: cannot be opened for writing, in whatever way it is uncovered --- */

static void open_all(const char *stage, const char *prefix, char **words)
{
	for (; *words; words++) {
		char path[4200];
		int fd;

		snprintf(path, sizeof(path), "%s%s", prefix, *words);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0)
			broke(stage, "open", path);
	}
}

static int kernel(char **words)
{
	static const char *const types[] = {"proc",    "sysfs",      "debugfs",
					    "tracefs", "securityfs", "configfs"};

	open_all("at-once", "", words);
	for (int i = 0; i < 3; i++) {
		for (char **path = words; *path; path++) {
			char part[4200], *slash;

			snprintf(part, sizeof(part), "%s", *path);
			for (; (slash = strrchr(part, '/')) && slash != part; *slash = 0) {
				(void)mount(NULL, part, NULL, MS_REMOUNT | MS_BIND, NULL);
				(void)umount2(part, MNT_DETACH);
			}
		}
		open_all("uncovered", "", words);
		if (i == 0 && unshare(CLONE_NEWNS) < 0)
			break;
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (mount(types[i], "/tmp", types[i], 0, NULL) < 0)
			continue;
		for (char **path = words; *path; path++) {
			const char *rest = strchr(*path + 1, '/');
			char *one[] = {(char *)rest, NULL};

			if (rest)
				open_all(types[i], "/tmp", one);
		}
		(void)umount2("/tmp", MNT_DETACH);
	}
	return puts("done"), 0;
}

/* --- first: process 1 is nspawn's, and shut --- */

static int first(char **words)
{
	static const char *const paths[] = {"fd/0",    "fd/3", "root/.",  "cwd/.",  "mem",
					    "environ", "exe",  "maps",    "fdinfo", "ns/mnt",
					    "ns/user", "io",   "syscall", "stack",  "auxv"};
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
	char bytes[16];
	struct iovec here = {bytes, sizeof(bytes)}, there = {(void *)0x400000, sizeof(bytes)};

	(void)words;
	if (getpid() == 1)
		return 2;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/1/%s", paths[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && (read(fd, bytes, 1) != -1 || errno == EISDIR))
			broke("first", "open", path);
	}
	if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0)
		broke("first", "ptrace", "1");
	for (int fd = 0; pidfd >= 0 && fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			broke("first", "getfd", "1");
	if (setns(pidfd, CLONE_NEWUSER) == 0 || setns(pidfd, CLONE_NEWNS | CLONE_NEWUSER) == 0)
		broke("first", "setns", "1");
	if (process_vm_readv(1, &here, 1, &there, 1, 0) >= 0)
		broke("first", "read", "1");
	return puts("done"), 0;
}

/* --- ids: nobody else's, in no way --- */

static int ids(char **words)
{
	static const unsigned int others[] = {65536,   65537,      100000,    524288,
					      7340032, 0x7fffffff, 0xfffffffe};
	static const unsigned char root_owned[20] = {1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};

	(void)words;
	close(open("/tmp/file", O_CREAT | O_WRONLY, 0600));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		char id[16];

		snprintf(id, sizeof(id), "%u", others[i]);
		if (setresuid(others[i], -1, -1) == 0 || setresgid(others[i], -1, -1) == 0)
			broke("ids", "set", id);
		if (setgroups(1, &others[i]) == 0)
			broke("ids", "groups", id);
		if (chown("/file", others[i], -1) == 0 || chown("/tmp/file", -1, others[i]) == 0)
			broke("ids", "chown", id);
	}
	if (mknod("/node", S_IFCHR | 0666, makedev(1, 3)) == 0 ||
	    mknod("/dev/node", S_IFBLK | 0666, makedev(7, 0)) == 0 ||
	    mknod("/tmp/node", S_IFCHR | 0666, makedev(1, 1)) == 0)
		broke("ids", "mknod", "/node");
	if (setxattr("/file", "trusted.overlay.opaque", "y", 1, 0) == 0 ||
	    setxattr("/file", "trusted.nspawn.shift", "y", 1, 0) == 0)
		broke("ids", "trusted", "/file");
	if (setxattr("/file", "security.ima", "y", 1, 0) == 0)
		broke("ids", "ima", "/file");
	if (setxattr("/file", "security.capability", root_owned, sizeof(root_owned), 0) == 0)
		printf("capability set\n");
	for (size_t i = 0; i < 2; i++) {
		const char *file = i ? "/proc/self/gid_map" : "/proc/self/uid_map";
		int fd = open(file, O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "0 0 4294967295\n", 15) >= 0)
			broke("ids", "map", file);
	}
	if (unshare(CLONE_NEWUSER) == 0) {
		int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "0 65536 1\n", 10) >= 0)
			broke("ids", "map-below", "65536");
	}
	return puts("done"), 0;
}

/* --- groups: control groups that are not ours --- */

static int groups(char **words)
{
	static const char *const places[] = {"/sys/fs/cgroup/..", "/sys/fs/cgroup/../..", "/tmp",
					     "/tmp/.."};
	static const char *const files[] = {"cgroup.procs", "release_agent", "notify_on_release",
					    "memory.max", "cgroup.subtree_control"};
	static const char *const controllers[] = {"cpu",     "memory",  "pids",
						  "devices", "freezer", "name=systemd"};

	(void)words;
	for (size_t round = 0; round < 1 + sizeof(controllers) / sizeof(*controllers); round++) {
		if (round > 0 && mount("cgroup", "/tmp", "cgroup", 0, controllers[round - 1]) < 0)
			continue;
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
			for (size_t j = 0; j < sizeof(files) / sizeof(*files); j++) {
				char path[256];

				snprintf(path, sizeof(path), "%s/%s", places[i], files[j]);
				if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
					broke(round ? controllers[round - 1] : "cgroup2", "open",
					      path);
			}
		if (round > 0)
			(void)umount2("/tmp", MNT_DETACH);
	}
	/* What lies below the mount of the cgroups. */
	(void)umount2("/sys/fs/cgroup", MNT_DETACH);
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ||
	    access("/sys/fs/cgroup/cpu", F_OK) == 0)
		broke("below", "see", "/sys/fs/cgroup");
	return puts("done"), 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **words);
	} words[] = {{"walls", walls},
		     {"kernel", kernel},
		     {"first", first},
		     {"ids", ids},
		     {"groups", groups}};

	setlinebuf(stdout);
	for (size_t i = 0; argc > 1 && i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(argv[1], words[i].name) == 0)
			return words[i].run(argv + 2);
	return 99;
}
