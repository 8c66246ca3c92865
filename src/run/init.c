/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The smallest PID 1 that lets an ordinary program be PID 2: its own session, its orphans reaped,
 * and a machine that can be told to stop.
 * Zone: doomed. Runs under the payload's syscall filter;
 * from init_run() on nothing is allocated, nothing is opened after the payload runs, and nothing
 * may fail: an init that exits takes its whole namespace with it.
 *
 * All signals stay blocked and are fetched with sigtimedwait(2). A blocked signal is queued even
 * for the init of a pid namespace, from inside as from outside, where one without a handler would
 * be dropped (pid_namespaces(7)).
 */
#include "run/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"

#define STOP_TIMEOUT_SEC 90
#define STATUS_REPORTED 1   /* nothing ran, and the parent was told */
#define STATUS_ABNORMAL 255 /* the payload died by a signal, or did not want to */

/*
 * The numbers that PID 1 of a systemd host acts on; halt is the same as poweroff, kexec the same as
 * reboot.
 */
/* clang-format off */
static const struct {
	bool is_realtime;
	int number; /* counted from SIGRTMIN if realtime, which is no constant in glibc */
	enum init_action action;
} signal_actions[] = {
	{.is_realtime = true,  .number = 3,      .action = INIT_POWER_OFF}, /* halt */
	{.is_realtime = true,  .number = 4,      .action = INIT_POWER_OFF},
	{.is_realtime = true,  .number = 13,     .action = INIT_POWER_OFF}, /* halt now */
	{.is_realtime = true,  .number = 14,     .action = INIT_POWER_OFF}, /* poweroff now */
	{.is_realtime = false, .number = SIGINT, .action = INIT_REBOOT   }, /* ctrl-alt-del */
	{.is_realtime = true,  .number = 5,      .action = INIT_REBOOT   },
	{.is_realtime = true,  .number = 6,      .action = INIT_REBOOT   }, /* kexec */
	{.is_realtime = true,  .number = 15,     .action = INIT_REBOOT   }, /* reboot now */
	{.is_realtime = true,  .number = 16,     .action = INIT_REBOOT   }, /* kexec now */
};
/* clang-format on */
static_assert(ARRAY_LEN(signal_actions) == 9, "four ways to power off and five to reboot");

enum init_action init_action_for(int signal_number)
{
	for (size_t i = 0; i < ARRAY_LEN(signal_actions); i++) {
		int number =
			signal_actions[i].number + (signal_actions[i].is_realtime ? SIGRTMIN : 0);

		if (number == signal_number)
			return signal_actions[i].action;
	}
	return INIT_IGNORE;
}

/*
 * PID 2
 * ---------------------------------------------------------------------------------------------------------
 */

static void reset_signals(void)
{
	static const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < _NSIG; number++)
		(void)sigaction(number, &by_default,
				NULL); /* SIGKILL and SIGSTOP refuse, as do libc's own two */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * sd_listen_fds(3) compares this with its own pid, so the parent's guess of 1 would hide the
 * descriptors.
 */
static void correct_listen_pid(char **environment, char *buffer, size_t bytes)
{
	static const char prefix[] = "LISTEN_PID=";

	for (; *environment; environment++) {
		if (strncmp(*environment, prefix, sizeof(prefix) - 1) != 0)
			continue;
		(void)snprintf(buffer, bytes, "%s%d", prefix, getpid());
		*environment = buffer;
	}
}

/* Starts once PID 1 is what the payload may see, which the closed end of 'ready_fd' says. */
__attribute__((noreturn)) static void become_payload(const struct init_request *request,
						     int ready_fd)
{
	char listen_pid[32], nothing;
	int error;

	(void)setsid(); /* cannot fail: a new process leads no group */
	if (request->has_terminal)
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0); /* without it only job control is lost */
	correct_listen_pid(request->environment, listen_pid, sizeof(listen_pid));
	while (read(ready_fd, &nothing, 1) < 0 && errno == EINTR)
		;
	reset_signals();
	error = request->execute(request->environment, request->userdata);
	/* Only we still hold the handshake. */
	request->report(error, /* deed= */ NULL, request->userdata);
	_exit(STATUS_REPORTED);
}

