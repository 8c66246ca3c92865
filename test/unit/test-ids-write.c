/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps of real user namespaces, written as an ordinary user, and as root where we are. Where the
 * host forbids such namespaces the error names what does, and that is what is tested.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "ids/ids.h"

static struct captured captured;

/* A child in a user namespace of its own, or a negative errno. */
static pid_t make_namespace(void)
{
	int both[2], answer = -EIO;
	pid_t child;

	if (pipe2(both, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		int r = unshare(CLONE_NEWUSER) < 0 ? -errno : 0;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)!write(both[1], &r, sizeof(r));
		for (;;)
			(void)pause();
	}
	(void)!read(both[0], &answer, sizeof(answer));
	(void)close(both[0]);
	(void)close(both[1]);
	if (answer == 0)
		return child;
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	return answer;
}

static void check_file(pid_t pid, const char *name, const char *expected)
{
	auto_free char *text = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	CHECK(file_read(AT_FDCWD, path, 4096, &text, NULL) == 0);
	CHECK(text && strstr(text, expected));
}

static void check_writer(enum ids_writer writer, uint32_t outside, uint32_t count, const char *map,
			 const char *groups)
{
	const struct id_extent extent = {0, outside, count};
	const struct ids ids = {.writer = writer,
				.maps = {{&extent, 1}, {&extent, 1}},
				.shift = outside,
				.count = count};
	const struct ids_facts facts = {.may_map = writer == IDS_WRITER_SELF};
	pid_t child = make_namespace();

	capture_start(&captured);
	if (child < 0) {
		CHECK(restriction_explain(child, geteuid() != 0) == child &&
		      captured.failures >= 1);
		return;
	}
	CHECK(ids_write(&ids, &facts, child) == 0 && captured.failures == 0);
	check_file(child, "uid_map", map);
	check_file(child, "gid_map", map);
	check_file(child, "setgroups", groups);
	(void)kill(child, SIGKILL);
	CHECK(waitpid(child, NULL, 0) == child);
}

/* All as somebody else, in a process of its own: there is no way back. */
static int test_as_user(void)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		if (geteuid() == 0 &&
		    (setgroups(0, NULL) < 0 || setresgid(12345, 12345, 12345) < 0 ||
		     setresuid(12345, 12345, 12345) < 0))
			_exit(3);
		/* Our files in /proc are ours again. */
		if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
			_exit(4);
		if (getegid() == geteuid())
			check_writer(IDS_WRITER_SINGLE, geteuid(), 1,
				     geteuid() == 12345 ? "0      12345          1" : " 1\n",
				     "deny");
		_exit(check_result());
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(void)
{
	CHECK(test_as_user() == 0);
	if (geteuid() == 0)
		check_writer(IDS_WRITER_SELF, 1048576, 65536, "0    1048576      65536", "allow");
	return check_result();
}
