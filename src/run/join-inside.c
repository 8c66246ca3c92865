/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Enters a running machine, gives up what its processes must not have, and only then makes the one
 * that is seen there. On failure: the sentence goes through the handshake, then FAILED, then
 * _exit(2).
 *
 * The machine is hostile and runs beside us. It cannot see the joiner, which is in no PID namespace
 * of its; every path is opened in-root and without magic links, after the mounts are the machine's;
 * the command's process has no descriptor but the three it runs with, and the socket.
 * Zone: doomed.
 */
#include "run/join-inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "confine/syscalls.h"
#include "confine/users.h"
#include "run/environment.h"
#include "run/join-last.h"
#include "run/join-leader.h"
#include "run/join-login.h"
#include "run/join-user.h"
#include "run/program.h"

struct joiner {
	struct join_inside *inside;
	const struct join_request *request;
	struct user_identity user;
	struct strings environment;
	struct stat host_root;
	enum join_kind kind;
	const char *const *words;
	bool groups_are_fixed; /* who has one id only may not choose them */
	int root_fd, master_fd, slave_fd;
};

__attribute__((noreturn)) static void give_up(struct join_inside *inside, int status)
{
	(void)handshake_say(&inside->handshake, HANDSHAKE_FAILED, NULL);
	_exit(status);
}

/* --- Outside --- */

/* Changing ids clears both (prctl(2)). */
static int stay_tied(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(-errno, "Cannot tie the command's life to ours");
	return 0;
}

static int be_born(struct joiner *joiner)
{
	sigset_t none;

	(void)close(joiner->inside->client_fd);
	for (int number = 1; number <= SIGSYS; number++)
		(void)signal(number, SIG_DFL);
	log_set_sink(handshake_log_sink, &joiner->inside->handshake);
	/* Our own files in /proc stay ours for a while: nobody in the machine sees us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(-errno, "Cannot tie the command's life to ours");
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(0022);
	return 0;
}

/* Keys and audit session of whoever calls us are not the command's, as with process 1. */
static void leave_login_session(int proc_fd)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		debug("No session keyring of its own for the command");
	if (file_write(proc_fd, "self/loginuid", "4294967295") < 0)
		debug("The audit login id is not reset");
}

static int take_from_host(struct joiner *joiner)
{
	auto_close int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc_fd < 0 || stat("/", &joiner->host_root) < 0)
		return fail(-errno, "Cannot look at machine '%s'", joiner->request->machine->name);
	leave_login_session(proc_fd);
	return join_leader_take(joiner->inside->pid, proc_fd);
}

/* --- Entering --- */

static int explain_setns(int r, const char *machine)
{
	if (r == -ESRCH)
		return refuse(ESRCH, "Machine '%s' has just ended", machine);
	(void)fail(r, "Cannot enter the namespaces of machine '%s'", machine);
	if (r == -EPERM)
		hint("Only root and who started it may");
	return r;
}

static int become_root(struct joiner *joiner)
{
	joiner->groups_are_fixed = setgroups(0, NULL) < 0;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return fail(-errno, "Cannot become root in the user namespace");
	return stay_tied();
}

/*
 * The PID namespace is only entered by what is cloned from here on. The root directory is the one
 * of the mount namespace, wherever process 1 may have moved itself.
 */
static int enter(struct joiner *joiner)
{
	const struct join_machine *machine = joiner->request->machine;
	struct stat status;

	if (setns(joiner->inside->pid_fd, joiner->inside->namespaces) < 0)
		return explain_setns(-errno, machine->name);
	if (joiner->inside->namespaces & CLONE_NEWUSER)
		TRY(become_root(joiner));
	joiner->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (joiner->root_fd < 0 || fstat(joiner->root_fd, &status) < 0)
		return fail(-errno, "Cannot look at machine '%s'", machine->name);
	if (status.st_dev == joiner->host_root.st_dev && status.st_ino == joiner->host_root.st_ino)
		return refuse(EXDEV, "The root directory of machine '%s' is the host's",
			      machine->name);
	return 0;
}

/* --- The user --- */

static const char *user_of(const struct joiner *joiner)
{
	return joiner->request->user ? joiner->request->user : "root";
}