/*
 * PID 1
 * ---------------------------------------------------------------------------------------------------------
 */

/*
 * The layout of our memory as the kernel keeps it (proc_pid_stat(5), fields 26 to 28 and 45 to 51),
 * of which we want to change where /proc/PID/cmdline and environ are read from.
 */
static int read_layout(struct prctl_mm_map *ret_layout)
{
	struct prctl_mm_map layout = {.exe_fd = (uint32_t)-1};
	auto_close int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char buffer[2048], *next;
	uint64_t fields[52] = {};
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, buffer, sizeof(buffer) - 1);
	if (length < 0)
		return -errno;
	buffer[length] = '\0';
	next = strrchr(buffer, ')'); /* the end of field 2; the name in it may hold anything */
	if (!next || strlen(next) < 4)
		return -EINVAL;
	next += 3; /* field 3 is a letter */
	for (size_t i = 4; i < ARRAY_LEN(fields); i++)
		fields[i] = strtoull(next, &next, 10);
	layout.start_code = fields[26];
	layout.end_code = fields[27];
	layout.start_stack = fields[28];
	layout.start_data = fields[45];
	layout.end_data = fields[46];
	layout.start_brk = fields[47];
	layout.brk = (uint64_t)(uintptr_t)sbrk(0);
	layout.arg_start = fields[48];
	layout.arg_end = fields[49];
	layout.env_start = fields[50];
	layout.env_end = fields[51];
	*ret_layout = layout;
	return layout.arg_start && layout.env_start ? 0 : -EINVAL;
}

/* Puts 'text' where an old one was, as far as that reaches; zeros follow it. */
static void overwrite(uint64_t start, uint64_t end, const char *text, size_t bytes)
{
	size_t room = end - start, used = bytes < room ? bytes : room;
	char *old = (char *)(uintptr_t)start;

	explicit_bzero(old, room);
	if (used == 0)
		return;
	memcpy(old, text, used);
	old[used - 1] =
		'\0'; /* without it a reader of the command line goes on into the environment */
}

/*
 * Hides the host's command line and environment, and shows the guest what it expects of its PID 1
 * instead. The old texts are wiped and the kernel is pointed to ours (prctl(2), PR_SET_MM_MAP:
 * needs no privilege, but a kernel with CONFIG_CHECKPOINT_RESTORE); where it declines, ours are put
 * into the place of the old ones. Both must live on the stack: procfs shows anonymous memory only.
 */
static void show_as_init(const char *name, const char *environment, size_t bytes)
{
	struct prctl_mm_map old = {}, new;

	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	if (read_layout(&old) < 0)
		return; /* no /proc: then nobody can look either */
	overwrite(old.arg_start, old.arg_end, name, strlen(name) + 1);
	overwrite(old.env_start, old.env_end, environment, bytes);
	new = old;
	new.arg_start = (uint64_t)(uintptr_t)name;
	new.arg_end = new.arg_start + strlen(name) + 1;
	new.env_start = (uint64_t)(uintptr_t)environment;
	new.env_end = new.env_start + bytes;
	(void)prctl(PR_SET_MM, PR_SET_MM_MAP, &new, sizeof(new), 0);
}

/*
 * Of what we have. A payload that is not root, or lost CAP_SYS_BOOT, has a stub that cannot reboot
 * but exits.
 */
static void keep_only_own_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
	const uint32_t wanted = UINT32_C(1) << CAP_KILL | UINT32_C(1) << CAP_SYS_BOOT;

	(void)syscall(SYS_capget, &header,
		      sets); /* on failure all are zero, which is what we then get */
	sets[0] = (struct __user_cap_data_struct){.permitted = sets[0].permitted & wanted};
	sets[0].effective = sets[0].permitted;
	sets[1] = (struct __user_cap_data_struct){};
	(void)syscall(SYS_capset, &header, sets); /* giving up what one has is always allowed */
}

/*
 * Reaps all that died. True once the payload is among them; *ret_status is then the stub's exit
 * status.
 */
static bool reap(pid_t payload, int *ret_status)
{
	bool payload_is_gone = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != payload)
			continue;
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_ABNORMAL;
		payload_is_gone = true;
	}
	return payload_is_gone;
}

