/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolv.conf(5) is replaced, written to, or a link that is turned elsewhere; each is seen in the
 * directory of the file or of a link to it. What is mounted on it is seen nowhere but on itself.
 * Zone: free.
 */
#include "net/resolvers.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/scope.h"
#include "net/setup-plan.h"

#define LINKS_MAX 8 /* from the name to the file */

/* A file that is only just made is empty; it counts when it was written. */
#define CHANGED_IN (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)

static void watch_file(struct arena *arena, int fd, const char *path)
{
	for (unsigned int i = 0; i < LINKS_MAX; i++) {
		const char *directory =
			arena_format(arena, "%.*s", (int)(path_last(path) - path), path);
		char text[PATH_MAX];
		ssize_t length = readlink(path, text, sizeof(text) - 1);

		(void)inotify_add_watch(fd, directory, CHANGED_IN);
		if (length < 0) {
			(void)inotify_add_watch(fd, path, IN_CLOSE_WRITE);
			return;
		}
		text[length] = '\0';
		path = arena_format(arena, "%s%s", *text == '/' ? "" : directory, text);
	}
}

const char *resolvers_read(struct arena *arena, int watch_fd, struct strings *servers)
{
	/* What leads only to the host itself is no help; others know where that one asks. */
	static const char *const paths[] = {
		"/etc/resolv.conf",
		"/run/systemd/resolve/resolv.conf",
		"/run/NetworkManager/no-stub-resolv.conf",
	};
	const char *result = NULL;

	for (size_t i = 0; i < ARRAY_LEN(paths) && !result; i++) {
		auto_free char *text = NULL;

		if (watch_fd >= 0)
			watch_file(arena, watch_fd, paths[i]);
		if (file_read(AT_FDCWD, paths[i], (size_t)64 * 1024, &text, NULL) == 0)
			result = net_resolv_conf(arena, text, servers);
	}
	return result;
}

void resolvers_drain(int watch_fd)
{
	char events[4096];

	while (read(watch_fd, events, sizeof(events)) > 0)
		;
}
