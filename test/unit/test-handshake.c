/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of run/handshake: steps in order, passengers, sentences, and that silence is never success.
 * Zone: owing.
 */
#include "run/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "check.h"

static char printed[256];

static void remember(const struct log_message *message, void *userdata)
{
	(void)userdata;
	(void)snprintf(printed, sizeof(printed), "%s", message->sentence);
}

static bool is_same_file(int left, int right)
{
	struct stat a, b;

	return fstat(left, &a) == 0 && fstat(right, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static void test_passengers(struct handshake *parent, struct handshake *container)
{
	int sent[_PASSENGER_COUNT] = {-EBADF, -EBADF, -EBADF}, heard[_PASSENGER_COUNT];
	auto_close int pipe_read = -EBADF, pipe_write = -EBADF, received = -EBADF;
	int ends[2];

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	pipe_read = ends[0];
	pipe_write = ends[1];
	sent[PASSENGER_NOTIFY] = pipe_write;
	CHECK(handshake_say(container, HANDSHAKE_ROOTED, sent) == 0);
	CHECK(handshake_hear(parent, HANDSHAKE_ROOTED, heard) == 0);
	CHECK(heard[PASSENGER_CONSOLE] == -EBADF && heard[PASSENGER_KMSG] == -EBADF);
	received = heard[PASSENGER_NOTIFY];
	CHECK(is_same_file(received, pipe_write));
	CHECK((fcntl(received, F_GETFD) & FD_CLOEXEC) != 0);
}

static void test_wrong_step(struct handshake *parent, struct handshake *container)
{
	CHECK(handshake_say(container, HANDSHAKE_GO, NULL) == 0);
	CHECK(handshake_hear(parent, HANDSHAKE_ROOTED, NULL) == -EPROTO);
}

static void test_sentences(struct handshake *parent, struct handshake *container)
{
	log_set_sink(handshake_log_sink, container);
	(void)fail(-ENOENT, "Cannot do it with '%s'", "\033[31m");
	log_set_sink(NULL, NULL);
	CHECK(handshake_say(container, HANDSHAKE_FAILED, NULL) == 0);
	CHECK(handshake_hear(parent, HANDSHAKE_ROOTED, NULL) < 0);
}

static void test_silence(struct handshake *parent, struct handshake *container)
{
	CHECK(handshake_say(container, HANDSHAKE_SPOKEN, NULL) == 0);
	scope_close(&container->fd);
	CHECK(handshake_overhear(parent) == 0);
	CHECK(handshake_overhear(parent) == 1);
	CHECK(handshake_hear(parent, HANDSHAKE_GO, NULL) == -EPIPE);
	CHECK(handshake_say(parent, HANDSHAKE_GO, NULL) == -EPIPE); /* and no SIGPIPE */
}

/* A container that fails while our words still wait for it: its own must reach us all the same. */
static void test_last_words(void)
{
	struct handshake parent, container;

	CHECK(handshake_open(&parent, &container) == 0);
	CHECK(handshake_say(&parent, HANDSHAKE_PLACED, NULL) == 0);
	CHECK(handshake_say(&container, HANDSHAKE_ROOTED, NULL) == 0);
	CHECK(handshake_say(&container, HANDSHAKE_FAILED, NULL) == 0);
	scope_close(&container.fd);
	CHECK(handshake_hear(&parent, HANDSHAKE_ROOTED, NULL) == 0);
	CHECK(handshake_hear(&parent, HANDSHAKE_GO, NULL) == HANDSHAKE_IS_FAILED);
	CHECK(handshake_hear(&parent, HANDSHAKE_GO, NULL) == -EPIPE);
	scope_close(&parent.fd);
}

int main(void)
{
	struct handshake parent, container;

	CHECK(handshake_open(&parent, &container) == 0);
	test_passengers(&parent, &container);
	test_wrong_step(&parent, &container);
	/* What the parent prints goes to standard error, into a pipe that we read. */
	{
		int ends[2], saved = dup(STDERR_FILENO);
		ssize_t length;

		CHECK(pipe2(ends, O_CLOEXEC) == 0);
		(void)dup2(ends[1], STDERR_FILENO);
		test_sentences(&parent, &container);
		(void)dup2(saved, STDERR_FILENO);
		length = read(ends[0], printed, sizeof(printed) - 1);
		printed[length > 0 ? length : 0] = '\0';
		CHECK_TEXT(printed,
			   "nspawn: Cannot do it with '\\x1b[31m': No such file or directory\n");
	}
	log_set_sink(remember, NULL);
	(void)refuse(EINVAL, "tab\there");
	CHECK_TEXT(printed, "tab\there"); /* escaped when it is printed, not before */
	log_set_sink(NULL, NULL);
	test_silence(&parent, &container);
	test_last_words();
	return check_result();
}
