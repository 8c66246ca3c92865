/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last step into a machine whose root could write to our executable: a program of its own, so
 * small that a sealed copy of it in memory costs nothing. It makes the process that is seen there,
 * which loads the filter and executes the command; its own words and environment are the command's.
 *
 * Whoever stops it, reads it or executes it again finds nothing in it but what the machine is
 * given anyway. Without a library where we know how the kernel is called.
 * Zone: doomed.
 */
#include "run/last-step.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "run/handshake-wire.h"

/* Written to by who makes the copy, so nothing may be known of it here. */
__attribute__((section(".last_step"), aligned(4096),
	       used)) static const volatile struct last_step image = {.mark = LAST_STEP_MARK};

/* --- The kernel --- */

#if defined(__x86_64__)
static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n"
	"\tcall last_step_begin\n\thlt\n");
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n"
	"\tbl last_step_begin\n\tbrk #0\n");
#else
#define LAST_STEP_HAS_LIBRARY
#include <unistd.h>

static long call(long number, long a, long b, long c, long d)
{
	long result = syscall(number, a, b, c, d, 0);

	return result < 0 ? -errno : result;
}
#endif

__attribute__((noreturn)) static void end(int status)
{
	for (;;)
		(void)call(__NR_exit_group, status, 0, 0, 0);
}

/* --- What is said --- */

static long say(const struct handshake_head *head, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 2)];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int) * count),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS}};
	struct iovec parts[] = {
		{(void *)head, sizeof(*head)},
		{(void *)(unsigned long)image.path, image.told_bytes},
	};
	struct msghdr packet = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = count > 0 ? &control : NULL,
		.msg_controllen = count > 0 ? CMSG_SPACE(sizeof(int) * count) : 0,
	};

	for (size_t i = 0; i < count; i++)
		((int *)CMSG_DATA(&control.header))[i] = fds[i];
	return call(__NR_sendmsg, image.handshake_fd, (long)&packet, MSG_NOSIGNAL, 0);
}

/* Without a sentence: the client has those. */
__attribute__((noreturn)) static void give_up(enum last_step_fault at, long error)
{
	const struct handshake_head head = {
		.step = image.step_failed, .error = (int32_t)error, .level = (int32_t)at};

	(void)say(&head, NULL, 0);
	end(125);
}

/* --- What is done --- */

/* The filter goes last, so that it need not allow the rest. */
__attribute__((noreturn)) static void be_command(char **words, char **environment)
{
	struct sock_fprog filter = {
		.len = (unsigned short)image.filter_length,
		.filter = (struct sock_filter *)(unsigned long)image.filter,
	};
	long r = call(__NR_setsid, 0, 0, 0, 0);

	if (r < 0)
		give_up(LAST_STEP_SESSION, r);
	r = image.terminal < 0 ? 0 : call(__NR_ioctl, image.terminal, TIOCSCTTY, 0, 0);
	if (r < 0)
		give_up(LAST_STEP_TERMINAL, r);
	r = call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	if (r < 0)
		give_up(LAST_STEP_TIE, r);
	r = filter.len == 0 ? 0 : call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&filter, 0);
	if (r < 0)
		give_up(LAST_STEP_FILTER, r);
	r = call(__NR_execve, (long)image.path, (long)words, (long)environment, 0);
	give_up(LAST_STEP_EXECUTE, r);
}

/* As run/join-inside.c does where nobody could write to our executable. */
__attribute__((noreturn)) static void run(char **words, char **environment)
{
	int pidfd = -1, master_fd = image.master_fd;
	struct clone_args arguments = {.flags = CLONE_PARENT | CLONE_PIDFD,
				       .pidfd = (uint64_t)(unsigned long)&pidfd};
	int passengers[2];
	size_t count = 0;
	long pid;

	/* Who executes us once more has no socket to speak through, and gets no further. */
	if (call(__NR_fcntl, image.handshake_fd, F_SETFD, FD_CLOEXEC, 0) < 0 ||
	    call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0) < 0)
		end(125);
	pid = call(__NR_clone3, (long)&arguments, sizeof(arguments), 0, 0);
	if (pid < 0)
		give_up(LAST_STEP_CLONE, pid);
	if (pid == 0) {
		if (master_fd >= 0)
			(void)call(__NR_close, master_fd, 0, 0, 0);
		be_command(words, environment);
	}
	if (master_fd >= 0)
		passengers[count++] = master_fd;
	passengers[count++] = pidfd;
	const struct handshake_head head = {.step = image.step_joined,
					    .passengers_mask = master_fd >= 0 ? image.mask_master
									      : image.mask_alone};
	end(say(&head, passengers, count) < 0);
}

#ifdef LAST_STEP_HAS_LIBRARY
int main(int count, char **words, char **environment)
{
	(void)count;
	run(words, environment);
}
#else
__attribute__((noreturn, used)) void last_step_begin(long *stack);

/* The kernel's: how many words, the words, NULL, the environment, NULL (elf(5)). */
void last_step_begin(long *stack)
{
	run((char **)(stack + 1), (char **)(stack + 1 + stack[0] + 1));
}
#endif
