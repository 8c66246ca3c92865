/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks accounts of the host up.
 * Zone: free.
 */
#include "run/host-accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"

#define ANSWER_MAX_BYTES ((size_t)64 * 1024)
#define SHADOW_MAX_BYTES ((size_t)4 * 1024 * 1024)

static int open_root(void)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * The host's own, by a path that the caller's environment does not choose: who came by sudo may
 * bring any.
 */
static int spawn_getent(const char *database, const char *key, int output_fd, pid_t *ret_pid)
{
	char *const environment[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C", NULL};
	char *const arguments[] = {(char *)"getent", (char *)"--", (char *)database, (char *)key,
				   NULL};
	posix_spawn_file_actions_t actions;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, output_fd, 1);
	(void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(ret_pid, "/usr/bin/getent", &actions, NULL, arguments, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* -ESRCH also if there is no such program: then the files are all there is. */
static int ask(const char *database, const char *key, char **ret_text)
{
	auto_close int read_fd = -EBADF, write_fd = -EBADF;
	int pipe_fds[2], r, status;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = pipe_fds[0];
	write_fd = pipe_fds[1];
	r = spawn_getent(database, key, write_fd, &pid);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	(void)close(steal_fd(write_fd));
	r = fd_read_all(read_fd, ANSWER_MAX_BYTES, ret_text, NULL);
	(void)close(steal_fd(read_fd));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return r;
}

int host_find_user(const char *name_or_number, struct user_identity *ret)
{
	auto_free char *answer = NULL;
	auto_close int root_fd = open_root();
	int r = root_fd < 0 ? root_fd : users_find(root_fd, name_or_number, ret);

	if (r != -ESRCH)
		return r;
	TRY(ask("passwd", name_or_number, &answer));
	return users_parse_passwd(answer, name_or_number, 0, ret);
}

int host_find_group(const char *name, gid_t *ret)
{
	auto_free char *answer = NULL;
	auto_close int root_fd = open_root();
	int r = root_fd < 0 ? root_fd : users_find_group(root_fd, name, ret);

	if (r != -ESRCH)
		return r;
	TRY(ask("group", name, &answer));
	return users_parse_group(answer, name, ret);
}

/* The 'number'th field of the line of 'name', malloc'ed; NULL if there is no such line. */
static char *find_field(char *text, const char *name, int number)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *field = strsep(&line, ":");

		if (strcmp(field, name) != 0)
			continue;
		for (int i = 0; field && i < number; i++)
			field = strsep(&line, ":");
		return field ? strdup(field) : NULL;
	}
	return NULL;
}

int host_find_password(const char *name, char **ret)
{
	auto_free char *text = NULL;
	char *password;

	TRY(file_read(AT_FDCWD, "/etc/shadow", SHADOW_MAX_BYTES, &text, NULL));
	password = find_field(text, name, 1);
	explicit_bzero(text, strlen(text));
	if (!password)
		return -ESRCH;
	*ret = password;
	return 0;
}

char *host_find_real_name(const char *name)
{
	auto_free char *text = NULL;
	char *field;

	if (file_read(AT_FDCWD, "/etc/passwd", SHADOW_MAX_BYTES, &text, NULL) < 0)
		return NULL;
	field = find_field(text, name, 4);
	if (field)
		field[strcspn(field, ",")] = '\0';
	return field;
}
