/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages over real sockets: who is heard, and what reaches the manager.
 */
#include "run/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define SKIPPED 77

static char directory[] = "/tmp/test-notify-XXXXXX";
static int manager_fd, container_fd;

static int bind_manager(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	CHECK(bind(fd, (const struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0);
	CHECK(setenv("NOTIFY_SOCKET", path, 1) == 0);
	return fd;
}

/* What the manager got, or "" for nothing. */
static const char *manager_heard(void)
{
	static char text[4096];
	ssize_t length = recv(manager_fd, text, sizeof(text) - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

/* Sends to the container's socket, with a descriptor if 'attached' is one. */
static int say(const char *text, int attached)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec content = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_name = &address,
				 .msg_namelen = sizeof(address),
				 .msg_iov = &content,
				 .msg_iovlen = 1};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	if (attached >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), &attached, sizeof(int));
	}
	r = sendmsg(fd, &message, 0) < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

/* A child of ours says 'text' and stays a zombie, so that its pid keeps its meaning. */
static pid_t say_as_child(const char *text)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(say(text, -1) == 0 ? 0 : 1);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_status == 0);
	return pid;
}

static int relay_as_leader(struct notify_relay *relay, const char *text)
{
	int heard;

	relay->leader = say_as_child(text);
	heard = notify_receive(container_fd, relay);
	CHECK(waitpid(relay->leader, NULL, 0) == relay->leader);
	return heard;
}

static void test_own_messages(void)
{
	CHECK(notify_started(42, false) == 0);
	CHECK_TEXT(manager_heard(), "STATUS=Container started.\nX_NSPAWN_LEADER_PID=42");
	CHECK(notify_started(42, true) == 0);
	CHECK_TEXT(manager_heard(), "READY=1\nSTATUS=Container started.\nX_NSPAWN_LEADER_PID=42");
	CHECK(notify_stage(NOTIFY_STAGE_STOPPING) == 0);
	CHECK_TEXT(manager_heard(), "STOPPING=1");
	CHECK(notify_stage(NOTIFY_STAGE_RESTARTING) == 0);
	CHECK_TEXT(manager_heard(), "STOPPING=1\nSTATUS=Restarting...");
	CHECK(notify_stage(NOTIFY_STAGE_TERMINATING) == 0);
	CHECK_TEXT(manager_heard(), "STOPPING=1\nSTATUS=Terminating...");
}

static void test_addresses(void)
{
	char long_path[300], path[64], abstract[64];

	(void)snprintf(path, sizeof(path), "%s", getenv("NOTIFY_SOCKET"));
	(void)close(manager_fd);
	(void)snprintf(abstract, sizeof(abstract), "@test-notify-%d", getpid());
	manager_fd = bind_manager(abstract);
	CHECK(notify_send("READY=1") == 0);
	CHECK_TEXT(manager_heard(), "READY=1");
	memset(long_path, 'x', sizeof(long_path));
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	CHECK(setenv("NOTIFY_SOCKET", long_path, 1) == 0 && notify_send("READY=1") == -EINVAL);
	CHECK(setenv("NOTIFY_SOCKET", "/", 1) == 0 && notify_send("READY=1") == -EINVAL);
	CHECK(setenv("NOTIFY_SOCKET", "vsock:2:1", 1) == 0 &&
	      notify_send("READY=1") == -EPROTONOSUPPORT);
	CHECK(setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1) == 0 &&
	      notify_send("READY=1") == -ENOENT);
	CHECK(unsetenv("NOTIFY_SOCKET") == 0 && notify_send("READY=1") == 0);
	(void)close(manager_fd);
	CHECK(unlink(path) == 0);
	manager_fd = bind_manager(path);
}

static void test_socket(void)
{
	struct stat status;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/notify", directory);
	CHECK(stat(path, &status) == 0);
	CHECK(status.st_mode == (S_IFSOCK | 0200));
	CHECK(fcntl(container_fd, F_GETFD) == FD_CLOEXEC);
}

