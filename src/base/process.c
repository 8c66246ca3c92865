/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files of /proc/PID.
 * Zone: any.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/scope.h"

pid_t process_parent(pid_t pid)
{
	auto_free char *text = NULL;
	const char *end;
	char path[64];
	int parent;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	TRY(file_read(AT_FDCWD, path, 65536, &text, NULL));
	/* The name before may hold anything. */
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : -EIO;
}
