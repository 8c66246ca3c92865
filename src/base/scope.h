/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scope-bound ownership: clean-up attributes, hand-over of owned values, and the one macro with
 * control flow.
 * Zone: any.
 */
#pragma once

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Evaluates an int expression; a negative result is returned from the calling function. */
#define TRY(expr) \
	do { \
		int try_result = (expr); \
		if (try_result < 0) \
			return try_result; \
	} while (0)

static inline void scope_free(void *pointer)
{
	void **owned = pointer;

	free(*owned);
}

static inline void scope_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing is left to write; Linux closes even on EINTR */
	errno = saved;
}

static inline void scope_fclose(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static inline void scope_closedir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/*
 * The variable owns what it holds and gives it up at the end of its scope. Initialise at
 * declaration.
 */
#define auto_free __attribute__((cleanup(scope_free)))
#define auto_close __attribute__((cleanup(scope_close)))
#define auto_fclose __attribute__((cleanup(scope_fclose)))
#define auto_closedir __attribute__((cleanup(scope_closedir)))

static inline int steal_fd_from(int *fd)
{
	int taken = *fd;

	*fd = -EBADF;
	return taken;
}

/* Hands an owned value on: the variable is left empty. */
#define steal_fd(fd) steal_fd_from(&(fd))
#define steal_ptr(pointer) \
	__extension__({ \
		__typeof__(pointer) taken = (pointer); \
		(pointer) = NULL; \
		taken; \
	})
