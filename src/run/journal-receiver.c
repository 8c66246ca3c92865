/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Becomes systemd-journal-remote(8), in a place where little is left to do harm with.
 * Zone: owing; doomed between clone and exec, where an errno goes through a pipe and the parent has
 * the sentence.
 */
#include "run/journal-receiver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "mount/detached.h"
#include "mount/mount-plan.h"

/* The first that takes limits from its configuration (journal-remote.conf(5)). */
#define VERSION_WITH_LIMITS 253

/* Ours to mount over: hides the host's manager from the receiver, too. */
#define RUNTIME "/run/systemd"
#define DROP_INS RUNTIME "/journal-remote.conf.d"

static const char *const programs[] = {
	"/usr/lib/systemd/systemd-journal-remote",
	"/lib/systemd/systemd-journal-remote",
};

bool journal_output_is_file(const char *path)
{
	size_t length = strlen(path), suffix = strlen(".journal");

	return length > suffix && strcmp(path + length - suffix, ".journal") == 0 &&
	       path[length - suffix - 1] != '/';
}

int journal_version_parse(const char *text)
{
	long version;
	char *end;

	if (strncmp(text, "systemd ", 8) != 0)
		return -EINVAL;
	errno = 0;
	version = strtol(text + 8, &end, 10);
	return errno != 0 || end == text + 8 || version < 1 || version > 100000 ? -EINVAL
										: (int)version;
}

/* --- What is there --- */

/* The descriptors end with the exec or with this program; 'out_fd' becomes its output. */
static void say_version(const char *program, int out_fd)
{
	char *const arguments[] = {(char *)"systemd-journal-remote", (char *)"--version", NULL};
	char *const environment[] = {NULL};

	if (dup2(out_fd, STDOUT_FILENO) >= 0)
		(void)execve(program, arguments, environment);
	_exit(EXIT_FAILURE);
}

static int find_version(const char *program)
{
	auto_close int in_fd = -EBADF, out_fd = -EBADF;
	auto_free char *text = NULL;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	in_fd = fds[0];
	out_fd = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		say_version(program, out_fd);
	scope_close(&out_fd);
	out_fd = -EBADF;
	r = fd_read_all(in_fd, 65536, &text, NULL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : journal_version_parse(text);
}

static bool has_limits(const struct config *config)
{
	return config->forward_journal_max_use || config->forward_journal_keep_free ||
	       config->forward_journal_max_file_size || config->forward_journal_max_files;
}

int journal_receiver_find(struct journal_receiver *receiver)
{
	int version;

	for (size_t i = 0; i < ARRAY_LEN(programs) && !receiver->program; i++)
		if (access(programs[i], X_OK) == 0)
			receiver->program = programs[i];
	if (!receiver->program) {
		(void)refuse(
			ENOENT,
			"Option '--forward-journal' needs the program systemd-journal-remote, which is not installed");
		hint("Install the package systemd-journal-remote");
		return -ENOENT;
	}
	if (!has_limits(receiver->config))
		return 0;
	version = find_version(receiver->program);
	if (version < 0)
		return fail(version, "Cannot learn the version of '%s'", receiver->program);
	if (version < VERSION_WITH_LIMITS)
		return refuse(
			EOPNOTSUPP,
			"Limits of a forwarded journal need systemd-journal-remote %d, and here is %d",
			VERSION_WITH_LIMITS, version);
	return 0;
}

/* --- A place for it --- */

static int write_limits(const struct config *config)
{
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"MaxUse", config->forward_journal_max_use},
		{"KeepFree", config->forward_journal_keep_free},
		{"MaxFileSize", config->forward_journal_max_file_size},
		{"MaxFiles", config->forward_journal_max_files},
	};
	auto_fclose FILE *file = fopen(DROP_INS "/zz-nspawn.conf", "wxe");

	if (!file)
		return -errno;
	(void)fputs("[Remote]\n", file);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].value > 0)
			(void)fprintf(file, "%s=%" PRIu64 "\n", rows[i].key, rows[i].value);
	return fflush(file) == 0 ? 0 : -EIO;
}

/* Only its configuration knows of limits, so it gets one of its own, over the host's runtime files.
 */
