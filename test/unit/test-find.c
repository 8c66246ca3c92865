/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way from a machine's name to its tree.
 */
#include "image/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "host/places.h"
#include "check.h"

static char directory[64], first[96], second[96], missing[96], expected[192], complaint[1024];
static const struct places places = {.images = {missing, first, second}, .image_home = first};

static void remember(const struct log_message *message, void *userdata)
{
	(void)userdata;
	if (!*complaint)
		(void)snprintf(complaint, sizeof(complaint), "%s", message->sentence);
}

static int find(struct arena *arena, const char *name, struct found_image *ret)
{
	*complaint = '\0';
	return image_find(arena, name, &places, ret);
}

static const char *path_in(const char *where, const char *name)
{
	(void)snprintf(expected, sizeof(expected), "%s/%s", where, name);
	return expected;
}

static void test_found(void)
{
	auto_arena struct arena arena = {0};
	struct found_image image = {0};

	CHECK(mkdir("second/debian", 0755) == 0);
	CHECK(find(&arena, "debian", &image) == 0);
	CHECK_TEXT(image.path, path_in(second, "debian"));
	CHECK(!image.is_read_only);

	/* The earlier directory wins, and links lead where they lead. */
	CHECK(mkdir("elsewhere", 0755) == 0 && symlink("../elsewhere", "first/debian") == 0);
	CHECK(find(&arena, "debian", &image) == 0);
	CHECK_TEXT(image.path, path_in(first, "debian"));
	CHECK(unlink("first/debian") == 0 && symlink("/usr", "first/debian") == 0);
	CHECK(find(&arena, "debian", &image) == 0);
	CHECK_TEXT(image.path, path_in(first, "debian"));
	CHECK(image.is_read_only);
	/* A dangling link is nothing. */
	CHECK(unlink("first/debian") == 0 && symlink("nowhere", "first/debian") == 0);
	CHECK(find(&arena, "debian", &image) == 0);
	CHECK_TEXT(image.path, path_in(second, "debian"));
	CHECK(unlink("first/debian") == 0 && rmdir("second/debian") == 0 &&
	      rmdir("elsewhere") == 0);
}

static void test_not_found(void)
{
	auto_arena struct arena arena = {0};
	struct found_image image = {.path = "untouched"};

	CHECK(find(&arena, "debian", &image) == -ENOENT);
	CHECK(strstr(complaint, "'debian'") && strstr(complaint, missing) &&
	      strstr(complaint, second));
	CHECK(mkdir("second/disk.raw", 0755) == 0 && mkdir("first/tree.v", 0755) == 0);
	CHECK(find(&arena, "disk", &image) == -EOPNOTSUPP);
	CHECK(strstr(complaint, "disk image") && strstr(complaint, "available yet"));
	CHECK(find(&arena, "tree", &image) == -EOPNOTSUPP);
	CHECK(rmdir("second/disk.raw") == 0 && rmdir("first/tree.v") == 0);
	CHECK(close(creat("first/file", 0644)) == 0);
	CHECK(find(&arena, "file", &image) == -EOPNOTSUPP && unlink("first/file") == 0);
	CHECK(find(&arena, "", &image) == -EINVAL && find(&arena, "..", &image) == -EINVAL);
	CHECK(find(&arena, "../first", &image) == -EINVAL);
	CHECK_TEXT(image.path, "untouched");
}

int main(void)
{
	strcpy(directory, "/tmp/test-find-XXXXXX");
	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
	CHECK(mkdir("first", 0755) == 0 && mkdir("second", 0755) == 0);
	(void)snprintf(first, sizeof(first), "%s/first", directory);
	(void)snprintf(second, sizeof(second), "%s/second", directory);
	(void)snprintf(missing, sizeof(missing), "%s/missing", directory);
	log_set_sink(remember, NULL);
	test_found();
	test_not_found();
	CHECK(rmdir("first") == 0 && rmdir("second") == 0 && chdir("/") == 0 &&
	      rmdir(directory) == 0);
	return check_result();
}
