/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Executes the payload's program, after looking at what the kernel would load for it: a script's
 * interpreter and an ELF file's loader are files of the tree, and one of them could be a link
 * through /proc/self/exe to the only file of the host that this process still holds, its own
 * executable. The kernel would start that with the payload's rights, and the payload could open it
 * for writing.
 * Zone: doomed. Allocates nothing.
 */
#include "run/program.h"

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
#include "run/interpreter.h"

/*
 * A program, the five interpreters that the kernel follows when scripts name scripts (fs/exec.c,
 * exec_binprm()), and the loader of the last one.
 */
#define FILES_MAX 7
#define ARGUMENTS_MAX 1024

enum verdict { /* the graver one counts */
	VERDICT_RUN,
	VERDICT_ABSENT,         /* it is not there */
	VERDICT_NO_LOADER,      /* its loader is not in the tree, if the kernel wants that one */
	VERDICT_NO_INTERPRETER, /* the interpreter that it names is not in the tree */
	VERDICT_HIDDEN,         /* nobody could look at it, so nobody knows */
	VERDICT_MAGIC,          /* it leads out of the tree through procfs */
};

/* As the kernel will for the exec: a relative path is one of the working directory. */
static int open_program(int root_fd, const char *path)
{
	char full[2 * PATH_MAX];
	size_t length;

	if (*path == '/')
		return path_open(root_fd, path, O_RDONLY | O_NONBLOCK, 0);
	if (!getcwd(full, PATH_MAX))
		return -errno;
	length = strlen(full);
	(void)snprintf(full + length, sizeof(full) - length, "/%s", path);
	return path_open(root_fd, full, O_RDONLY | O_NONBLOCK, 0);
}

/*
 * Looks at 'path', after 'depth' others that led to it, and at what it leads to; 'ret_interpreter',
 * empty before, names the interpreter that the verdict is about.
 */
static enum verdict inspect(int root_fd, const char *path, int depth,
			    char ret_interpreter[PATH_MAX])
{
	auto_close int fd = open_program(root_fd, path);
	char head[INTERPRETER_HEAD_BYTES] = {0}, next[PATH_MAX];
	enum verdict result = VERDICT_RUN;

	if (fd < 0 && depth > 0)
		(void)snprintf(ret_interpreter, PATH_MAX, "%s", path);
	if (fd == -ELOOP)
		return VERDICT_MAGIC;
	if ((fd == -ENOENT || fd == -ENOTDIR) && depth > 0)
		return depth + 1 < FILES_MAX ? VERDICT_NO_INTERPRETER : VERDICT_NO_LOADER;
	if (fd == -ENOENT || fd == -ENOTDIR)
		return VERDICT_ABSENT;
	/*
	 * The kernel reads what we may not, if it may be executed. A loader names nothing further:
	 * that it is no link is known when reading it is all that failed.
	 */
	if (fd < 0)
		return fd == -EACCES && depth + 1 >= FILES_MAX ? VERDICT_RUN : VERDICT_HIDDEN;
	if (depth + 1 >= FILES_MAX || pread(fd, head, sizeof(head), 0) <= 0)
		return VERDICT_RUN;
	for (int kind = 0; kind < _INTERPRETER_KIND_COUNT && result != VERDICT_MAGIC; kind++) {
		/* A loader is loaded as it is. */
		int next_depth = kind == INTERPRETER_OF_SCRIPT ? depth + 1 : FILES_MAX - 1;

		if (interpreter_find(fd, head, (enum interpreter_kind)kind, next)) {
			enum verdict verdict = inspect(root_fd, next, next_depth, ret_interpreter);

			result = verdict > result ? verdict : result;
		}
	}
	return result;
}

/* The error's own text says little about the three mistakes that are made most. */
static void hint_reason(int root_fd, const char *path, int error)
{
	auto_close int fd = open_program(root_fd, path);
	char magic[4] = "";
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return;
	if (error == -EACCES && S_ISDIR(status.st_mode))
		hint("It is a directory");
	else if (error == -EACCES && (status.st_mode & 0111) == 0)
		hint("It is not executable: 'chmod +x' on it makes it so");
	if (error != -ENOEXEC)
		return;
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, "\177ELF", sizeof(magic)) == 0)
		hint("It may be a program for another processor: compare 'file %s' in the tree with 'uname -m'",
		     path);
	else
		hint("It is no program, and a script has to begin with '#!' and its interpreter, like '#!/bin/sh'");
}

/* -ENOENT: silently. */
static int explain(int root_fd, const char *path, enum verdict verdict, const char *interpreter,
		   int r)
{
	if (r == -ENOENT && (verdict == VERDICT_NO_INTERPRETER || verdict == VERDICT_NO_LOADER))
		return fail(-ENOEXEC,
			    "Cannot run '%s': its interpreter or loader '%s' is not in the tree",
			    path, interpreter);
	if (r == -ENOENT || r == -ENOTDIR)
		return -ENOENT;
	(void)fail(r, "Cannot run '%s'", path);
	hint_reason(root_fd, path, r);
	return r;
}

static int do_execute(const struct program *program, const char *path, char *const *arguments)
{
	if (program->execute)
		return program->execute(program->userdata, path, arguments, program->environment);
	(void)execve(path, arguments, program->environment);
	return -errno;
}

/*
 * Executes 'path'. Returns -ENOENT silently when it does not exist, else a negative errno after one
 * sentence.
 */
static int execute_path(const struct program *program, const char *path,
			const char *const *arguments)
{
	char interpreter[PATH_MAX] = "";
	enum verdict verdict = inspect(program->root_fd, path, 0, interpreter);
	int r;

	if (verdict == VERDICT_MAGIC)
		return refuse(
			EACCES,
			"Cannot run '%s': it leads through a link of /proc to a file outside of the tree",
			*interpreter ? interpreter : path);
	if (verdict == VERDICT_HIDDEN)
		return refuse(
			EACCES,
			"Cannot run '%s': it cannot be read to see which files the kernel would load for it",
			*interpreter ? interpreter : path);
	/*
	 * For who executes it in our place it may be there after all: /proc/self, which we are not
	 * in. That leads to what executes, never to a file of the tree.
	 */
	if (program->execute && (verdict == VERDICT_ABSENT || verdict == VERDICT_NO_INTERPRETER))
		return explain(program->root_fd, path, verdict, interpreter, -ENOENT);
	r = do_execute(program, path, (char *const *)arguments);
	return explain(program->root_fd, path, verdict, interpreter, r);
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

int program_refuse_missing(const char *const *candidates, bool is_login_shell)
{
	char list[PATH_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; candidates[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 i == 0              ? ""
					 : candidates[i + 1] ? ", "
							     : " and ",
					 candidates[i]);
	(void)refuse(ENOENT, "There is no %s in the tree", is_login_shell ? "shell" : "init");
	if (is_login_shell)
		hint("Looked for %s; name a command that it has", list);
	else
		hint("Looked for %s; without '--boot' a command or shell runs", list);
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
	return program_refuse_missing(program->candidates, program->is_login_shell);
}

int program_explain(int root_fd, const char *path, int r)
{
	char interpreter[PATH_MAX] = "";
	enum verdict verdict = inspect(root_fd, path, 0, interpreter);

	r = explain(root_fd, path, verdict, interpreter, r);
	return r == -ENOENT ? refuse_missing(path) : r;
}