static int hide_runtime(const struct config *config)
{
	if (mount("tmpfs", RUNTIME, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755,size=64k") < 0)
		return -errno;
	if (!has_limits(config))
		return 0;
	if (mkdir(DROP_INS, 0755) < 0)
		return -errno;
	return write_limits(config);
}

/* A view of the file system in which nothing can be written but the output. */
static int seal_files(const struct journal_receiver *receiver)
{
	auto_close int output_fd = open_tree(AT_FDCWD, receiver->directory,
					     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	auto_close int root_fd = -EBADF;

	if (output_fd < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return -errno;
	TRY(hide_runtime(receiver->config));
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	TRY(detached_set_flags(root_fd, MOUNT_FLAG_READ_ONLY, /* recursive= */ true));
	return move_mount(output_fd, "", AT_FDCWD, receiver->directory, MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/* As root it gets by its exec what the bounding set has: enough to write to anybody's directory. */
static int drop_rights(void)
{
	for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if (number != CAP_DAC_OVERRIDE && number != CAP_FOWNER &&
		    prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/*
 * Its own session: a key that stops us must not end it before the machine. SIGTERM, should we die:
 * it then finishes its files.
 */
static int settle(const struct journal_receiver *receiver, pid_t parent)
{
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		return -errno;
	if (getppid() != parent)
		return -ESRCH;
	(void)setsid();
	(void)umask(0022);
	(void)sigemptyset(&none);
	(void)signal(SIGPIPE, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -errno;
	/* It calls its files after the host that speaks to it. */
	if (sethostname(receiver->machine, strlen(receiver->machine)) < 0)
		return -errno;
	return 0;
}

/* The socket is number 3, as sd_listen_fds(3) wants; nothing else of ours goes along. */
static int arrange_fds(int listen_fd, int said_fd, int error_fd)
{
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int listen_high = fcntl(listen_fd, F_DUPFD_CLOEXEC, 16);
	int error_high = fcntl(error_fd, F_DUPFD_CLOEXEC, 16);
	int said_high = fcntl(said_fd, F_DUPFD_CLOEXEC, 16);

	if (null_fd < 0 || listen_high < 0 || error_high < 0 || said_high < 0 ||
	    dup2(null_fd, STDIN_FILENO) < 0 || dup2(said_high, STDOUT_FILENO) < 0 ||
	    dup2(said_high, STDERR_FILENO) < 0 || dup2(listen_high, 3) < 0 ||
	    dup3(error_high, 4, O_CLOEXEC) < 0)
		return -errno;
	(void)steal_fd(null_fd);
	return close_range(5, ~0U, 0) < 0 ? -errno : 4;
}

static int execute(const struct journal_receiver *receiver)
{
	char output[PATH_MAX + 16], listen_pid[32];
	char *const arguments[] = {
		(char *)"systemd-journal-remote",
		output,
		receiver->output_is_file ? (char *)"--split-mode=none"
					 : (char *)"--split-mode=host",
		NULL,
	};
	char *const environment[] = {
		(char *)"PATH=/usr/bin:/bin",
		(char *)"LANG=C.UTF-8",
		(char *)"SYSTEMD_LOG_TARGET=console",
		(char *)"SYSTEMD_LOG_LEVEL=warning",
		(char *)"LISTEN_FDS=1",
		listen_pid,
		NULL,
	};

	(void)snprintf(output, sizeof(output), "--output=%s", receiver->output);
	(void)snprintf(listen_pid, sizeof(listen_pid), "LISTEN_PID=%d", getpid());
	(void)execve(receiver->program, arguments, environment);
	return -errno;
}

/* Only returns on failure. */
static int become(const struct journal_receiver *receiver, pid_t parent, int *error_fd)
{
	TRY(settle(receiver, parent));
	TRY(seal_files(receiver));
	*error_fd = arrange_fds(receiver->listen_fd, receiver->said_fd, *error_fd);
	TRY(*error_fd);
	TRY(drop_rights());
	return execute(receiver);
}

static pid_t clone_receiver(int *ret_pidfd)
{
	struct clone_args arguments = {
		.flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	return pid < 0 ? -errno : (pid_t)pid;
}

static void wait_for(int *pidfd)
{
	pidfd_wait(*pidfd);
	scope_close(pidfd);
	*pidfd = -EBADF;
}

int journal_receiver_run(const struct journal_receiver *receiver, pid_t *ret_pid, int *ret_pidfd)
{
	auto_close int in_fd = -EBADF, out_fd = -EBADF;
	pid_t pid, parent = getpid();
	int fds[2], pidfd = -EBADF, error = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(-errno, "Cannot start '%s'", receiver->program);
	in_fd = fds[0];
	out_fd = fds[1];
	pid = clone_receiver(&pidfd);
	if (pid < 0)
		return fail(pid, "Cannot start '%s'", receiver->program);
	if (pid == 0) {
		error = become(receiver, parent, &out_fd);
		(void)!write(out_fd, &error, sizeof(error));
		_exit(EXIT_FAILURE);
	}
	scope_close(&out_fd);
	out_fd = -EBADF;
	/* Its end is closed by the exec. */
	if (read(in_fd, &error, sizeof(error)) == sizeof(error)) {
		wait_for(&pidfd);
		return fail(error, "Cannot start '%s'", receiver->program);
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}
