/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nobody answers who asks by DHCP for a network that we have set up: ifup(8) would wait for a
 * minute and a boot with it.
 * Zone: doomed; free for the text alone.
 */
#include "mount/ifupdown.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#define FILE_MAX_BYTES ((size_t)64 * 1024)
#define FILES_MAX 64

enum ifupdown_words ifupdown_read(const char *text)
{
	enum ifupdown_words found = IFUPDOWN_NOTHING;
	auto_arena struct arena arena = {0};
	struct strings lines = {0};

	text_words(&arena, text, "\n", &lines);
	for (size_t i = 0; i < lines.count; i++) {
		struct strings words = {0};

		/* iface NAME FAMILY METHOD */
		text_words(&arena, lines.items[i], BLANKS, &words);
		if (words.count < 4 || strcmp(words.items[0], "iface") != 0 ||
		    strcmp(words.items[1], "host0") != 0)
			continue;
		if (strcmp(words.items[3], "dhcp") != 0 && strcmp(words.items[3], "auto") != 0)
			return IFUPDOWN_SAY;
		found = IFUPDOWN_ASK;
	}
	return found;
}

static enum ifupdown_words read_file(int root_fd, const char *path)
{
	auto_free char *text = NULL;

	if (path_read(root_fd, path, FILE_MAX_BYTES, &text, NULL) < 0)
		return IFUPDOWN_NOTHING;
	return ifupdown_read(text);
}

bool ifupdown_asks(int root_fd)
{
	enum ifupdown_words found = read_file(root_fd, "/etc/network/interfaces");
	auto_closedir DIR *directory = NULL;
	auto_arena struct arena arena = {0};
	const struct dirent *entry;
	int fd = path_open(root_fd, "/etc/network/interfaces.d", O_RDONLY | O_DIRECTORY, 0);

	directory = fd >= 0 ? fdopendir(fd) : NULL;
	for (int i = 0; directory && (entry = readdir(directory)) && i < FILES_MAX; i++) {
		enum ifupdown_words words =
			read_file(root_fd, arena_format(&arena, "/etc/network/interfaces.d/%s",
							entry->d_name));

		found = words > found ? words : found;
	}
	return found == IFUPDOWN_ASK;
}
