/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn enable and disable: links of the service manager's, and one drop-in of ours for a machine
 * that has to wait for others.
 * Zone: free.
 */
#include "control/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "image/find.h"
#include "manager/unit.h"

#define DROP_IN "50-nspawn-enable.conf"
#define TARGET "machines.target"
#define DELAY_MAX_SEC 3600
#define START_SEC 120 /* as the unit has it: waiting does not count */

struct request {
	struct arena *arena;
	struct places places;
	struct strings machines, after;
	uint32_t delay_sec;
	bool is_now;
	bool is_enabling;
};

/* --- The drop-in --- */

/*
 * A machine waits only while the host itself starts: who starts it by hand, or reboots it from
 * inside, does not want to. '$$' is the shell's '$' (systemd.service(5)).
 */
static const char *compose(const struct request *request)
{
	struct arena *arena = request->arena;
	const char *text = "# Written by 'nspawn enable'; 'nspawn disable' removes it.\n[Unit]\n";

	for (size_t i = 0; i < request->after.count; i++) {
		const char *unit = unit_of_machine(arena, request->after.items[i]);

		text = arena_format(arena, "%sWants=%s\nAfter=%s\n", text, unit, unit);
	}
	if (request->delay_sec == 0)
		return text;
	return arena_format(arena,
			    "%s\n[Service]\nTimeoutStartSec=%u\nExecStartPre=/bin/sh -c 'test "
			    "\"$$(systemctl %sis-system-running)\" != starting || exec sleep %u'\n",
			    text, START_SEC + request->delay_sec,
			    request->places.is_user ? "--user " : "", request->delay_sec);
}

static const char *drop_in_directory(const struct request *request, const char *machine)
{
	return arena_format(request->arena, "%s/%s.d", request->places.units,
			    unit_of_machine(request->arena, machine));
}

