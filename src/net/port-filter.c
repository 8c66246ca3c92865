/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A list of what is allowed, in the order of how often it is asked. Written by hand: it is short,
 * and never changes with what the user says.
 * Zone: doomed.
 */
#include "net/port-filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

/* Elsewhere nobody has looked what the C library makes of these calls: no filter. */
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(number, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, skipped)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define MAY(name) UNLESS(__NR_##name, 1), ALLOW

static const struct sock_filter filter[] = {
	/* Numbers of another ABI mean other calls. */
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	REFUSE,
	LOAD(nr),
#ifdef __NR_epoll_wait
	MAY(epoll_wait),
#endif
	MAY(epoll_pwait),
	MAY(splice),
	MAY(recvmsg),
	MAY(recvfrom),
	MAY(sendmsg),
	MAY(sendto),
	MAY(epoll_ctl),
	MAY(accept4),
	MAY(connect),
	MAY(bind),
	MAY(getsockopt),
	MAY(setsockopt),
	MAY(shutdown),
	MAY(close),
	MAY(pipe2),
	MAY(fcntl),
	MAY(clock_gettime),
	MAY(brk),
	MAY(munmap),
	MAY(mremap),
	MAY(exit_group),
	/* To where ports lead, and not to the kernel or to programs of the host. */
	UNLESS(__NR_socket, 5),
	LOAD(args[0]),
	UNLESS(AF_INET, 1),
	ALLOW,
	UNLESS(AF_INET6, 1),
	ALLOW,
	/* Memory for data: after the above the number is no longer there to be compared. */
	LOAD(nr),
	UNLESS(__NR_mmap, 3),
	LOAD(args[2]),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
	ALLOW,
	REFUSE,
};

int port_filter_load(void)
{
	const struct sock_fprog program = {ARRAY_LEN(filter), (struct sock_filter *)filter};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

#else

int port_filter_load(void)
{
	return 0;
}

#endif
