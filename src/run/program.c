/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Executes the payload's program, after looking at what the kernel would load for it: a script's interpreter and an
 * ELF file's loader are files of the tree, and one of them could be a link through /proc/self/exe to the only file of
 * the host that this process still holds, its own executable. The kernel would start that with the payload's rights,
 * and the payload could open it for writing.
 * Zone: doomed. Allocates nothing.
 */
#include "run/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"

/* Scripts may name scripts as interpreters; the kernel follows four (fs/exec.c, "This allows 4 levels"). */
#define INTERPRETER_DEPTH_MAX 5
#define HEAD_BYTES 256 /* what the kernel looks at, BINPRM_BUF_SIZE; an ELF header is shorter */
#define ARGUMENTS_MAX 1024

/* The word behind "#!", up to a blank or the end of the line. */
static bool find_script_interpreter(const char *head, size_t length, char ret[PATH_MAX])
{
	const char *start = head + 2, *end = memchr(head, '\n', length);

	if (length < 3 || head[0] != '#' || head[1] != '!')
		return false;
	end = end ? end : head + length;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	length = 0;
	while (start + length < end && start[length] != ' ' && start[length] != '\t' &&
	       start[length] != '\0')
		length++;
	if (length == 0 || length >= PATH_MAX)
		return false;
	memcpy(ret, start, length);
	ret[length] = '\0';
	return true;
}

