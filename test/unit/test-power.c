/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The protocols of the init systems: which signal, which record, which files, and guests that
 * booby-trap them.
 */
#include "run/power.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "check.h"

static int root_fd;

static void test_table(void)
{
	for (int kind = 0; kind < _INIT_KIND_COUNT; kind++)
		if (kind != INIT_UNKNOWN && kind != INIT_SYSVINIT)
			CHECK(power_signal(kind, POWER_OFF) > 0 &&
			      power_signal(kind, POWER_REBOOT) > 0);
	CHECK(power_signal(INIT_SYSTEMD, POWER_OFF) == SIGRTMIN + 4);
	CHECK(power_signal(INIT_SYSTEMD, POWER_REBOOT) == SIGRTMIN + 5);
	CHECK(power_signal(INIT_BUSYBOX, POWER_OFF) == SIGUSR2);
	CHECK(power_signal(INIT_BUSYBOX, POWER_REBOOT) == SIGTERM);
	CHECK(power_ask(INIT_UNKNOWN, POWER_OFF, -EBADF, root_fd) == 1);
	CHECK(power_ask(INIT_SYSVINIT, POWER_OFF, -EBADF, -EBADF) < 0);
}

static void test_record(void)
{
	unsigned char record[POWER_RECORD_BYTES];
	int32_t head[4];

	power_sysvinit_record(POWER_OFF, record);
	memcpy(head, record, sizeof(head));
	CHECK(head[0] == 0x03091969 && head[1] == 1 && head[2] == '0' && head[3] > 0);
	for (size_t i = sizeof(head); i < sizeof(record); i++)
		CHECK(record[i] == 0);
	power_sysvinit_record(POWER_REBOOT, record);
	memcpy(head, record, sizeof(head));
	CHECK(head[2] == '6');
}

