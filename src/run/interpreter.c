/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads "#!" lines and ELF program headers as the kernel does, and where in doubt finds more than
 * it would.
 * Zone: any. Allocates nothing.
 */
#include "run/interpreter.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The kernel refuses a larger table (fs/binfmt_elf.c). */
#define HEADERS_MAX_BYTES 65536

static bool find_script_interpreter(const char *head, char ret_path[PATH_MAX])
{
	const char *end = memchr(head, '\n', INTERPRETER_HEAD_BYTES), *start = head + 2;
	size_t length = 0;

	if (head[0] != '#' || head[1] != '!')
		return false;
	end = end ? end : head + INTERPRETER_HEAD_BYTES;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (start + length < end && start[length] != ' ' && start[length] != '\t' &&
	       start[length] != '\0')
		length++;
	memcpy(ret_path, start, length);
	ret_path[length] = '\0';
	return length > 0;
}

/*
 * The part of the ELF header and of a program header that leads to the loader, for both word sizes
 * (elf(5)).
 */
struct table {
	uint64_t offset;
	size_t count, header_bytes;
};

struct segment {
	uint64_t offset, bytes;
};

static bool read_table(const char *head, bool is_wide, struct table *ret)
{
	Elf64_Ehdr wide;
	Elf32_Ehdr narrow;

	if (memcmp(head, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&wide, head, sizeof(wide));
	memcpy(&narrow, head, sizeof(narrow));
	if (is_wide)
		*ret = (struct table){wide.e_phoff, wide.e_phnum, sizeof(Elf64_Phdr)};
	else
		*ret = (struct table){narrow.e_phoff, narrow.e_phnum, sizeof(Elf32_Phdr)};
	return ret->header_bytes == (is_wide ? wide.e_phentsize : narrow.e_phentsize) &&
	       ret->count <= HEADERS_MAX_BYTES / ret->header_bytes;
}

/* The first one: the kernel looks at no other. */
static bool find_segment(int fd, const struct table *table, bool is_wide, struct segment *ret)
{
	for (size_t i = 0; i < table->count; i++) {
		off_t at = (off_t)(table->offset + i * table->header_bytes);
		union {
			Elf64_Phdr wide;
			Elf32_Phdr narrow;
		} header;

		if (pread(fd, &header, table->header_bytes, at) != (ssize_t)table->header_bytes)
			return false;
		if (header.wide.p_type != PT_INTERP) /* the first field in both */
			continue;
		if (is_wide)
			*ret = (struct segment){header.wide.p_offset, header.wide.p_filesz};
		else
			*ret = (struct segment){header.narrow.p_offset, header.narrow.p_filesz};
		return true;
	}
	return false;
}

static bool find_loader(int fd, const char *head, bool is_wide, char ret_path[PATH_MAX])
{
	struct table table;
	struct segment segment;

	return read_table(head, is_wide, &table) && find_segment(fd, &table, is_wide, &segment) &&
	       segment.bytes >= 2 && segment.bytes <= PATH_MAX &&
	       pread(fd, ret_path, segment.bytes, (off_t)segment.offset) ==
		       (ssize_t)segment.bytes &&
	       ret_path[segment.bytes - 1] == '\0';
}

bool interpreter_find(int fd, const char head[INTERPRETER_HEAD_BYTES], enum interpreter_kind kind,
		      char ret_path[PATH_MAX])
{
	if (kind == INTERPRETER_OF_SCRIPT)
		return find_script_interpreter(head, ret_path);
	return find_loader(fd, head, kind == LOADER_OF_64_BIT_ELF, ret_path);
}
