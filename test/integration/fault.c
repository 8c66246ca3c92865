/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault NUMBER ERRNO SKIP COMMAND…: runs a command whose system call NUMBER fails with ERRNO, the
 * kernel without a feature or the machine without a right that cannot be had otherwise. ERRNO
 * "kill" kills who makes it, "stall" never returns. SKIP is an argument value to leave alone
 * ("arg:value", such as 0:22), or "-".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)(field))

int main(int argc, char **argv)
{
	unsigned int argument = 0, value = 0;
	struct sock_filter filter[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3), /* the number, below */
		LOAD(offsetof(struct seccomp_data, args)),    /* the argument, below */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), /* its value, below */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	unsigned int flags = 0;
	long fd;
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

	if (argc < 5)
		return 2;
	filter[1].k = (unsigned int)atoi(argv[1]);
	if (strcmp(argv[2], "kill") == 0) {
		filter[4].k = SECCOMP_RET_KILL_PROCESS;
	} else if (strcmp(argv[2], "stall") == 0) {
		/* Whoever could answer is the command, which knows nothing of it. */
		filter[4].k = SECCOMP_RET_USER_NOTIF;
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	} else {
		filter[4].k |= (unsigned int)atoi(argv[2]) & SECCOMP_RET_DATA;
	}
	if (sscanf(argv[3], "%u:%u", &argument, &value) == 2) {
		filter[2].k += argument * 8;
		filter[3].k = value;
	} else {
		filter[3].jt = 0; /* no value is left alone */
	}
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (fd < 0 || (flags && fcntl((int)fd, F_SETFD, 0) < 0)) {
		perror("fault: seccomp");
		return 2;
	}
	execv(argv[4], argv + 4);
	perror("fault: exec");
	return 2;
}
