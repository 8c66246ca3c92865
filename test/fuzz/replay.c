/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives every file of the directories named as arguments to a fuzz target, so that its corpus is an
 * ordinary test under every compiler. The target aborts on what must not be.
 */
#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/scope.h"
#include "fuzz.h"

#define INPUT_MAX_BYTES ((size_t)1024 * 1024)

static int replay_directory(const char *path)
{
	auto_closedir DIR *directory = opendir(path);
	const struct dirent *entry;
	int count = 0;

	while (directory && (entry = readdir(directory))) {
		auto_free char *bytes = NULL;
		size_t length;

		if (entry->d_name[0] == '.')
			continue;
		TRY(file_read(dirfd(directory), entry->d_name, INPUT_MAX_BYTES, &bytes, &length));
		(void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, length);
		count++;
	}
	return count > 0 ? 0 : -ENOENT;
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (replay_directory(argv[i]) < 0) {
			fprintf(stderr, "%s has no inputs, or one cannot be read\n", argv[i]);
			return 1;
		}
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	return argc > 1 ? 0 : 1;
}