/*
 * SIGHUP too, as an interactive shell ignores SIGTERM; SIGCONT, as a stopped process acts on
 * neither.
 */
static void ask_to_stop(pid_t payload)
{
	(void)kill(payload, SIGTERM);
	(void)kill(payload, SIGCONT);
	(void)kill(payload, SIGHUP);
}

/* Until the end of a stop, in whole seconds. */
static struct timespec time_left(const struct timespec *end)
{
	struct timespec now = {};

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (struct timespec){.tv_sec = end->tv_sec > now.tv_sec ? end->tv_sec - now.tv_sec : 0};
}

/*
 * Lives until the payload is gone, or would not go in time. Returns the exit status, and how the
 * machine ends.
 */
static int supervise(pid_t payload, enum init_action *ret_end)
{
	enum init_action end = INIT_IGNORE, action;
	struct timespec deadline = {}, left;
	int status = STATUS_ABNORMAL, number;
	sigset_t all;

	(void)sigfillset(&all);
	while (!reap(payload, &status)) {
		if (end == INIT_IGNORE) {
			number = sigtimedwait(&all, NULL, NULL);
		} else {
			left = time_left(&deadline);
			number = sigtimedwait(&all, NULL, &left);
			if (number < 0 && errno == EAGAIN && time_left(&deadline).tv_sec == 0)
				break;
		}
		action = number > 0 ? init_action_for(number) : INIT_IGNORE;
		if (action == INIT_IGNORE || end != INIT_IGNORE)
			continue;
		end = action;
		(void)clock_gettime(CLOCK_MONOTONIC, &deadline);
		deadline.tv_sec += STOP_TIMEOUT_SEC;
		ask_to_stop(payload);
	}
	*ret_end = end;
	return status;
}

static int report_failure(const struct init_request *request, int error, const char *deed)
{
	request->report(error, deed, request->userdata);
	return STATUS_REPORTED;
}

/*
 * All of them, before the payload runs: with CAP_SYS_PTRACE it could take them from us. A pipe's
 * reader shall find the end when the payload is gone, and the parent that of the handshake when it
 * is executed. The last one that the payload waits for says GO.
 */
static void close_everything(void)
{
	if (close_range(0, ~0U, 0) == 0)
		return;
	/* The user's own filter may decline the call; what is open then is what the payload got. */
	for (int fd = 0; fd < 1024; fd++)
		(void)close(fd); /* not ours to write to */
}

static int be_init(const struct init_request *request, pid_t payload)
{
	char name[] = "(sd-stubinit)"; /* what users of systemd look for */
	char environment[256];
	enum init_action end;
	int status, length;

	/* Both strings end in NUL, as in a real environment. */
	length =
		snprintf(environment, sizeof(environment), "container=%.128s%ccontainer_uuid=%.64s",
			 request->service, '\0', request->uuid);
	show_as_init(name, environment, (size_t)length + 1);
	keep_only_own_capabilities();
	if (request->confine) {
		int r = request->confine(request->userdata);

		if (r < 0)
			return report_failure(request, r, /* sentence= */ NULL);
	}
	close_everything();
	status = supervise(payload, &end);
	/*
	 * Here the kernel kills what is left and tells the parent by the signal that we seem to die
	 * of (reboot(2)).
	 */
	if (end != INIT_IGNORE)
		(void)reboot(end == INIT_REBOOT ? RB_AUTOBOOT : RB_POWER_OFF);
	return status;
}

int init_run(const struct init_request *request)
{
	int ready[2];
	sigset_t all;
	pid_t payload;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	/*
	 * Before the fork: a session that still has the terminal would keep the payload's from
	 * getting it.
	 */
	if (request->has_terminal)
		(void)ioctl(STDIN_FILENO, TIOCNOTTY);
	if (pipe2(ready, O_CLOEXEC) < 0)
		return report_failure(request, -errno, "make a pipe");
	payload = fork();
	if (payload < 0)
		return report_failure(request, -errno, "fork");
	if (payload > 0)
		return be_init(request, payload);
	/* Our copy of the other end would keep the end of file from us. */
	(void)close(ready[1]);
	become_payload(request, ready[0]);
}
