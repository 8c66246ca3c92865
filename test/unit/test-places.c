/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where things are for a user, and what counts as a directory of the user's own. */
#include "host/places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "check.h"

static struct arena arena;

static void test_user(void)
{
	const struct places_environment environment = {"/run/user/7", "/home/u", NULL, NULL};
	const struct places_environment special = {"/run/user/7", "/home/u", "/c", "/s"};
	const struct places_environment relative = {"/run/user/7", "home", "c", ""};
	struct places places;

	places_of_user(&arena, &environment, &places);
	CHECK(places.is_user && !places.incoming && !places.export);
	CHECK_TEXT(places.machines, "/run/user/7/nspawn");
	CHECK_TEXT(places.settings[0], "/home/u/.config/systemd/nspawn");
	CHECK_TEXT(places.settings[1], "/run/user/7/systemd/nspawn");
	CHECK(!places.settings[2]);
	CHECK_TEXT(places.images[0], "/run/user/7/machines");
	CHECK_TEXT(places.images[1], "/home/u/.local/state/machines");
	CHECK_TEXT(places.images[2], "/home/u/.local/lib/machines");
	CHECK(!places.images[3]);
	CHECK_TEXT(places.image_home, "/home/u/.local/state/machines");

	places_of_user(&arena, &special, &places);
	CHECK_TEXT(places.settings[0], "/c/systemd/nspawn");
	CHECK_TEXT(places.image_home, "/s/machines");

	/* Without a home there is the runtime directory alone, and no hole in a list. */
	places_of_user(&arena, &relative, &places);
	CHECK_TEXT(places.settings[0], "/run/user/7/systemd/nspawn");
	CHECK(!places.settings[1] && !places.images[1]);
	CHECK_TEXT(places.image_home, "/run/user/7/machines");
}

static void test_runtime(void)
{
	char own[] = "/tmp/test-places-XXXXXX", link[64];
	struct places places;

	CHECK(mkdtemp(own) != NULL);
	(void)snprintf(link, sizeof(link), "%s/link", own);
	(void)setenv("XDG_RUNTIME_DIR", own, 1);
	CHECK(places_find(&arena, SCOPE_USER, &places) == 0);
	CHECK(strncmp(places.machines, own, strlen(own)) == 0);
	/* What others can enter is no place for locks, nor is what could lead elsewhere. */
	CHECK(chmod(own, 0755) == 0 && places_find(&arena, SCOPE_USER, &places) == 0);
	CHECK(strncmp(places.machines, own, strlen(own)) != 0);
	CHECK(chmod(own, 0700) == 0 && symlink(own, link) == 0);
	(void)setenv("XDG_RUNTIME_DIR", link, 1);
	CHECK(places_find(&arena, SCOPE_USER, &places) == 0);
	CHECK(strncmp(places.machines, own, strlen(own)) != 0);
	CHECK(unlink(link) == 0 && rmdir(own) == 0);
}

static void test_scope(void)
{
	struct places places;
	bool is_root = geteuid() == 0;

	CHECK(places_find(&arena, SCOPE_AUTO, &places) == 0 && places.is_user == !is_root);
	CHECK(places_find(&arena, SCOPE_SYSTEM, &places) == (is_root ? 0 : -EPERM));
}

int main(void)
{
	test_user();
	test_runtime();
	test_scope();
	arena_done(&arena);
	return check_result();
}
