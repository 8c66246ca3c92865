/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are scripts or programs, or nearly: whatever is found is a text that fits. */
#include "run/interpreter.h"

#include <sys/mman.h>

#include "base/fd.h"
#include "base/scope.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_close int fd = memfd_create("program", MFD_CLOEXEC);
	char head[INTERPRETER_HEAD_BYTES] = {0};

	MUST(fd >= 0 && fd_write_all(fd, data, size) == 0);
	memcpy(head, size ? (const void *)data : "", size < sizeof(head) ? size : sizeof(head));
	for (int kind = 0; kind < _INTERPRETER_KIND_COUNT; kind++) {
		char *path = malloc(PATH_MAX);

		MUST(path);
		if (interpreter_find(fd, head, (enum interpreter_kind)kind, path))
			MUST(strnlen(path, PATH_MAX) < PATH_MAX);
		free(path);
	}
	return 0;
}
