/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stub init as PID 1 of a real pid namespace, with a shell as its payload.
 */
#include "run/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define SKIPPED 77
#define KILL_AND_SYS_BOOT "CapPrm:\t0000000000400020\n"

static bool in_user_namespace;

static int run_shell(char *const *environment, void *userdata)
{
	const char *script = userdata;
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};

	if (!script)
		return -ENOENT;
	(void)execve("/bin/sh", argv, environment);
	return -errno;
}

static int report_fd = -EBADF;

static void report(int error, const char *sentence, void *userdata)
{
	(void)userdata;
	(void)dprintf(report_fd, "%d %s", error, sentence ? sentence : "told already");
}

/*
 * Starts the stub; standard input is 'input_fd'. Its pid, or negative. Its handshake is the pipe
 * behind 'say_fd'.
 */
static pid_t start(const char *script, int input_fd, int say_fd)
{
	struct clone_args arguments = {.flags = CLONE_NEWPID |
						(in_user_namespace ? CLONE_NEWUSER : 0),
				       .exit_signal = SIGCHLD};
	char *environment[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LISTEN_FDS=1",
			       (char *)"LISTEN_PID=1", NULL};
	struct init_request request = {
		.service = "systemd-nspawn",
		.uuid = "0123456789abcdef0123456789abcdef",
		.environment = environment,
		.has_terminal = input_fd >= 0,
		.execute = run_shell,
		.report = report,
		.userdata = (void *)(uintptr_t)script,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid != 0)
		return pid;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setsid();
	if (input_fd >= 0 && (dup2(input_fd, 0) < 0 || ioctl(0, TIOCSCTTY, 0) < 0))
		_exit(99);
	report_fd = say_fd;
	_exit(init_run(&request));
}

