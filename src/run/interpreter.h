/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the head of a program's file makes the kernel load in its place or beside it.
 * Zone: any. Allocates nothing.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

/* What the kernel looks at, BINPRM_BUF_SIZE, with zeros behind the end of a shorter file. */
#define INTERPRETER_HEAD_BYTES 256

/*
 * The ways in which a file can name another. The kernel tells the two word sizes of ELF apart by
 * the machine and the size of a header, whatever the class in the head says, and some files can be
 * read as both: ask for each kind.
 */
enum interpreter_kind {
	INTERPRETER_OF_SCRIPT, /* the word behind "#!"; it may be a script again */
	LOADER_OF_64_BIT_ELF,
	LOADER_OF_32_BIT_ELF,
	_INTERPRETER_KIND_COUNT,
};

/*
 * Gives the path that the file 'fd', which begins with 'head', names in this way; false if it names
 * none that the kernel would take, and then 'ret_path' may hold anything.
 */
bool interpreter_find(int fd, const char head[INTERPRETER_HEAD_BYTES], enum interpreter_kind kind,
		      char ret_path[PATH_MAX]);
