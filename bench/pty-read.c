/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command on a fresh pseudo-terminal (or a pipe), drains it as fast as one reader can, and
 * prints how many bytes came and how many microseconds it took until the command was gone.
 * Zone: free.
 *
 * The same reader serves the command alone (the raw figure) and the command behind something that
 * copies, so the ratio of the two is the cost of the copying. With --copy the bytes go to stdout
 * instead, to be compared; nothing is printed then. With --null the command's output goes to
 * /dev/null, and only the time counts. Run below itself with --copy it is the least
 * that copying between two terminals can cost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char buffer[256 * 1024];

static int die(const char *step)
{
	fprintf(stderr, "pty-read: %s: %s\n", step, strerror(errno));
	return 1;
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The terminal keeps its default modes: the command decides, as below a terminal emulator. */
static int pty_open(int *ret_read_fd, int *ret_write_fd)
{
	static const struct winsize size = {.ws_row = 24, .ws_col = 80};
	int read_fd, write_fd;

	read_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (read_fd < 0 || grantpt(read_fd) < 0 || unlockpt(read_fd) < 0)
		return -errno;
	write_fd = ioctl(read_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (write_fd < 0 || ioctl(write_fd, TIOCSWINSZ, &size) < 0)
		return -errno;
	*ret_read_fd = read_fd;
	*ret_write_fd = write_fd;
	return 0;
}

static int pipe_open(int *ret_read_fd, int *ret_write_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read_fd = fds[0];
	*ret_write_fd = fds[1];
	return 0;
}

static _Noreturn void command_exec(char **words, int write_fd, bool is_pty, bool is_null)
{
	if (is_pty && (setsid() < 0 || ioctl(write_fd, TIOCSCTTY, 0) < 0))
		_exit(127);
	if (is_pty && (dup2(write_fd, STDIN_FILENO) < 0 || dup2(write_fd, STDERR_FILENO) < 0))
		_exit(127);
	if (is_null)
		write_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (dup2(write_fd, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(words[0], words);
	_exit(127);
}

/* A copy onto a terminal must not be processed a second time. The terminal dies with the bench. */
static int output_set_raw(void)
{
	struct termios modes;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (tcgetattr(STDOUT_FILENO, &modes) < 0)
		return -errno;
	cfmakeraw(&modes);
	return tcsetattr(STDOUT_FILENO, TCSANOW, &modes) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0)
			return -errno;
		bytes += written;
		n -= (size_t)written;
	}
	return 0;
}

/* Reads to the end. On a terminal the end is EIO: the last holder of the other side is gone. */
static int drain(int read_fd, bool is_copied, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;

	for (;;) {
		ssize_t n = read(read_fd, buffer, sizeof(buffer));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EIO)
			return -errno;
		if (n <= 0)
			break;
		bytes += (uint64_t)n;
		r = is_copied ? write_all(STDOUT_FILENO, buffer, (size_t)n) : 0;
		if (r < 0)
			return r;
	}
	*ret_bytes = bytes;
	return 0;
}

int main(int argc, char **argv)
{
	bool is_pty = true, is_copied = false, is_null = false;
	uint64_t bytes = 0, begin_usec;
	int read_fd = -EBADF, write_fd = -EBADF, status, first = 1;
	pid_t pid;

	for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
		if (strcmp(argv[first], "--pipe") == 0)
			is_pty = false;
		else if (strcmp(argv[first], "--copy") == 0)
			is_copied = true;
		else if (strcmp(argv[first], "--null") == 0)
			is_null = true;
		else
			break;
	}
	if (first >= argc || argv[first][0] == '-') {
		fprintf(stderr, "usage: pty-read [--pipe] [--copy] [--null] COMMAND [WORD...]\n");
		return 1;
	}
	if (is_copied && output_set_raw() < 0)
		return die("set the terminal raw");
	if ((is_pty ? pty_open : pipe_open)(&read_fd, &write_fd) < 0)
		return die("open a terminal or pipe");

	begin_usec = now_usec();
	pid = fork();
	if (pid < 0)
		return die("fork");
	if (pid == 0)
		command_exec(argv + first, write_fd, is_pty, is_null);
	close(write_fd);
	if (drain(read_fd, is_copied, &bytes) < 0)
		return die("read");
	if (waitpid(pid, &status, 0) < 0)
		return die("wait");
	if (!is_copied)
		printf("%llu %llu\n", (unsigned long long)bytes,
		       (unsigned long long)(now_usec() - begin_usec));
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}