static int find_user(struct joiner *joiner)
{
	return join_user_find(joiner->inside->arena, joiner->root_fd, user_of(joiner),
			      joiner->kind != JOIN_COMMAND, &joiner->user);
}

static void set(struct joiner *joiner, const char *name, const char *value)
{
	if (value)
		environment_set(joiner->inside->arena, &joiner->environment,
				arena_format(joiner->inside->arena, "%s=%s", name, value));
}

/* What every process of the machine has, then what goes with the terminal, then what was asked. */
static void set_environment(struct joiner *joiner)
{
	const struct join_request *request = joiner->request;

	set(joiner, "PATH", ENVIRONMENT_PATH);
	for (size_t i = 0; i < request->machine->environment.count; i++)
		environment_set(joiner->inside->arena, &joiner->environment,
				request->machine->environment.items[i]);
	set(joiner, "TERM", joiner->inside->term ? joiner->inside->term : "dumb");
	if (joiner->inside->term) {
		set(joiner, "COLORTERM", getenv("COLORTERM"));
		set(joiner, "NO_COLOR", getenv("NO_COLOR"));
	}
	if (joiner->kind == JOIN_SHELL) {
		set(joiner, "HOME", joiner->user.home);
		set(joiner, "USER", joiner->user.name);
		set(joiner, "LOGNAME", joiner->user.name);
		set(joiner, "SHELL", joiner->user.shell ? joiner->user.shell : "/bin/sh");
	}
	for (size_t i = 0; i < request->environment.count; i++)
		environment_set(joiner->inside->arena, &joiner->environment,
				request->environment.items[i]);
	environment_add_user(joiner->inside->arena, &joiner->environment, &joiner->user);
}

/* --- The streams --- */

/* Whatever the machine has mounted there: only a terminal of the kernel's own is one. */
static int open_multiplexer(int root_fd)
{
	auto_close int fd = path_open(root_fd, "/dev/pts/ptmx", O_RDWR | O_NONBLOCK, 0);
	struct statfs system;
	struct stat status;

	TRY(fd);
	if (fstatfs(fd, &system) < 0 || fstat(fd, &status) < 0)
		return -errno;
	if ((unsigned long)system.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(status.st_mode) ||
	    status.st_rdev != makedev(5, 2))
		return -ENOTTY;
	return steal_fd(fd);
}

