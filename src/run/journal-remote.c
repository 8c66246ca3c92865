/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts and ends the receiver. It reads what the machine says, so it gets little to do harm with:
 * no network, a file system where only its output can be written, no new privileges.
 * Zone: owing; doomed between clone and exec.
 */
#include "run/journal-remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "host/places.h"
#include "run/journal-receiver.h"

/* A receiver that has read everything until then may still write it. */
#define DRAIN_MSEC 2000
#define STOP_MSEC 2000
#define COMPLAINTS_MAX 5

const char *journal_remote_socket(struct arena *arena, const struct places *places,
				  const char *machine)
{
	return arena_format(arena, "%s/%s/socket", places->journals, machine);
}

/* --- The socket --- */

/* The directory and its parents, mode 0755. Returns 1 if it is new. */
static int make_directories(const char *path)
{
	char parent[PATH_MAX];

	for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	if (mkdir(path, 0755) == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}

/* What is written in the middle of all the time fares badly with copy-on-write (btrfs(5)). */
static void avoid_copies(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= FS_NOCOW_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		debug("'%s' is on a file system that has copy-on-write for all or for nothing",
		      path);
}

static void remove_socket(void *argument)
{
	struct journal_remote *remote = argument;

	(void)unlink(remote->socket);
	(void)rmdir(remote->directory);
	(void)rmdir(remote->parent); /* empty unless another machine has something in it */
}

int journal_remote_clean(struct arena *arena, const struct places *places, const char *machine)
{
	struct journal_remote remote = {
		.parent = places->journals,
		.directory = arena_format(arena, "%s/%s", places->journals, machine),
		.socket = journal_remote_socket(arena, places, machine),
	};
	bool was_there = access(remote.directory, F_OK) == 0;

	remove_socket(&remote);
	if (was_there && access(remote.directory, F_OK) == 0)
		return fail(-ENOTEMPTY, "Cannot remove the directory '%s'", remote.directory);
	return was_there;
}

/*
 * For root only: whoever can speak to the receiver can say anything in anybody's name, which a
 * journald inside does not let its clients do.
 */
static int bind_private(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	/* The file of a socket takes this mode. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	(void)unlink(path);
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int listen_at(const char *path, int *ret_fd)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	TRY(bind_private(fd, path));
	if (listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = steal_fd(fd);
	return 0;
}

/* --- The end --- */

static int msec_until(const struct timespec *deadline)
{
	struct timespec now;
	long left;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left = (deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec) / 1000000;
	return left < 0 ? 0 : (int)left;
}

static struct timespec deadline_in(int msec)
{
	struct timespec deadline;

	(void)clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += msec / 1000;
	return deadline;
}

/* How many sockets the receiver has: the one it listens at, and one for each connection. */
static size_t count_sockets(pid_t pid)
{
	char path[64], text[64];
	auto_closedir DIR *directory = NULL;
	size_t count = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, text, sizeof(text));

		if (length > 7 && memcmp(text, "socket:", 7) == 0)
			count++;
	}
	return count;
}

/*
 * The last sentences of a machine are the interesting ones, and a receiver that is told to end does
 * so at once. As it accepts in order, it has accepted all others when it hangs up on us; when it
 * has hung up on those too, it has read all they said.
 */
static void drain(const struct journal_remote *remote)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timespec deadline = deadline_in(DRAIN_MSEC), pause = {.tv_nsec = 2000000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	(void)strcpy(address.sun_path, remote->socket);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    shutdown(fd, SHUT_WR) < 0 || poll(&wait, 1, msec_until(&deadline)) != 1)
		return;
	while (count_sockets(remote->pid) > 1 && msec_until(&deadline) > 0)
		(void)nanosleep(&pause, NULL);
}

/*
 * What it complains of has words of the machine in it, which must not reach a terminal as they are:
 * so it complains to us, and we say it.
 */