static int wait_for(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static int status_of(const char *script)
{
	int status = wait_for(start(script, -EBADF, -EBADF));

	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/*
 * Starts and waits for the exec, which shows in the end of the handshake, and that the shell has
 * set its traps.
 */
static pid_t start_and_wait(const char *script)
{
	int ends[2];
	char text[64];
	pid_t pid;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	pid = start(script, -EBADF, ends[1]);
	(void)close(ends[1]);
	CHECK(read(ends[0], text, sizeof(text)) == 0);
	(void)close(ends[0]);
	(void)usleep(100000);
	return pid;
}

static size_t read_proc(pid_t pid, const char *file, char *ret_text, size_t bytes)
{
	char path[64];
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = read(fd, ret_text, bytes - 1);
	(void)close(fd);
	ret_text[length > 0 ? length : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

static void test_table(void)
{
	int stops = 0;

	for (int number = 1; number <= SIGRTMAX; number++)
		stops += init_action_for(number) != INIT_IGNORE;
	CHECK(stops == 9);
	CHECK(init_action_for(SIGRTMIN + 3) == INIT_POWER_OFF);
	CHECK(init_action_for(SIGRTMIN + 4) == INIT_POWER_OFF);
	CHECK(init_action_for(SIGRTMIN + 13) == INIT_POWER_OFF);
	CHECK(init_action_for(SIGRTMIN + 14) == INIT_POWER_OFF);
	CHECK(init_action_for(SIGINT) == INIT_REBOOT);
	CHECK(init_action_for(SIGRTMIN + 5) == INIT_REBOOT);
	CHECK(init_action_for(SIGRTMIN + 6) == INIT_REBOOT);
	CHECK(init_action_for(SIGRTMIN + 15) == INIT_REBOOT);
	CHECK(init_action_for(SIGRTMIN + 16) == INIT_REBOOT);
	CHECK(init_action_for(SIGTERM) == INIT_IGNORE);
	CHECK(init_action_for(SIGCHLD) == INIT_IGNORE);
}

static void test_status(void)
{
	CHECK(status_of("exit 0") == 0);
	CHECK(status_of("exit 7") == 7);
	CHECK(status_of("exit 255") == 255);
	CHECK(status_of("kill -KILL $$") == 255);
	CHECK(status_of("[ $$ = 2 ] && [ \"$LISTEN_PID\" = 2 ] && [ \"$LISTEN_FDS\" = 1 ]") == 0);
	CHECK(status_of("grep -q 'SigBlk:.0000000000000000' /proc/self/status") == 0);
	CHECK(status_of("grep -q 'SigIgn:.0000000000000000' /proc/self/status") == 0);
	/* What is left behind ends with the payload. */
	CHECK(status_of("sleep 1000 & exit 3") == 3);
}

static void test_failure_is_reported(void)
{
	char text[256] = "";
	int ends[2], status;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	status = wait_for(start(NULL, -EBADF, ends[1]));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	(void)close(ends[1]);
	CHECK(read(ends[0], text, sizeof(text) - 1) > 0);
	CHECK_TEXT(text, "-2 told already");
	(void)close(ends[0]);
}

static void test_appearance(void)
{
	static const char expected[] =
		"container=systemd-nspawn\0container_uuid=0123456789abcdef0123456789abcdef";
	pid_t pid = start_and_wait("sleep 10");
	char text[8192];
	size_t length;

	length = read_proc(pid, "environ", text, sizeof(text));
	CHECK(length == sizeof(expected) && memcmp(text, expected, sizeof(expected)) == 0);
	length = read_proc(pid, "cmdline", text, sizeof(text));
	CHECK_TEXT(text, "(sd-stubinit)");
	CHECK(length == sizeof("(sd-stubinit)"));
	(void)read_proc(pid, "comm", text, sizeof(text));
	CHECK_TEXT(text, "(sd-stubinit)\n");
	(void)read_proc(pid, "status", text, sizeof(text));
	CHECK(strstr(text, KILL_AND_SYS_BOOT));
	(void)snprintf(text, sizeof(text), "[ -z \"$(ls /proc/%d/fd)\" ]", pid);
	CHECK(system(text) == 0);
	CHECK(kill(pid, SIGKILL) == 0);
	(void)wait_for(pid);
}

/*
 * How the namespace ends after 'signal_number' to its init: the signal that reboot(2) makes of it.
 */
static int end_after(const char *script, int signal_number)
{
	pid_t pid = start_and_wait(script);
	int status;

	CHECK(kill(pid, signal_number) == 0);
	status = wait_for(pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void test_stop(void)
{
	static const char stubborn[] = "trap '' TERM; while :; do sleep 0.02; done";

	CHECK(end_after("sleep 1000", SIGRTMIN + 3) == SIGINT);
	CHECK(end_after("sleep 1000", SIGRTMIN + 14) == SIGINT);
	CHECK(end_after("sleep 1000", SIGINT) == SIGHUP);
	CHECK(end_after("sleep 1000", SIGRTMIN + 16) == SIGHUP);
	/* A shell that does not mind SIGTERM, and a stopped process. */
	CHECK(end_after(stubborn, SIGRTMIN + 4) == SIGINT);
	CHECK(end_after("kill -STOP $$", SIGRTMIN + 4) == SIGINT);
	/* The status of a payload that obeys does not matter. */
	CHECK(end_after("trap 'exit 9' TERM; while :; do sleep 0.02; done", SIGRTMIN + 5) ==
	      SIGHUP);
	/* From inside, 38 is SIGRTMIN+4. */
	CHECK(end_after("kill -38 1; sleep 1000", SIGWINCH) == SIGINT);
	/* Nothing else concerns it. */
	CHECK(end_after("sleep 0.3; exit 5", SIGTERM) == -5);
	CHECK(end_after("sleep 0.3; exit 5", SIGHUP) == -5);
	CHECK(end_after("sleep 0.3; exit 5", SIGRTMIN) == -5);
	CHECK(end_after("kill -TERM 1; kill -KILL 1; sleep 0.2; exit 6", SIGUSR1) == -6);
}

static void test_orphans(void)
{
	pid_t pid = start_and_wait("for i in 1 2 3 4; do (sleep 0.01 &) ; done; exec sleep 10");
	char path[64], text[256], *rest;

	(void)snprintf(path, sizeof(path), "task/%d/children", pid);
	/* On a busy machine they take their time to end. */
	for (int tries = 0; tries < 200; tries++) {
		(void)usleep(50000);
		(void)read_proc(pid, path, text, sizeof(text));
		(void)strtol(text, &rest, 10);
		if (rest != text && strcmp(rest, " ") == 0)
			break;
	}
	CHECK(rest != text);
	CHECK_TEXT(rest, " ");
	CHECK(kill(pid, SIGKILL) == 0);
	(void)wait_for(pid);
}

static void test_terminal(void)
{
	int master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal_fd, unlocked = 0,
	    status;

	CHECK(master_fd >= 0 && ioctl(master_fd, TIOCSPTLCK, &unlocked) == 0);
	terminal_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(terminal_fd >= 0);
	status = wait_for(start(": </dev/tty && [ -t 0 ] && exit 8", terminal_fd, -EBADF));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 8);
	(void)close(terminal_fd);
	(void)close(master_fd);
}

static void test_stub(void)
{
	test_status();
	test_failure_is_reported();
	test_appearance();
	test_stop();
	test_orphans();
	test_terminal();
}

static bool has_user_namespaces(void)
{
	struct clone_args arguments = {.flags = CLONE_NEWPID | CLONE_NEWUSER,
				       .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

int main(void)
{
	bool can_use_user_namespace = has_user_namespaces();

	test_table();
	if (geteuid() == 0)
		test_stub();
	in_user_namespace = true;
	if (can_use_user_namespace)
		test_stub();
	if (check_failures == 0 && geteuid() != 0 && !can_use_user_namespace)
		return SKIPPED;
	return check_result();
}
