/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Talks with a service that is not there: a child of ours answers one call after the other with
 * what it was given to say, and says over a pipe what it heard.
 */
#include "ids/nsresource.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "ids/varlink.h"

static struct captured captured;
static char directory[] = "/tmp/nspawn-varlink-XXXXXX";
static char socket_path[64];
static struct nsresource_sockets sockets = {socket_path, socket_path};
static int heard_fd = -EBADF;
static pid_t service;

struct answer {
	const char *text;
	size_t length;    /* 0: the text and its NUL byte */
	size_t piece;     /* bytes at once, 0: all */
	unsigned int fds; /* of /dev/null, sent along */
};

static void send_answer(int fd, const struct answer *answer)
{
	size_t length = answer->length ? answer->length : strlen(answer->text) + 1;
	size_t piece = answer->piece ? answer->piece : length;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
	} control = {0};

	for (size_t at = 0; at < length; at += piece) {
		struct iovec part = {(char *)answer->text + at,
				     length - at < piece ? length - at : piece};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

		if (at == 0 && answer->fds > 0) {
			message.msg_control = control.bytes;
			message.msg_controllen = CMSG_SPACE(sizeof(int) * answer->fds);
			control.header.cmsg_level = SOL_SOCKET;
			control.header.cmsg_type = SCM_RIGHTS;
			control.header.cmsg_len = CMSG_LEN(sizeof(int) * answer->fds);
			for (unsigned int i = 0; i < answer->fds; i++) {
				int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

				memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null_fd,
				       sizeof(int));
			}
		}
		if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
			_exit(1);
	}
}

/* The call, and how many descriptors came with it, as a line. */
static void hear_call(int fd, int report_fd)
{
	char text[4096], control[CMSG_SPACE(sizeof(int) * 8)];
	struct iovec part = {text, sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, 0);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (n <= 0 || text[n - 1] != '\0')
		_exit(2);
	dprintf(report_fd, "%s %zu\n", text,
		header ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : (size_t)0);
}

static void start(const struct answer *answers, size_t count)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), both[2];

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	(void)unlink(socket_path);
	CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	      listen(listener, 5) == 0 && pipe2(both, O_CLOEXEC) == 0);
	service = fork();
	if (service == 0) {
		(void)close(both[0]);
		for (size_t i = 0; i < count; i++) {
			auto_close int fd = accept(listener, NULL, NULL);

			hear_call(fd, both[1]);
			send_answer(fd, &answers[i]);
		}
		_exit(0);
	}
	(void)close(both[1]);
	(void)close(listener);
	heard_fd = both[0];
	capture_start(&captured);
}

/* What the service heard, after it is gone. */
static const char *stop(void)
{
	static char heard[8192];
	size_t used = 0;
	ssize_t n;

	(void)kill(service, SIGKILL);
	while ((n = read(heard_fd, heard + used, sizeof(heard) - 1 - used)) > 0)
		used += (size_t)n;
	heard[used] = '\0';
	(void)close(heard_fd);
	CHECK(waitpid(service, NULL, 0) == service);
	return heard;
}

#define START(...) \
	do { \
		const struct answer answers[] = {__VA_ARGS__}; \
		start(answers, ARRAY_LEN(answers)); \
	} while (0)

static void test_allocate(void)
{
	START({"{\"parameters\":{\"name\":\"web\"}}"});
	CHECK(nsresource_allocate(&sockets, "Web_1.x", 0, STDIN_FILENO) == 0);
	CHECK_TEXT(stop(),
		   "{\"method\":\"io.systemd.NamespaceResource.AllocateUserRange\",\"parameters\":"
		   "{\"name\":\"web1x\",\"size\":65536,\"userNamespaceFileDescriptor\":0}} 1\n");
	START({"{}"});
	CHECK(nsresource_allocate(&sockets, "9-_", 0, STDIN_FILENO) == 0);
	CHECK(strstr(stop(), "\"name\":\"nspawn\""));
	/* A name that is taken gets a number, and stays short enough. */
	START({"{\"error\":\"io.systemd.NamespaceResource.NameExists\",\"parameters\":{}}"},
	      {"{}"});
	CHECK(nsresource_allocate(&sockets, "a-name-of-many-characters", 2, STDIN_FILENO) == 0);
	CHECK(captured.failures == 0);
	{
		const char *heard = stop();

		CHECK(strstr(heard, "\"a-name-of-many-c\"") &&
		      strstr(heard, "\"a-name-of-many-2\"") &&
		      strstr(heard, "\"delegateContainerRanges\":2"));
	}
	START({"{\"error\":\"io.systemd.NamespaceResource.DynamicRangeUnavailable\"}"});
	CHECK(nsresource_allocate(&sockets, "web", 0, STDIN_FILENO) == -EREMOTEIO);
	CHECK(strstr(captured.first,
		     "systemd-nsresourced did not give a range of ids: all its ranges"));
	(void)stop();
}