static void test_relay(void)
{
	struct notify_relay relay = {};

	CHECK(notify_receive(container_fd, &relay) == 0);
	CHECK(relay_as_leader(&relay, "STATUS=warming up") == NOTIFY_STATUS);
	CHECK_TEXT(manager_heard(), "STATUS=Container running: warming up");
	CHECK(relay_as_leader(&relay, "X=1\nREADY=1\nMAINPID=7\n") == NOTIFY_READY);
	CHECK_TEXT(manager_heard(), "READY=1\nSTATUS=Container running.");
	CHECK(relay.ready_is_said);
	CHECK(relay_as_leader(&relay, "READY=1") == NOTIFY_READY);
	CHECK_TEXT(manager_heard(), "");
	CHECK(relay_as_leader(&relay, "READY=1\nSTATUS=up") == (NOTIFY_READY | NOTIFY_STATUS));
	CHECK_TEXT(manager_heard(), "STATUS=Container running: up");
	relay.ready_is_said = false;
	CHECK(relay_as_leader(&relay, "STATUS=up\nREADY=1") == (NOTIFY_READY | NOTIFY_STATUS));
	CHECK_TEXT(manager_heard(), "READY=1\nSTATUS=Container running: up");
	CHECK(relay_as_leader(&relay, "STOPPING=1") == NOTIFY_STOPPING);
	CHECK_TEXT(manager_heard(), "");
	CHECK(relay_as_leader(&relay, "XREADY=1\nREADY=12\nFDSTORE=1") == 0);
	CHECK_TEXT(manager_heard(), "");
	CHECK(relay_as_leader(&relay, "STATUS=\x1b[31mred\ttab") == NOTIFY_STATUS);
	CHECK_TEXT(manager_heard(), "STATUS=Container running: \\x1b[31mred\\x09tab");
}

static void test_strangers(void)
{
	struct notify_relay relay = {};
	pid_t other = say_as_child("READY=1");

	relay.leader = getpid();
	CHECK(notify_receive(container_fd, &relay) == NOTIFY_REFUSED);
	CHECK(!relay.ready_is_said);
	CHECK_TEXT(manager_heard(), "");
	/* A child of the leader that is no PID 2. */
	CHECK(say("READY=1", -1) == 0);
	relay = (struct notify_relay){.leader = getppid(), .payload_is_pid2 = true};
	CHECK(notify_receive(container_fd, &relay) == NOTIFY_REFUSED);
	CHECK(waitpid(other, NULL, 0) == other);
}

static void test_long_messages(void)
{
	struct notify_relay relay = {};
	char text[6000];

	memset(text, 'a', sizeof(text));
	memcpy(text, "STATUS=", 7);
	text[sizeof(text) - 1] = '\0';
	CHECK(relay_as_leader(&relay, text) == 0);
	CHECK_TEXT(manager_heard(), "");
	text[2000] = '\0';
	CHECK(relay_as_leader(&relay, text) == NOTIFY_STATUS);
	CHECK(strlen(manager_heard()) == strlen("STATUS=Container running: ") + 511);
}

/* Also with a socket of a kernel that cannot turn descriptors away at the sender. */
static void test_descriptors(void)
{
	struct notify_relay relay = {.leader = getpid()};
	int made = container_fd, before, yes = 1, r;
	char path[64];

	r = say("READY=1", manager_fd);
	CHECK(r == 0 || r == -EPERM);
	CHECK(notify_receive(container_fd, &relay) == (r == 0 ? NOTIFY_READY : 0));
	(void)manager_heard();
	(void)snprintf(path, sizeof(path), "%s/notify", directory);
	CHECK(unlink(path) == 0);
	container_fd = bind_manager(path);
	(void)snprintf(path, sizeof(path), "%s/manager", directory);
	CHECK(setenv("NOTIFY_SOCKET", path, 1) == 0);
	CHECK(setsockopt(container_fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) == 0);
	before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)close(before);
	CHECK(say("STATUS=with a descriptor", manager_fd) == 0);
	CHECK(notify_receive(container_fd, &relay) == NOTIFY_STATUS);
	r = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(r == before);
	(void)close(r);
	(void)manager_heard();
	(void)close(container_fd);
	container_fd = made;
}