/* The path in the PT_INTERP header, for both word sizes of this byte order (elf(5)). */
static bool find_loader(int fd, const char *head, size_t length, char ret[PATH_MAX])
{
	const unsigned char *ident = (const unsigned char *)head;
	Elf64_Ehdr wide;
	Elf32_Ehdr narrow;
	size_t count, size;
	uint64_t offset, path_offset = 0, path_size = 0;

	if (length < sizeof(wide) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&wide, head, sizeof(wide));
	memcpy(&narrow, head, sizeof(narrow));
	count = ident[EI_CLASS] == ELFCLASS64 ? wide.e_phnum : narrow.e_phnum;
	size = ident[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	offset = ident[EI_CLASS] == ELFCLASS64 ? wide.e_phoff : narrow.e_phoff;
	for (size_t i = 0; i < count && i < 128 && path_size == 0; i++) {
		union {
			Elf64_Phdr wide;
			Elf32_Phdr narrow;
		} header;

		if (pread(fd, &header, size, (off_t)(offset + i * size)) != (ssize_t)size)
			return false;
		if (header.wide.p_type != PT_INTERP) /* the first field in both */
			continue;
		path_offset = ident[EI_CLASS] == ELFCLASS64 ? header.wide.p_offset
							    : header.narrow.p_offset;
		path_size = ident[EI_CLASS] == ELFCLASS64 ? header.wide.p_filesz
							  : header.narrow.p_filesz;
	}
	if (path_size < 2 || path_size >= PATH_MAX ||
	    pread(fd, ret, path_size, (off_t)path_offset) != (ssize_t)path_size)
		return false;
	ret[path_size] = '\0';
	return true;
}

enum verdict {
	VERDICT_RUN,
	VERDICT_NO_INTERPRETER, /* the named interpreter or loader is not in the tree */
	VERDICT_MAGIC,          /* it leads out of the tree through procfs */
};

/* Looks at the chain of interpreters of 'path'; 'ret_interpreter' names the one that the verdict is about. */
static enum verdict inspect(int root_fd, const char *path, char ret_interpreter[PATH_MAX])
{
	char head[HEAD_BYTES];

	ret_interpreter[0] = '\0';
	for (int depth = 0; depth < INTERPRETER_DEPTH_MAX; depth++) {
		auto_close int fd = path_open(root_fd, depth == 0 ? path : ret_interpreter,
					      O_RDONLY | O_NONBLOCK, 0);
		ssize_t length;

		if (fd == -ELOOP)
			return VERDICT_MAGIC;
		if (fd == -ENOENT && depth > 0)
			return VERDICT_NO_INTERPRETER;
		/* May be executable without being readable; then the kernel alone knows. */
		if (fd < 0)
			return VERDICT_RUN;
		length = pread(fd, head, sizeof(head), 0);
		if (length <= 0 ||
		    (!find_script_interpreter(head, (size_t)length, ret_interpreter) &&
		     !find_loader(fd, head, (size_t)length, ret_interpreter)))
			return VERDICT_RUN;
	}
	return VERDICT_RUN;
}

/* Executes 'path'. Returns -ENOENT silently when it does not exist, else a negative errno after one sentence. */
static int execute_path(const struct program *program, const char *path,
			const char *const *arguments)
{
	char interpreter[PATH_MAX];
	enum verdict verdict = inspect(program->root_fd, path, interpreter);
	int r;

	if (verdict == VERDICT_MAGIC)
		return refuse(
			EACCES,
			"Cannot run '%s': it leads through a link of /proc to a file outside of the tree",
			*interpreter ? interpreter : path);
	(void)execve(path, (char *const *)arguments, program->environment);
	r = -errno;
	if (r == -ENOENT && verdict == VERDICT_NO_INTERPRETER)
		return fail(-ENOEXEC,
			    "Cannot run '%s': its interpreter or loader '%s' is not in the tree",
			    path, interpreter);
	if (r == -ENOENT || r == -ENOTDIR)
		return -ENOENT;
	(void)fail(r, "Cannot run '%s'", path);
	if (r == -ENOEXEC)
		hint("It may be a program for another processor: compare 'file %s' in the tree with 'uname -m'",
		     path);
	return r;
}

static int refuse_missing(const char *name)
{
	(void)fail(-ENOENT, "Cannot run '%s' in the tree", name);
	return -ENOENT;
}

/* execvp(3) without its fallback to a shell, which would hide what is wrong. */
static int execute_searched(const struct program *program)
{
	const char *name = program->arguments[0],
		   *next = program->search_path ? program->search_path : "";
	int result = -ENOENT;

	if (strchr(name, '/')) {
		int r = execute_path(program, name, program->arguments);

		return r == -ENOENT ? refuse_missing(name) : r;
	}
	while (*next && *name) {
		size_t length = strcspn(next, ":");
		char path[PATH_MAX];

		if (length > 0 &&
		    snprintf(path, sizeof(path), "%.*s/%s", (int)length, next, name) < PATH_MAX &&
		    access(path, X_OK) == 0)
			result = execute_path(program, path, program->arguments);
		if (result != -ENOENT)
			return result;
		next += length + (next[length] == ':');
	}
	(void)fail(-ENOENT, "Cannot run '%s' in the tree", name);
	hint("It is in none of the directories of PATH=%s there",
	     program->search_path ? program->search_path : "");
	return -ENOENT;
}

int program_execute(const struct program *program)
{
	const char *arguments[ARGUMENTS_MAX];
	char first[PATH_MAX];

	if (!program->candidates)
		return execute_searched(program);
	for (size_t i = 0; program->arguments[i] || i == 0; i++) {
		if (i + 1 >= ARGUMENTS_MAX)
			return refuse(E2BIG, "Cannot run an init with more than %d arguments",
				      ARGUMENTS_MAX - 2);
		arguments[i] = program->arguments[i];
		arguments[i + 1] = NULL;
	}
	arguments[0] = first;
	for (const char *const *candidate = program->candidates; *candidate; candidate++) {
		int r;

		(void)snprintf(first, sizeof(first), "%s%s", program->is_login_shell ? "-" : "",
			       program->is_login_shell ? path_last(*candidate) : *candidate);
		r = execute_path(program, *candidate, arguments);
		if (r != -ENOENT)
			return r;
	}
	(void)refuse(ENOENT, "There is no %s in the tree",
		     program->is_login_shell ? "shell" : "init");
	hint("Looked for %s and the like", program->candidates[0]);
	return -ENOENT;
}