static int open_terminal(struct joiner *joiner)
{
	int unlock = 0;

	joiner->master_fd = open_multiplexer(joiner->root_fd);
	if (joiner->master_fd < 0)
		return fail(joiner->master_fd, "Cannot make a pseudo-terminal in the machine");
	if (ioctl(joiner->master_fd, TIOCSPTLCK, &unlock) < 0)
		return fail(-errno, "Cannot make a pseudo-terminal in the machine");
	joiner->slave_fd = ioctl(joiner->master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (joiner->slave_fd < 0 || fchown(joiner->slave_fd, joiner->user.uid, (gid_t)-1) < 0)
		return fail(-errno, "Cannot make a pseudo-terminal in the machine");
	return 0;
}

static int connect_streams(struct joiner *joiner)
{
	const struct console_plan *console = &joiner->inside->console;

	for (int stream = 0; stream < 3; stream++) {
		int fd = console->stream_is_pty[stream] ? joiner->slave_fd
							: joiner->inside->streams[stream];

		if (fd != stream && dup3(fd, stream, 0) < 0)
			return fail(-errno, "Cannot connect the command to its streams");
	}
	return 0;
}

/* --- Giving up --- */

static int change_directory(struct joiner *joiner)
{
	const char *asked = joiner->request->directory;
	const char *home = joiner->kind == JOIN_SHELL ? joiner->user.home : "/";
	const char *directory = asked ? asked : home;
	auto_close int fd = path_open(joiner->root_fd, directory, O_PATH | O_DIRECTORY, 0);

	if (fd >= 0 && fchdir(fd) == 0)
		return 0;
	if (asked)
		return fail(fd < 0 ? fd : -errno,
			    "Cannot change to the directory '%s' in the machine", directory);
	if (fchdir(joiner->root_fd) < 0)
		return fail(-errno, "Cannot enter the root directory of the machine");
	return 0;
}

/*
 * Before there is a process that is seen: left are the streams, the root directory, which is the
 * command's own, the socket, and the terminal for the client.
 */
static int close_others(const struct joiner *joiner)
{
	int kept[] = {joiner->root_fd, joiner->inside->handshake.fd, joiner->master_fd,
		      joiner->inside->image_fd};
	int r = fd_close_others(3, kept, ARRAY_LEN(kept));

	return r < 0 ? fail(r, "Cannot keep descriptors from the command") : 0;
}

static int give_up_rights(struct joiner *joiner)
{
	const struct join_machine *machine = joiner->request->machine;
	struct capability_plan capabilities = machine->capabilities;
	int r;

	capabilities.groups_are_fixed = joiner->groups_are_fixed;
	if (machine->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(-errno, "Cannot set no_new_privs");
	r = capabilities_apply(&capabilities, joiner->user.uid, joiner->user.gid,
			       joiner->user.groups, joiner->user.group_count);
	if (r < 0)
		return fail(r, "Cannot give up capabilities and become the user '%s'",
			    user_of(joiner));
	return stay_tied();
}

/* --- The command's process --- */

static int execute(const struct joiner *joiner, struct join_last *last)
{
	static const char *const shells[] = {"/bin/sh", "/bin/bash", NULL};
	static const char *const nothing[] = {"-", NULL};
	const char *own[] = {joiner->user.shell, "/bin/sh", "/bin/bash", NULL};
	struct program program = {
		.root_fd = joiner->root_fd,
		.arguments = joiner->words && *joiner->words ? joiner->words : nothing,
		.environment = (char *const *)joiner->environment.items,
		.search_path = environment_get(&joiner->environment, "PATH"),
		.execute = last ? join_last_execute : NULL,
		.userdata = last,
	};

	if (program.arguments == nothing) {
		program.candidates = joiner->user.shell ? own : shells;
		program.is_login_shell = true;
	}
	return program_execute(&program);
}

/* The first of its streams that is ours. */
static int controlling_terminal(const struct joiner *joiner)
{
	for (int stream = 0; stream < 3; stream++)
		if (joiner->inside->console.stream_is_pty[stream])
			return stream;
	return -1;
}

__attribute__((noreturn)) static void give_up_execute(struct joiner *joiner, int r)
{
	give_up(joiner->inside, r == -ENOENT ? JOIN_NOT_FOUND : JOIN_CANNOT);
}

/*
 * Seen in the machine from here on. Its rights are the machine's; it cannot be looked into, as it
 * is not dumpable until the exec.
 */
__attribute__((noreturn)) static void be_command(struct joiner *joiner)
{
	const struct join_machine *machine = joiner->request->machine;
	int r = setsid() < 0 ? fail(-errno, "Cannot start a session for the command") : 0;
	int terminal = controlling_terminal(joiner);

	if (r >= 0 && terminal >= 0 && ioctl(terminal, TIOCSCTTY, 0) < 0)
		r = fail(-errno, "Cannot make the pseudo-terminal the controlling one");
	if (r >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = fail(-errno, "Cannot tie the command's life to ours");
	if (r >= 0 && machine->filter) {
		r = syscalls_load(machine->filter, machine->filter_length);
		if (r < 0)
			r = fail(r, "Cannot load the system call filter");
	}
	if (r < 0)
		give_up(joiner->inside, JOIN_FAILED);
	give_up_execute(joiner, execute(joiner, NULL));
}

/* What we cannot be seen doing: all that is left. */
__attribute__((noreturn)) static void take_last_step(struct joiner *joiner)
{
	struct join_last last = {
		.image_fd = joiner->inside->image_fd,
		.handshake_fd = joiner->inside->handshake.fd,
		.master_fd = joiner->master_fd,
		.terminal = controlling_terminal(joiner),
		.filter = joiner->request->machine->filter,
		.filter_length = joiner->request->machine->filter_length,
	};

	give_up_execute(joiner, execute(joiner, &last));
}

/* The joiner's work is done: who was made is the client's to wait for. */
__attribute__((noreturn)) static void say_joined(struct joiner *joiner, const int *passengers)
{
	_exit(handshake_say(&joiner->inside->handshake, HANDSHAKE_JOINED, passengers) < 0
		      ? EXIT_FAILURE
		      : EXIT_SUCCESS);
}

/* What the client's caller has in its environment is in our memory, too, and in its child's. */
static void wipe_caller(void)
{
	for (char **word = environ; *word; word++)
		explicit_bzero(*word, strlen(*word));
}

/* A child of the client's, like ourselves, which waits for it. */
static int make_command(struct joiner *joiner)
{
	int passengers[_PASSENGER_COUNT];
	struct clone_args arguments = {
		.flags = CLONE_PARENT | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&passengers[PASSENGER_PIDFD],
	};
	int master_fd = joiner->master_fd;
	long pid;

	if (joiner->inside->image_fd >= 0)
		take_last_step(joiner);
	passengers_none(passengers);
	passengers[PASSENGER_CONSOLE] = joiner->master_fd;
	joiner->master_fd = -EBADF;
	wipe_caller();
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid == 0) {
		scope_close(&master_fd);
		be_command(joiner);
	}
	if (pid < 0)
		return errno == ENOMEM ? refuse(ESRCH, "Machine '%s' has just ended",
						joiner->request->machine->name)
				       : fail(-errno, "Cannot make a process in machine '%s'",
					      joiner->request->machine->name);
	say_joined(joiner, passengers);
}

/* --- A login --- */

__attribute__((noreturn)) static void be_asker(struct joiner *joiner, int number)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(errno);
	_exit(-join_login_ask_systemd(joiner->inside->arena, number));
}

/*
 * Who answers may be anybody in the machine, so it is asked when we can do no more than it can; by
 * a process that systemd can see, which is in its PID namespace.
 */
static int ask_systemd(struct joiner *joiner)
{
	int number, status;
	pid_t asker;

	if (ioctl(joiner->master_fd, TIOCGPTN, &number) < 0)
		return -errno;
	wipe_caller();
	asker = fork();
	if (asker < 0)
		return -errno;
	if (asker == 0)
		be_asker(joiner, number);
	if (waitpid(asker, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}

static int ask_for_getty(struct joiner *joiner)
{
	int passengers[_PASSENGER_COUNT];
	int r = ask_systemd(joiner);

	if (r < 0) {
		/* It declined, or could not; debugging tells its words. */
		warn(r == -EREMOTEIO || r == -ECANCELED ? 0 : r,
		     "The machine's systemd gives no login prompt, asking for a login ourselves");
		return r;
	}
	passengers_none(passengers);
	passengers[PASSENGER_CONSOLE] = joiner->master_fd;
	say_joined(joiner, passengers);
}

static void find_login(struct joiner *joiner)
{
	joiner->words = join_login_command(joiner->root_fd);
	if (joiner->words)
		return;
	note("There is no login program in the machine: opening a shell of root");
	joiner->kind = JOIN_SHELL;
	set_environment(joiner);
}

static int prepare(struct joiner *joiner)
{
	TRY(be_born(joiner));
	TRY(take_from_host(joiner));
	TRY(enter(joiner));
	TRY(find_user(joiner));
	set_environment(joiner);
	if (joiner->inside->console.pty_is_needed)
		TRY(open_terminal(joiner));
	return connect_streams(joiner);
}

void join_inside(struct join_inside *inside)
{
	struct joiner joiner = {
		.inside = inside,
		.request = inside->request,
		.kind = inside->request->kind,
		.words = inside->request->words,
		.root_fd = -EBADF,
		.master_fd = -EBADF,
		.slave_fd = -EBADF,
	};

	if (prepare(&joiner) < 0 || give_up_rights(&joiner) < 0 || close_others(&joiner) < 0)
		give_up(inside, JOIN_FAILED);
	if (joiner.kind == JOIN_LOGIN && joiner.request->has_systemd)
		(void)ask_for_getty(&joiner);
	if (joiner.kind == JOIN_LOGIN)
		find_login(&joiner);
	if (change_directory(&joiner) < 0 || make_command(&joiner) < 0)
		give_up(inside, JOIN_FAILED);
	_exit(EXIT_SUCCESS);
}
