/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The least that entering a tree can cost: one clone3 with new namespaces, the tree bound and
 * pivoted into, five mounts, exec, wait. Everything bench/run prints is divided by this.
 * Zone: free up to the clone; the child is doomed.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int die(const char *step)
{
	fprintf(stderr, "floor: %s: %s\n", step, strerror(errno));
	return 1;
}

/* Makes the tree the root. The old root ends up on top of it, where one umount drops it. */
static int root_enter(const char *tree)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return die("make mounts private");
	if (mount(tree, tree, NULL, MS_BIND | MS_REC, NULL) < 0)
		return die("bind the tree");
	if (chdir(tree) < 0)
		return die("enter the tree");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return die("pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return die("drop the old root");
	return 0;
}

static int api_mount(void)
{
	static const struct {
		const char *type;
		const char *where;
	} mounts[] = {
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/dev"},
		{"tmpfs", "/run"}, {"tmpfs", "/tmp"},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, MS_NOSUID, NULL) < 0)
			return die(mounts[i].where);
	return 0;
}

int main(int argc, char **argv)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	long pid;
	int status, first = 1;

	if (argc > first && strcmp(argv[first], "--net") == 0) {
		args.flags |= CLONE_NEWNET;
		first++;
	}
	if (argc < first + 2) {
		fprintf(stderr, "usage: floor [--net] TREE COMMAND [WORD...]\n");
		return 1;
	}

	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return die("clone3");
	if (pid == 0) {
		if (root_enter(argv[first]) == 0 && api_mount() == 0) {
			execv(argv[first + 1], argv + first + 1);
			(void)die("exec");
		}
		_exit(1);
	}

	if (waitpid((pid_t)pid, &status, 0) < 0)
		return die("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
