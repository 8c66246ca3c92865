/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pager's process, and which program it is.
 * Zone: free; doomed in the pager's process, which has a pipe of its own to say that it failed.
 */
#include "config/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>

#include "base/colours.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"

/* Quit at the end of what fits, keep colours and the screen, chop long lines, obey an interrupt. */
#define LESS_OPTIONS "FRSXMK"

/* How far a pager can be trusted: many can start a shell, and would do it with our rights. */
enum pager_trust {
	PAGER_FREE,
	PAGER_ONLY_LESS, /* the one that is known to obey $LESSSECURE */
	PAGER_CONFINED,  /* the caller says that the pager obeys it */
};

static bool terminal_is_dumb(void)
{
	const char *term = getenv("TERM");

	return !term || !*term || strcmp(term, "dumb") == 0;
}

/* The user who logged in, if that is somebody else: what runs for him must not run for us. */
static bool is_another_login(void)
{
	auto_free char *text = NULL;
	uint32_t uid;

	if (file_read(AT_FDCWD, "/proc/self/loginuid", 32, &text, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return parse_uid(text, &uid) == 0 && uid != geteuid(); /* nobody is no uid */
}

static bool is_another_caller(void)
{
	static const char *const variables[] = {"SUDO_UID", "PKEXEC_UID"};
	uint32_t uid;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *text = getenv(variables[i]);

		if (text && (parse_uid(text, &uid) < 0 || uid != geteuid()))
			return true;
	}
	return getenv("DOAS_USER") != NULL;
}

static enum pager_trust pager_trust(void)
{
	const char *said = getenv("SYSTEMD_PAGERSECURE");
	bool is_on;

	if (said && *said)
		return parse_bool(said, &is_on) == 0 && !is_on ? PAGER_FREE : PAGER_CONFINED;
	return getauxval(AT_SECURE) || is_another_caller() || is_another_login() ? PAGER_ONLY_LESS
										 : PAGER_FREE;
}

/* The user's choice as words, none of them for "no pager"; false if there is no choice. */
static bool chosen_pager(struct arena *arena, struct strings *ret)
{
	const char *text = getenv("SYSTEMD_PAGER");

	if (!text)
		text = getenv("PAGER");
	if (!text)
		return false;
	text_words(arena, text, BLANKS, ret);
	if (ret->count == 1 && strcmp(ret->items[0], "cat") == 0)
		ret->count = 0;
	return true;
}

static void set_up_environment(enum pager_trust trust)
{
	const char *options = getenv("SYSTEMD_LESS"), *charset = getenv("SYSTEMD_LESSCHARSET");

	(void)setenv("LESS", options ? options : LESS_OPTIONS, options != NULL);
	/* We speak UTF-8 whatever the locale is. */
	(void)setenv("LESSCHARSET", charset ? charset : "utf-8", charset != NULL);
	if (trust == PAGER_FREE)
		return;
	(void)setenv("LESSSECURE", "1", true);
	if (trust == PAGER_ONLY_LESS)
		(void)setenv("PATH", _PATH_STDPATH, true);
}

/* Only returns, with a negative errno, if no pager could be executed. */
static int execute(const struct strings *chosen, bool is_chosen, enum pager_trust trust)
{
	static const char *const usual[] = {"less", "more"};

	set_up_environment(trust);
	if (is_chosen && trust != PAGER_ONLY_LESS) {
		(void)execvp(chosen->items[0], (char **)chosen->items);
		return -errno;
	}
	for (size_t i = 0; i < (trust == PAGER_FREE ? ARRAY_LEN(usual) : 1); i++)
		(void)execlp(usual[i], usual[i], (char *)NULL);
	return -errno;
}

/* In the pager's process. */
static void become_pager(int text_fd, int status_fd, const struct strings *chosen, bool is_chosen)
{
	int r = -EBADF;

	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	if (dup2(text_fd, STDIN_FILENO) >= 0)
		r = execute(chosen, is_chosen, pager_trust());
	(void)!write(status_fd, &r, sizeof(r));
	_exit(EXIT_FAILURE);
}

/* Returns the descriptor to write to, or a negative errno if there is no pager. */
static int start(struct pager *pager, const struct strings *chosen, bool is_chosen)
{
	int text[2], status[2], r;

	if (pipe2(text, O_CLOEXEC) < 0)
		return -errno;
	auto_close int text_out = text[0];
	auto_close int text_in = text[1];
	if (pipe2(status, O_CLOEXEC) < 0)
		return -errno;
	auto_close int status_out = status[0];
	auto_close int status_in = status[1];

	(void)fflush(stdout);
	pager->pid = fork();
	if (pager->pid < 0) {
		pager->pid = 0;
		return -errno;
	}
	if (pager->pid == 0)
		become_pager(text_out, status_in, chosen, is_chosen);
	(void)close(steal_fd(status_in));
	/* It says why there is no pager; the exec closes it and says nothing. */
	if (read(status_out, &r, sizeof(r)) == sizeof(r)) {
		(void)waitpid(pager->pid, NULL, 0);
		pager->pid = 0;
		return r;
	}
	return steal_fd(text_in);
}

void pager_open(struct pager *pager, bool no_pager)
{
	auto_arena struct arena arena = {0};
	struct strings chosen = {0};
	bool is_chosen;
	int fd;

	*pager = (struct pager){.file = stdout, .is_coloured = colours_are_wanted(STDOUT_FILENO)};
	if (no_pager || !fd_is_terminal(STDOUT_FILENO) || terminal_is_dumb())
		return;
	is_chosen = chosen_pager(&arena, &chosen);
	fd = is_chosen && chosen.count == 0 ? -ENOENT : start(pager, &chosen, is_chosen);
	if (fd < 0)
		return;
	pager->file = fdopen(fd, "we");
	pager->on_pipe = signal(SIGPIPE, SIG_IGN);
	pager->on_interrupt = signal(SIGINT, SIG_IGN);
}

int pager_close(struct pager *pager)
{
	int r = 0;

	if (pager->pid == 0) {
		if (fflush(stdout) != 0 || ferror(stdout))
			r = -errno;
		return r < 0 && r != -EPIPE ? fail(r, "Cannot write to standard output") : 0;
	}
	(void)fclose(pager->file); /* who leaves the pager early does not want the rest */
	while (waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)signal(SIGPIPE, pager->on_pipe);
	(void)signal(SIGINT, pager->on_interrupt);
	return 0;
}