static void test_escape(void)
{
	char text[16];

	notify_escape(text, sizeof(text), "gr\xc3\xbc\xc3\x9f");
	CHECK_TEXT(text, "gr\xc3\xbc\xc3\x9f");
	notify_escape(text, sizeof(text), "\xc2\x9b\x7f");
	CHECK_TEXT(text, "\\xc2\\x9b\\x7f");
	notify_escape(text, 6, "abcd\xc3\xbc");
	CHECK_TEXT(text, "abcd");
	notify_escape(text, 4, "ab\n");
	CHECK_TEXT(text, "ab");
	notify_escape(text, sizeof(text), "\x80\xbf\xc3");
	CHECK_TEXT(text, "\\x80\\xbf\\xc3");
}

/*
 * PID 1 of a namespace of its own: its child, PID 2, says ready; so do its grandchild and itself.
 */
static void act_as_stub(int go_fd)
{
	char byte;
	pid_t pid;

	(void)!read(go_fd, &byte, 1);
	(void)say("STATUS=one", -1);
	pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			_exit(say("STATUS=three", -1));
		(void)waitpid(pid, NULL, 0);
		(void)say("STATUS=two", -1);
		(void)pause();
	}
	/* Another child of PID 1, as an orphan may become. */
	if (fork() == 0) {
		(void)say("STATUS=four", -1);
		(void)pause();
	}
	(void)waitpid(pid, NULL, 0);
	_exit(0);
}

static int test_pid2(void)
{
	struct clone_args arguments = {.flags = CLONE_NEWPID | (geteuid() != 0 ? CLONE_NEWUSER : 0),
				       .exit_signal = SIGCHLD};
	struct notify_relay relay = {.payload_is_pid2 = true};
	struct pollfd event = {.fd = container_fd, .events = POLLIN};
	int go[2], refused = 0, heard = 0;

	CHECK(pipe2(go, O_CLOEXEC) == 0);
	relay.leader = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (relay.leader == 0)
		act_as_stub(go[0]);
	CHECK(write(go[1], "", 1) == 1);
	(void)close(go[0]);
	(void)close(go[1]);
	if (relay.leader < 0)
		return SKIPPED;
	for (int i = 0; i < 4 && poll(&event, 1, 5000) == 1; i++) {
		int r = notify_receive(container_fd, &relay);

		refused += r == NOTIFY_REFUSED;
		heard += r == NOTIFY_STATUS;
	}
	CHECK(refused == 3);
	CHECK(heard == 1);
	CHECK_TEXT(manager_heard(), "STATUS=Container running: two");
	CHECK(kill(relay.leader, SIGKILL) == 0);
	CHECK(waitpid(relay.leader, NULL, 0) == relay.leader);
	return 0;
}

int main(void)
{
	int dir_fd, skipped;
	char path[64];

	CHECK(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/manager", directory);
	manager_fd = bind_manager(path);
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	container_fd = notify_listen(dir_fd);
	CHECK(container_fd >= 0);
	CHECK(notify_listen(dir_fd) == -EADDRINUSE);
	test_socket();
	test_own_messages();
	test_addresses();
	test_escape();
	test_relay();
	test_strangers();
	test_long_messages();
	skipped = test_pid2();
	test_descriptors();
	CHECK(unlink(path) == 0);
	CHECK(unlinkat(dir_fd, "notify", 0) == 0);
	CHECK(rmdir(directory) == 0);
	return check_failures ? 1 : skipped;
}
