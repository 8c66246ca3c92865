/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the plan of each case, as text and as JSON, with the files beside it:
 *
 *     golden CASES-DIRECTORY            complains of each that differs
 *     golden --update CASES-DIRECTORY   writes what the plans are now, to be read in the diff
 */
#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/scope.h"
#include "fake.h"

#define COLUMNS 72 /* what fits into nspawn-plan(7), which quotes them */
#define CASE_MAX_BYTES ((size_t)1024 * 1024)

struct golden {
	const char *directory;
	bool updates;
	size_t cases, different;
};

static bool is_same_file(const char *path, const char *wanted)
{
	auto_free char *there = NULL;

	return file_read(AT_FDCWD, path, CASE_MAX_BYTES, &there, NULL) == 0 &&
	       strcmp(there, wanted) == 0;
}

static int settle(struct golden *golden, const char *path, const char *now)
{
	auto_fclose FILE *file = NULL;

	if (is_same_file(path, now))
		return 0;
	if (!golden->updates) {
		char other[4096];

		golden->different++;
		(void)snprintf(other, sizeof(other), "%s.now", path_last(path));
		file = fopen(other, "we");
		if (file)
			(void)fputs(now, file);
		fprintf(stderr, "%s is not what is made now: diff -u %s %s\n", path, path, other);
		return 0;
	}
	file = fopen(path, "we");
	return file && fputs(now, file) >= 0 ? 0 : -errno;
}

static int print_both(struct fake *fake, char **ret_text, char **ret_json)
{
	size_t length;
	FILE *file = open_memstream(ret_text, &length);

	explain_print_text(&fake->explanation, COLUMNS, file);
	(void)fclose(file);
	file = open_memstream(ret_json, &length);
	TRY(explain_print_json(&fake->explanation, file));
	(void)fclose(file);
	return 0;
}

static int run_case(struct golden *golden, const char *name)
{
	auto_free char *text = NULL, *as_text = NULL, *as_json = NULL;
	char path[4096];
	struct fake fake;
	int stem = (int)(strlen(name) - strlen(".case"));

	(void)clearenv();
	(void)snprintf(path, sizeof(path), "%s/%s", golden->directory, name);
	TRY(file_read(AT_FDCWD, path, CASE_MAX_BYTES, &text, NULL));
	if (fake_make(&fake, text) < 0) {
		fprintf(stderr, "%s makes no plan\n", path);
		for (size_t i = 0; i < fake.found.failures.count; i++)
			fprintf(stderr, "  %s\n", fake.found.failures.items[i].sentence);
		return -EINVAL;
	}
	TRY(print_both(&fake, &as_text, &as_json));
	(void)snprintf(path, sizeof(path), "%s/%.*s.txt", golden->directory, stem, name);
	TRY(settle(golden, path, as_text));
	(void)snprintf(path, sizeof(path), "%s/%.*s.json", golden->directory, stem, name);
	TRY(settle(golden, path, as_json));
	arena_done(&fake.config.arena);
	golden->cases++;
	return 0;
}

static int run_all(struct golden *golden)
{
	auto_closedir DIR *directory = opendir(golden->directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);

		if (length > 5 && strcmp(entry->d_name + length - 5, ".case") == 0)
			TRY(run_case(golden, entry->d_name));
	}
	return golden->cases > 0 ? 0 : -ENOENT;
}

int main(int argc, char **argv)
{
	struct golden golden = {.directory = argc > 1 ? argv[argc - 1] : "."};
	int r;

	golden.updates = argc > 2 && strcmp(argv[1], "--update") == 0;
	r = run_all(&golden);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", golden.directory, strerrordesc_np(-r));
	return r < 0 || golden.different > 0 ? 1 : 0;
}