static void test_fifo(void)
{
	unsigned char expected[POWER_RECORD_BYTES], got[POWER_RECORD_BYTES + 1];
	struct stat status;
	int reader;

	/* No FIFO, and a FIFO that nobody reads. */
	CHECK(power_ask(INIT_SYSVINIT, POWER_OFF, -EBADF, root_fd) == -ENOENT);
	CHECK(mkfifo("run/initctl", 0600) == 0);
	CHECK(power_ask(INIT_SYSVINIT, POWER_OFF, -EBADF, root_fd) < 0);

	reader = open("run/initctl", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(power_ask(INIT_SYSVINIT, POWER_REBOOT, -EBADF, root_fd) == 0);
	power_sysvinit_record(POWER_REBOOT, expected);
	CHECK(read(reader, got, sizeof(got)) == POWER_RECORD_BYTES &&
	      memcmp(got, expected, sizeof(expected)) == 0);

	/* Reached through the old name, absolute link and all. */
	CHECK(rename("run/initctl", "run/elsewhere") == 0 &&
	      symlink("/run/elsewhere", "dev/initctl") == 0);
	CHECK(power_ask(INIT_SYSVINIT, POWER_OFF, -EBADF, root_fd) == 0);
	power_sysvinit_record(POWER_OFF, expected);
	CHECK(read(reader, got, sizeof(got)) == POWER_RECORD_BYTES &&
	      memcmp(got, expected, sizeof(expected)) == 0);
	(void)close(reader);
	CHECK(unlink("dev/initctl") == 0 && unlink("run/elsewhere") == 0);

	/* A regular file in its place is not written to, inside or outside. */
	CHECK(close(open("run/initctl", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == 0);
	CHECK(power_ask(INIT_SYSVINIT, POWER_OFF, -EBADF, root_fd) < 0);
	CHECK(stat("run/initctl", &status) == 0 && status.st_size == 0);
	CHECK(unlink("run/initctl") == 0 && symlink("../../outside", "run/initctl") == 0);
	CHECK(mkfifo("../outside", 0600) == 0);
	reader = open("../outside", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(reader >= 0);
	CHECK(power_ask(INIT_SYSVINIT, POWER_OFF, -EBADF, root_fd) < 0);
	CHECK(read(reader, got, sizeof(got)) == 0);
	(void)close(reader);
	CHECK(unlink("run/initctl") == 0 && unlink("../outside") == 0);
}

static mode_t mode_of(const char *path)
{
	struct stat status = {0};

	CHECK(stat(path, &status) == 0);
	return status.st_mode & 07777;
}

static void make_file(const char *path)
{
	CHECK(close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)) == 0);
}

static void test_runit(int pidfd)
{
	CHECK(power_ask(INIT_RUNIT, POWER_OFF, pidfd, root_fd) == -ENOENT);
	make_file("run/runit.stopit");
	CHECK(power_ask(INIT_RUNIT, POWER_REBOOT, pidfd, root_fd) == -ENOENT);
	CHECK(mode_of("run/runit.stopit") == 0);
	make_file("run/runit.reboot");
	CHECK(power_ask(INIT_RUNIT, POWER_REBOOT, pidfd, root_fd) == 0);
	CHECK(mode_of("run/runit.stopit") == 0100 && mode_of("run/runit.reboot") == 0100);
	CHECK(power_ask(INIT_RUNIT, POWER_OFF, pidfd, root_fd) == 0);
	CHECK(mode_of("run/runit.stopit") == 0100 && mode_of("run/runit.reboot") == 0);

	/* The other place, by links such as distributions make. */
	CHECK(rename("run/runit.stopit", "run/stopit") == 0 &&
	      rename("run/runit.reboot", "run/reboot") == 0);
	CHECK(symlink("/run/stopit", "etc/runit/stopit") == 0 &&
	      symlink("/run/reboot", "etc/runit/reboot") == 0);
	CHECK(power_ask(INIT_RUNIT, POWER_REBOOT, pidfd, root_fd) == 0);
	CHECK(mode_of("run/reboot") == 0100);

	/* Links out of the tree, and things that are no files. */
	CHECK(unlink("etc/runit/reboot") == 0 &&
	      symlink("../../../outside", "etc/runit/reboot") == 0);
	make_file("../outside");
	CHECK(power_ask(INIT_RUNIT, POWER_REBOOT, pidfd, root_fd) < 0);
	CHECK(mode_of("../outside") == 0);
	CHECK(unlink("../outside") == 0);
	CHECK(unlink("etc/runit/reboot") == 0 && mkfifo("etc/runit/reboot", 0600) == 0);
	CHECK(power_ask(INIT_RUNIT, POWER_REBOOT, pidfd, root_fd) == -EINVAL);
}

/* A child that ends by any signal that asks it to. */
static void test_signal(void)
{
	siginfo_t info = {0};
	pid_t child = fork();
	auto_close int pidfd = -EBADF;

	CHECK(child >= 0);
	if (child == 0) {
		pause();
		_exit(1);
	}
	pidfd = pidfd_open(child, 0);
	test_runit(pidfd); /* SIGCONT does it no harm */
	CHECK(power_ask(INIT_SYSTEMD, POWER_REBOOT, pidfd, -EBADF) == 0);
	CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_code == CLD_KILLED && info.si_status == SIGRTMIN + 5);
	CHECK(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
	CHECK(power_ask(INIT_SYSTEMD, POWER_OFF, pidfd, -EBADF) == -ESRCH);
	/* No helper is left behind. */
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

int main(void)
{
	char directory[] = "/tmp/test-power-XXXXXX", command[64];

	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
	CHECK(mkdir("root", 0755) == 0 && chdir("root") == 0);
	CHECK(mkdir("run", 0755) == 0 && mkdir("dev", 0755) == 0 && mkdir("etc", 0755) == 0 &&
	      mkdir("etc/runit", 0755) == 0);
	root_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_table();
	test_record();
	test_fifo();
	test_signal();
	(void)close(root_fd);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	CHECK(chdir("/") == 0 && system(command) == 0);
	return check_result();
}