static void test_refusals(void)
{
	START({"{\"error\":\"io.systemd.InteractiveAuthenticationRequired\",\"parameters\":{}}"});
	CHECK(nsresource_allocate(&sockets, "web", 0, STDIN_FILENO) == -EREMOTEIO);
	CHECK(strstr(captured.first, "its policy (polkit) wants to ask an administrator first"));
	(void)stop();
	/* An answer that never ends: what is there of it does not make it wait for more. */
	sockets.patience_msec = 50;
	START({"{\"param", 7});
	CHECK(nsresource_allocate(&sockets, "web", 0, STDIN_FILENO) < 0);
	CHECK(captured.failures >= 1);
	(void)stop();
	sockets.patience_msec = 0;
}

static void test_mount(void)
{
	int fd;

	START({"{\"parameters\":{\"mountFileDescriptor\":0}}", .fds = 1});
	fd = nsresource_mount_directory(&sockets, STDIN_FILENO, STDOUT_FILENO, true);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	(void)close(fd);
	CHECK(strstr(stop(), "\"readOnly\":true,\"mode\":\"auto\"}} 2\n"));
	START({"{\"parameters\":{}}", .fds = 1});
	CHECK(nsresource_add_mount(&sockets, STDIN_FILENO, STDOUT_FILENO) == 0);
	CHECK(strstr(stop(),
		     "AddMountToUserNamespace\",\"parameters\":{\"userNamespaceFileDescriptor\":0,"
		     "\"mountFileDescriptor\":1}} 2\n"));
	START({"{}"});
	CHECK(nsresource_add_cgroup(&sockets, STDIN_FILENO, STDOUT_FILENO) == 0);
	CHECK(strstr(stop(), "\"controlGroupFileDescriptor\":1}} 2\n"));
}

static void test_is_there(void)
{
	(void)unlink(socket_path);
	CHECK(!nsresource_is_there(&sockets));
	START({"{\"parameters\":{\"description\":\"interface x\\nmethod MountImage() -> ()\\n\"}}"});
	CHECK(!nsresource_is_there(&sockets));
	(void)stop();
	START({"{\"parameters\":{\"description\":\"method MountDirectory(…) -> (…)\"}}"});
	CHECK(nsresource_is_there(&sockets));
	(void)stop();
	/* The socket is there, but nobody behind it. */
	CHECK(!nsresource_is_there(&sockets));
	CHECK(nsresource_allocate(&sockets, "web", 0, STDIN_FILENO) == -ECONNREFUSED);
}

static size_t count_fds(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Whatever comes back: an error, no crash, and no descriptor that stays open. */
static const struct answer junk[] = {
	{"", 1},
	{"{}", 2},
	{"junk"},
	{"[]"},
	{"{\"parameters\":[]}"},
	{"{\"error\":5}"},
	{"{\"error\":null,\"parameters\":{}}"},
	{"{}\0{}", 6},
	{"{\"parameters\":{\"mountFileDescriptor\":1}}", .fds = 1},
	{"{\"parameters\":{\"mountFileDescriptor\":-1}}", .fds = 1},
	{"{\"parameters\":{\"mountFileDescriptor\":\"0\"}}", .fds = 1},
	{"{\"parameters\":{\"mountFileDescriptor\":4}}", .fds = 8},
	{"{\"parameters\":{\"mountFileDescriptor\":99999999999}}", .fds = 2},
	{"{\"parameters\":{\"mountFileDescriptor\":0}}"},
	{"{\"error\":\"a.b\",\"parameters\":{}}", .fds = 2},
};

static void test_junk(void)
{
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		size_t before = count_fds();
		int r;

		start(&junk[i], 1);
		r = nsresource_mount_directory(&sockets, STDIN_FILENO, STDOUT_FILENO, false);
		CHECK(r < 0 && captured.failures >= 1);
		(void)stop();
		if (r >= 0 || count_fds() != before) {
			check_failures++;
			fprintf(stderr, "answer %zu: %d\n", i, r);
		}
	}
}

/* An answer in pieces, with a descriptor at the first. */
static void test_pieces(void)
{
	int fd;

	START({"{\"parameters\":{\"mountFileDescriptor\":0}}", .piece = 7, .fds = 1});
	fd = nsresource_mount_directory(&sockets, STDIN_FILENO, STDOUT_FILENO, false);
	CHECK(fd >= 0);
	(void)close(fd);
	(void)stop();
}

int main(void)
{
	CHECK(mkdtemp(directory));
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
	test_allocate();
	test_refusals();
	test_mount();
	test_is_there();
	test_junk();
	test_pieces();
	(void)unlink(socket_path);
	CHECK(rmdir(directory) == 0);
	return check_result();
}