static void pass_complaints_on(struct journal_remote *remote)
{
	char text[4096], *rest = text, *line;
	ssize_t length = read(remote->said_fd, text, sizeof(text) - 1);

	if (length > 0) {
		text[length] = '\0';
		for (int count = 0; count < COMPLAINTS_MAX && (line = strsep(&rest, "\n"));)
			if (*line) {
				warn(0, "The receiver of the journal says: %s", line);
				count++;
			}
	}
	scope_close(&remote->said_fd);
	remote->said_fd = -EBADF;
}

static void reap(struct journal_remote *remote)
{
	pidfd_wait(remote->pidfd);
	scope_close(&remote->pidfd);
	remote->pidfd = -EBADF;
	pass_complaints_on(remote);
}

static void stop(void *argument)
{
	struct journal_remote *remote = argument;
	struct pollfd wait = {.fd = remote->pidfd, .events = POLLIN};

	if (remote->pidfd < 0)
		return;
	drain(remote);
	(void)syscall(SYS_pidfd_send_signal, remote->pidfd, SIGTERM, NULL, 0);
	if (poll(&wait, 1, STOP_MSEC) != 1) {
		warn(0, "The receiver of the journal does not end, killing it");
		(void)syscall(SYS_pidfd_send_signal, remote->pidfd, SIGKILL, NULL, 0);
	}
	reap(remote);
}

void journal_remote_lost(struct journal_remote *remote)
{
	warn(0,
	     "The receiver of the journal ended early, what machine '%s' logs from now on is lost",
	     remote->machine);
	reap(remote);
}

/* --- The beginning --- */

/* Named by what the user gave: the file, or the directory. */
static int make_output(const struct config *config, struct journal_receiver *receiver)
{
	const char *path = config->forward_journal, *slash = strrchr(path, '/');
	int r;

	receiver->output = path;
	receiver->output_is_file = journal_output_is_file(path);
	if (receiver->output_is_file && slash > path)
		(void)snprintf(receiver->directory, sizeof(receiver->directory), "%.*s",
			       (int)(slash - path), path);
	else
		(void)snprintf(receiver->directory, sizeof(receiver->directory), "%s",
			       receiver->output_is_file ? "/" : path);
	r = make_directories(receiver->directory);
	if (r > 0)
		avoid_copies(receiver->directory);
	return r < 0 ? fail(r, "Cannot make the directory '%s' for the journal",
			    receiver->directory)
		     : 0;
}

static int make_socket(struct journal_remote *remote, struct undo *undo, int *ret_fd)
{
	int r = make_directories(remote->directory);

	undo_push(undo, remove_socket, remote, "socket of the journal");
	if (r >= 0 && chmod(remote->directory, 0700) < 0)
		r = -errno;
	if (r >= 0)
		r = listen_at(remote->socket, ret_fd);
	return r < 0 ? fail(r, "Cannot make the socket '%s' for the journal", remote->socket) : 0;
}

int journal_remote_start(struct arena *arena, const struct config *config,
			 const struct places *places, const char *machine,
			 struct journal_remote *ret, struct undo *undo)
{
	struct journal_receiver receiver = {.config = config, .machine = machine};
	auto_close int listen_fd = -EBADF, in_fd = -EBADF, out_fd = -EBADF;
	int said[2];

	*ret = (struct journal_remote){.machine = machine, .pidfd = -EBADF, .said_fd = -EBADF};
	if (!config->forward_journal)
		return 0;
	TRY(journal_receiver_find(&receiver));
	TRY(make_output(config, &receiver));
	ret->parent = places->journals;
	ret->directory = arena_format(arena, "%s/%s", places->journals, machine);
	ret->socket = journal_remote_socket(arena, places, machine);
	TRY(make_socket(ret, undo, &listen_fd));
	receiver.listen_fd = listen_fd;
	/* Without waiting: what does not fit is lost, rather than that it stops receiving. */
	if (pipe2(said, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(-errno, "Cannot start '%s'", receiver.program);
	in_fd = said[0];
	receiver.said_fd = out_fd = said[1];
	TRY(journal_receiver_run(&receiver, &ret->pid, &ret->pidfd));
	ret->said_fd = steal_fd(in_fd);
	undo_push(undo, stop, ret, "receiver of the journal");
	return 0;
}