/* The directories of a path that are not there yet, up to its last slash. */
static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Whole or not at all: a half drop-in would be believed at the next boot. */
static int write_whole(struct arena *arena, const char *path, const char *text)
{
	char *new_path = arena_format(arena, "%s.new", path);
	auto_close int fd = -EBADF;
	int r;

	TRY(make_parents(new_path));
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && (fsync(fd) < 0 || rename(new_path, path) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(new_path);
	return r;
}

static int write_drop_in(const struct request *request, const char *machine)
{
	const char *path =
		arena_format(request->arena, "%s/" DROP_IN, drop_in_directory(request, machine));
	int r = write_whole(request->arena, path, compose(request));

	return r < 0 ? fail(r, "Cannot write '%s'", path) : 0;
}

static int remove_drop_in(const struct request *request, const char *machine)
{
	const char *directory = drop_in_directory(request, machine);
	const char *path = arena_format(request->arena, "%s/" DROP_IN, directory);

	if (unlink(path) < 0 && errno != ENOENT)
		return fail(-errno, "Cannot remove '%s'", path);
	(void)rmdir(directory); /* unless there are others' */
	return 0;
}

/* --- Trees --- */

/* A unit of its own, or a drop-in, may well name a tree at another place. */
static bool has_own_unit(const struct request *request, const char *machine)
{
	const char *path = arena_format(request->arena, "%s/%s", request->places.units,
					unit_of_machine(request->arena, machine));

	return access(path, F_OK) == 0 || access(drop_in_directory(request, machine), F_OK) == 0;
}

/* Whose tree is nowhere would be heard of at the host's next start only. */
static int check_trees(const struct request *request)
{
	struct found_image found;

	for (size_t i = 0; i < request->machines.count; i++)
		if (!has_own_unit(request, request->machines.items[i]))
			TRY(image_find(request->arena, request->machines.items[i], &request->places,
				       &found));
	return 0;
}

/* --- The deeds --- */

static int tell_failure(const struct request *request, int r, const char *why)
{
	const char *verb = request->is_enabling ? "enable" : "disable";

	if (r != -EREMOTEIO)
		return fail(r, "The service manager does not say whether it could %s the machines",
			    verb);
	(void)refuse(EIO, "The service manager does not %s the machines: %s", verb, why);
	if (strstr(why, TARGET))
		hint("Install 'machines.target' of nspawn, with the meson option 'machines_target'");
	else if (request->is_enabling)
		hint("The unit 'nspawn@.service' has to be where the service manager looks for units");
	return r;
}

static int enable(const struct request *request, struct bus *bus)
{
	struct strings units = {0};
	const char *why = "";
	int r;

	TRY(check_trees(request));
	for (size_t i = 0; i < request->machines.count; i++)
		if (request->after.count > 0 || request->delay_sec > 0)
			TRY(write_drop_in(request, request->machines.items[i]));
	strings_add(request->arena, &units, TARGET);
	for (size_t i = 0; i < request->machines.count; i++)
		strings_add(request->arena, &units,
			    unit_of_machine(request->arena, request->machines.items[i]));
	r = unit_enable(request->arena, bus, &units, &why);
	if (r < 0)
		return tell_failure(request, r, why);
	return request->is_now ? units_start(request->arena, bus, &request->machines,
					     request->places.is_user)
			       : 0;
}

/* machines.target stays: other machines, and other programs, have it. */
static int disable(const struct request *request, struct bus *bus)
{
	struct strings units = {0};
	const char *why = "";
	int r;

	for (size_t i = 0; i < request->machines.count; i++) {
		TRY(remove_drop_in(request, request->machines.items[i]));
		strings_add(request->arena, &units,
			    unit_of_machine(request->arena, request->machines.items[i]));
	}
	r = unit_disable(request->arena, bus, &units, &why);
	if (r < 0)
		return tell_failure(request, r, why);
	return request->is_now ? units_stop(request->arena, bus, &request->machines) : 0;
}

static int do_it(struct request *request)
{
	__attribute__((cleanup(bus_close))) struct bus bus = BUS_NONE;

	TRY(units_check_names(&request->machines));
	TRY(units_check_names(&request->after));
	TRY(places_find(request->arena, SCOPE_AUTO, &request->places));
	if (!request->places.units || units_open(request->arena, &request->places, &bus) < 0) {
		(void)refuse(
			EOPNOTSUPP,
			"Machines start with the host by its service manager, and none is found");
		hint("Have the host run 'nspawn start NAME' when it starts");
		return -EOPNOTSUPP;
	}
	return request->is_enabling ? enable(request, &bus) : disable(request, &bus);
}

/* --- The words --- */

static int read_word(struct request *request, const char *verb, const char *word)
{
	const bool is_enabling = request->is_enabling;

	if (*word != '-') {
		strings_add(request->arena, &request->machines, word);
	} else if (strcmp(word, "--now") == 0) {
		request->is_now = true;
	} else if (is_enabling && text_has_prefix(word, "--after=")) {
		text_words(request->arena, word + strlen("--after="), ",", &request->after);
	} else if (is_enabling && text_has_prefix(word, "--delay=")) {
		const char *value = word + strlen("--delay=");

		if (parse_u32(value, &request->delay_sec) < 0 || request->delay_sec > DELAY_MAX_SEC)
			return refuse(EINVAL, "'--delay' takes seconds, %d at most, not '%s'",
				      DELAY_MAX_SEC, value);
	} else {
		return refuse(EINVAL, "'%s' does not take '%s'", verb, word);
	}
	return 0;
}

static int run_verb(int argc, char **argv, bool is_enabling)
{
	auto_arena struct arena arena = {0};
	struct request request = {.arena = &arena, .is_enabling = is_enabling};

	for (int i = 1; i < argc; i++)
		if (read_word(&request, argv[0], argv[i]) < 0)
			return EXIT_FAILURE;
	if (request.machines.count == 0) {
		(void)refuse(EINVAL, "'%s' needs the name of a machine", argv[0]);
		return EXIT_FAILURE;
	}
	return do_it(&request) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int control_enable(int argc, char **argv)
{
	return run_verb(argc, argv, /* is_enabling= */ true);
}

int control_disable(int argc, char **argv)
{
	return run_verb(argc, argv, /* is_enabling= */ false);
}
