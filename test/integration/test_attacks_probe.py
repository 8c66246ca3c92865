# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program of the attacks, static, for trees: what a payload tries that is no plain question. It has no tests of its own."""
import contextlib
import subprocess

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* freeze i|a PATH...: nobody may change these from here on. */
static int freeze(char **words)
{
	int flag = words[0][0] == 'i' ? FS_IMMUTABLE_FL : FS_APPEND_FL;

	for (char **path = words + 1; *path; path++) {
		int fd = open(*path, O_RDONLY), flags = 0;

		if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
			return perror(*path), 1;
		flags |= flag;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
			return perror(*path), 1;
		close(fd);
	}
	return 0;
}

/* fds: what is open in each process that can be looked into, "PID FD DEVICE TARGET"; "PID seen" for each of those. */
static int fds(char **words)
{
	DIR *proc = opendir("/proc");
	(void)words;

	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		char path[300], target[4096];
		DIR *folder;

		if (atoi(entry->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd", entry->d_name);
		folder = opendir(path);
		printf("%s %s\n", entry->d_name, folder ? "seen" : strerror(errno));
		for (struct dirent *fd; folder && (fd = readdir(folder));) {
			ssize_t length = readlinkat(dirfd(folder), fd->d_name, target, sizeof(target) - 1);
			struct stat status;

			if (length < 0 || (atoi(entry->d_name) == getpid() &&
			    (atoi(fd->d_name) == dirfd(folder) || atoi(fd->d_name) == dirfd(proc))))
				continue;
			target[length] = 0;
			if (fstatat(dirfd(folder), fd->d_name, &status, 0) == 0)
				printf("%s %s %lx %s\n", entry->d_name, fd->d_name, (long)status.st_dev, target);
		}
		if (folder)
			closedir(folder);
	}
	return 0;
}

static void look(const char *how, const char *path)
{
	char up[8192];

	snprintf(up, sizeof(up), "/../../..%s", path);
	if (access(path, F_OK) == 0 || access(up, F_OK) == 0)
		printf("%s: found %s\n", how, path);
	snprintf(up, sizeof(up), "../../../../../../../../../../../../../../../../../../../../../..%s", path);
	if (access(up, F_OK) == 0)
		printf("%s: found %s from here\n", how, path);
}

/* under PATH: everything that can be taken off the root is; PATH is of the host and must stay unseen. */
static int under(char **words)
{
	int ns = open("/proc/self/ns/mnt", O_RDONLY), first = open("/proc/1/ns/mnt", O_RDONLY);

	look("as it is", words[0]);
	if (chroot("/tmp") == 0)
		look("chroot", words[0]);
	for (int i = 0; i < 5; i++) {
		if (setns(ns, CLONE_NEWNS) == 0)
			look("setns", words[0]);
		else
			printf("setns: %s\n", strerror(errno));
		if (setns(first, CLONE_NEWNS) == 0)
			look("setns 1", words[0]);
		umount2("/..", MNT_DETACH);
		look("umount", words[0]);
		if (umount2("/", MNT_DETACH) == 0)
			printf("took one off\n");
		look("umount", words[0]);
	}
	if (unshare(CLONE_NEWNS) == 0) {
		look("unshare", words[0]);
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		umount2("/", MNT_DETACH);
		look("unshare and umount", words[0]);
	}
	puts("done");
	return 0;
}

/* victim PID UID PATH: becomes the user with all rights kept, and looks through the process's root. */
static int victim(char **words)
{
	char path[8192];
	int uid = atoi(words[1]);

	snprintf(path, sizeof(path), "/proc/%s/root%s", words[0], words[2]);
	printf("root: %s\n", access(path, F_OK) == 0 ? "found" : strerror(errno));
	if (uid) {
		prctl(PR_SET_KEEPCAPS, 1);
		if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
			return perror("setresuid"), 1;
		printf("user: %s\n", access(path, F_OK) == 0 ? "found" : strerror(errno));
	}
	printf("ptrace: %s\n", ptrace(PTRACE_SEIZE, atoi(words[0]), 0, 0) == 0 ? "found" : strerror(errno));
	return 0;
}

/* As the tree's getent: knows the user only if nothing of the host is open or can be. */
static int getent(char **words)
{
	char *paths[] = {"/proc/1/fd", "/proc/1/root/.", "/proc/1/cwd/.", "/proc/1/mem", "/proc/1/environ", "/proc/1/exe"};

	for (int fd = 3; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 2;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (open(paths[i], O_RDONLY) >= 0)
			return 2;
	if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0 || kill(1, 0) == 0 || getuid() == 0 || getegid() == 0)
		return 2;
	puts(strcmp(words[0], "passwd") == 0 ? "somebody:x:7:7::/:/bin/sh" : "somebody 8");
	return 0;
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	if (strcmp(argv[0], "getent") == 0)
		return getent(argv + 1);
	if (argc < 2)
		return 99;
	if (strcmp(argv[1], "ids") == 0) {
		gid_t groups[64];
		int count = getgroups(64, groups);

		printf("%d %d", getuid(), getgid());
		for (int i = 0; i < count; i++)
			if (groups[i] != getgid())
				printf(" %d", groups[i]);
		return puts(""), 0;
	}
	/* swap A B: exchanges these names until it is killed. */
	while (strcmp(argv[1], "swap") == 0)
		renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE);
	if (strcmp(argv[1], "open") == 0) {
		for (char **path = argv + 2; *path; path++)
			if (open(*path, O_WRONLY) >= 0 || (strstr(*path, "kcore") && open(*path, O_RDONLY) >= 0))
				printf("open %s\n", *path);
		return puts("done"), 0;
	}
	if (strcmp(argv[1], "freeze") == 0)
		return freeze(argv + 2);
	if (strcmp(argv[1], "fds") == 0)
		return fds(argv + 2);
	if (strcmp(argv[1], "under") == 0)
		return under(argv + 2);
	if (strcmp(argv[1], "victim") == 0)
		return victim(argv + 2);
	return 99;
}
"""


@contextlib.contextmanager
def swapped(attack, *pairs):
    """While these pairs of names are exchanged all the time, by processes of the host."""
    swappers = [subprocess.Popen([attack, "swap", *pair]) for pair in pairs]
    try:
        yield
    finally:
        for swapper in swappers:
            swapper.kill()
            swapper.wait()


@pytest.fixture(scope="session")
def attack(tmp_path_factory):
    path = tmp_path_factory.mktemp("attack") / "attack"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-static", "-w", "-x", "c", "-o", path, "-"], input=SOURCE, text=True, check=True)
    return path
