/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times whole processes: runs N commands by turns, each once a round, and prints one line a run:
 * index, wall, user and system microseconds, wait status. No shell or interpreter is in between.
 * Zone: free.
 *
 * The order inside a round is shuffled, because what one command leaves to the kernel (a network
 * namespace is torn down in the background) is paid by the one that runs next. The first rounds,
 * with cold caches, are run and not printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	COMMANDS_MAX = 32,
	WARM_UP_ROUNDS = 3,
};

struct sample {
	uint64_t wall_usec;
	uint64_t user_usec;
	uint64_t system_usec;
	int status;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t timeval_usec(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* Runs one command to its end, its output thrown away. CPU times include its children. */
static int command_time(char **words, int null_fd, struct sample *ret_sample)
{
	struct rusage usage;
	uint64_t begin_usec = now_usec(), end_usec;
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (dup2(null_fd, STDOUT_FILENO) >= 0)
			execvp(words[0], words);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) < 0)
		return -errno;
	end_usec = now_usec();

	*ret_sample = (struct sample){
		.wall_usec = end_usec - begin_usec,
		.user_usec = timeval_usec(&usage.ru_utime),
		.system_usec = timeval_usec(&usage.ru_stime),
		.status = status,
	};
	return 0;
}

/* A fixed seed: two runs of the benchmark visit the commands in the same orders. */
static void order_shuffle(size_t *order, size_t n)
{
	static uint32_t state = 2463534242;

	for (size_t i = n; i > 1; i--) {
		size_t j, keep;

		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		j = state % i;
		keep = order[i - 1];
		order[i - 1] = order[j];
		order[j] = keep;
	}
}

/* Splits the words at "::" in place. Returns how many commands there are, 0 if one is empty. */
static size_t commands_split(char **words, char ***ret_commands)
{
	size_t n = 0;

	while (*words && n < COMMANDS_MAX) {
		if (strcmp(*words, "::") == 0)
			return 0;
		ret_commands[n++] = words;
		while (*words && strcmp(*words, "::") != 0)
			words++;
		if (*words)
			*words++ = NULL;
	}
	return *words ? 0 : n;
}

static int rounds_run(char ***commands, size_t n, unsigned long rounds, struct sample *ret_samples)
{
	size_t order[COMMANDS_MAX];
	int null_fd, r;

	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++)
		order[i] = i;

	for (unsigned long round = 0; round < rounds + WARM_UP_ROUNDS; round++) {
		unsigned long row = round < WARM_UP_ROUNDS ? 0 : round - WARM_UP_ROUNDS;
		struct sample *samples = ret_samples + row * n;

		order_shuffle(order, n);
		for (size_t i = 0; i < n; i++) {
			r = command_time(commands[order[i]], null_fd, samples + order[i]);
			if (r < 0)
				return r;
		}
	}
	return close(null_fd);
}

int main(int argc, char **argv)
{
	char **commands[COMMANDS_MAX];
	struct sample *samples;
	unsigned long rounds;
	size_t n;
	int r;

	rounds = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	n = argc > 2 ? commands_split(argv + 2, commands) : 0;
	if (rounds == 0 || rounds > 100000 || n == 0) {
		fprintf(stderr, "usage: spawn ROUNDS COMMAND [WORD...] [:: ...]\n");
		return 1;
	}
	samples = calloc(rounds * n, sizeof(*samples));
	if (!samples)
		return 1;

	r = rounds_run(commands, n, rounds, samples);
	if (r < 0)
		fprintf(stderr, "spawn: cannot run a command: %s\n", strerror(-r));
	else
		for (size_t i = 0; i < rounds * n; i++)
			printf("%zu %llu %llu %llu %d\n", i % n,
			       (unsigned long long)samples[i].wall_usec,
			       (unsigned long long)samples[i].user_usec,
			       (unsigned long long)samples[i].system_usec, samples[i].status);
	free(samples);
	return r < 0 || fflush(stdout) != 0;
}
