/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn top: what machines use, again and again.
 * Zone: owing: the terminal is given back as it was.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/await.h"
#include "control/probe.h"
#include "control/request.h"
#include "control/running.h"
#include "control/usage.h"

#define ONCE_USEC 500000 /* between the two looks that make a rate */
#define LINES_AROUND 3   /* the line above, the titles, and one at the end */

/* What was seen of a machine at one time. */
struct sample {
	const char *name;
	uint64_t started_usec, received_bytes, sent_bytes;
	bool has_traffic, is_frozen;
	struct usage usage;
};

/* All machines at one time. */
struct look {
	struct arena arena;
	uint64_t at_usec;
	struct sample *items;
	size_t count, room;
	uint64_t passed_usec; /* since the look before */
};

/* clang-format off */
static const struct output_column columns[] = {
	{"MACHINE",  "machine",              false},
	{"CPU%",     "cpu_percent",          true},
	{"MEMORY",   "memory_bytes",         true},
	{"TASKS",    "tasks",                true},
	{"READ/S",   "read_per_second",      true},
	{"WRITE/S",  "written_per_second",   true},
	{"RX/S",     "received_per_second",  true},
	{"TX/S",     "sent_per_second",      true},
	{NULL,       "cpu_usec",             true},
	{NULL,       "read_bytes",           true},
	{NULL,       "written_bytes",        true},
	{NULL,       "received_bytes",       true},
	{NULL,       "sent_bytes",           true},
	{NULL,       "paused",               false},
};
/* clang-format on */

static void look_done(struct look *look)
{
	arena_done(&look->arena);
}

static bool is_wanted(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->names.count; i++)
		if (strcmp(request->names.items[i], name) == 0)
			return true;
	return request->names.count == 0;
}

static int take_look(const struct request *request, const struct places *places, struct look *ret)
{
	struct look look = {0};
	auto_machines struct machines machines = machines_none(&look.arena, places);
	int r = machines_add_all(&machines, false);

	if (r < 0) {
		look_done(&look);
		return r;
	}
	probe_machines(&machines, PROBE_TRAFFIC);
	for (size_t i = 0; i < machines.count; i++) {
		const struct machine_view *machine = &machines.items[i];
		auto_close int group_fd = -EBADF;
		struct sample *sample;

		if (!machine->is_ours || !is_wanted(request, machine->name))
			continue;
		group_fd = usage_open(machine->entry.cgroup);
		sample = ARRAY_ADD(&look.arena, &look);
		*sample = (struct sample){.name = machine->name,
					  .started_usec = machine->entry.started_usec,
					  .received_bytes = machine->received_bytes,
					  .sent_bytes = machine->sent_bytes,
					  .has_traffic = machine->has_traffic,
					  .is_frozen = usage_is_frozen(group_fd)};
		usage_read(group_fd, &sample->usage);
	}
	look.at_usec = clock_now_usec();
	*ret = look;
	return 0;
}

/* --- Rates --- */

/* The same machine in the look before; NULL if it was not there. */
static const struct sample *before_of(const struct look *before, const struct sample *sample)
{
	for (size_t i = 0; i < before->count; i++)
		if (strcmp(before->items[i].name, sample->name) == 0 &&
		    before->items[i].started_usec == sample->started_usec)
			return &before->items[i];
	return NULL;
}

static struct output_cell count_cell(bool is_known, uint64_t count)
{
	return is_known ? output_number((int64_t)count) : output_text(NULL);
}

static struct output_cell bytes_cell(struct arena *arena, bool is_known, uint64_t bytes)
{
	return is_known ? output_shown((int64_t)bytes, output_bytes(arena, bytes))
			: output_text(NULL);
}

/* What is counted went from one number to the other. */
static struct output_cell rate_cell(struct look *look, bool is_known, uint64_t from, uint64_t to)
{
	uint64_t more = to > from ? to - from : 0;

	return bytes_cell(&look->arena, is_known,
			  (uint64_t)((double)more * 1e6 / (double)look->passed_usec));
}

static struct output_cell percent_cell(struct look *look, bool is_known, uint64_t from, uint64_t to)
{
	double percent = to > from ? (double)(to - from) * 100 / (double)look->passed_usec : 0;

	return is_known ? output_shown((int64_t)(percent + 0.5),
				       arena_format(&look->arena, "%.1f", percent))
			: output_text(NULL);
}

static void add_row(struct output_table *table, struct look *look, const struct sample *sample,
		    const struct sample *before)
{
	const struct usage *now = &sample->usage;
	const struct usage *then = before ? &before->usage : now;
	const struct sample *old = before ? before : sample;
	bool has_rate = before, has_traffic = sample->has_traffic;
	const struct output_cell cells[] = {
		output_text(sample->name),
		percent_cell(look, now->has_cpu && has_rate, then->cpu_usec, now->cpu_usec),
		bytes_cell(&look->arena, now->has_memory, now->memory_bytes),
		count_cell(now->has_tasks, now->tasks),
		rate_cell(look, now->has_io && has_rate, then->read_bytes, now->read_bytes),
		rate_cell(look, now->has_io && has_rate, then->written_bytes, now->written_bytes),
		rate_cell(look, has_traffic && has_rate, old->received_bytes,
			  sample->received_bytes),
		rate_cell(look, has_traffic && has_rate, old->sent_bytes, sample->sent_bytes),
		count_cell(now->has_cpu, now->cpu_usec),
		count_cell(now->has_io, now->read_bytes),
		count_cell(now->has_io, now->written_bytes),
		count_cell(has_traffic, sample->received_bytes),
		count_cell(has_traffic, sample->sent_bytes),
		output_truth(sample->is_frozen),
	};

	static_assert(ARRAY_LEN(cells) == ARRAY_LEN(columns), "a cell for each column");
	output_add(table, cells);
}

static int print_look(struct look *look, const struct look *before, const struct request *request,
		      size_t rows_max)
{
	const struct output_style style = {.form = request->form,
					   .has_no_legend = request->has_no_legend,
					   .things = look->count == 0 ? "machines" : NULL};
	struct output_table table = {
		.arena = &look->arena, .columns = columns, .column_count = ARRAY_LEN(columns)};

	look->passed_usec = look->at_usec - before->at_usec;
	if (look->passed_usec == 0)
		look->passed_usec = 1;
	for (size_t i = 0; i < look->count && i < rows_max; i++)
		add_row(&table, look, &look->items[i], before_of(before, &look->items[i]));
	return output_print(&table, &style);
}

/* --- Once --- */

static int show_once(const struct request *request, const struct places *places)
{
	__attribute__((cleanup(look_done))) struct look first = {0}, second = {0};

	TRY(take_look(request, places, &first));
	(void)usleep(ONCE_USEC);
	TRY(take_look(request, places, &second));
	return print_look(&second, &first, request, SIZE_MAX);
}

/* --- On a terminal --- */

struct screen {
	struct termios before;
	sigset_t mask;
	int signal_fd;
};

static int screen_take(struct screen *ret)
{
	struct termios mode;
	sigset_t set;

	if (tcgetattr(STDIN_FILENO, &ret->before) < 0)
		return fail(-errno, "Cannot read how the terminal is set up");
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, &ret->mask) < 0)
		return fail(-errno, "Cannot watch signals");
	ret->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ret->signal_fd < 0)
		return fail(-errno, "Cannot watch signals");
	mode = ret->before;
	mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
	/* Another page, without cursor, and without wrapping of what is too long. */
	(void)fputs("\033[?1049h\033[?25l\033[?7l", stdout);
	return 0;
}

static void screen_give_back(struct screen *screen)
{
	(void)fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
	(void)close(screen->signal_fd);
	(void)sigprocmask(SIG_SETMASK, &screen->mask, NULL);
}

static size_t screen_rows(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row <= LINES_AROUND)
		return 24 - LINES_AROUND;
	return size.ws_row - LINES_AROUND;
}

/* True when the user, or somebody with a signal, has had enough. */
static bool has_had_enough(const struct screen *screen, uint64_t delay_usec)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = screen->signal_fd, .events = POLLIN}};
	struct signalfd_siginfo info;
	char key = 0;

	if (poll(fds, ARRAY_LEN(fds), (int)(delay_usec / 1000)) <= 0)
		return false;
	if (fds[1].revents && read(screen->signal_fd, &info, sizeof(info)) == sizeof(info))
		return info.ssi_signo != SIGWINCH;
	if (fds[0].revents && read(STDIN_FILENO, &key, 1) != 1)
		return true;
	return key == 'q' || key == 'Q' || key == 'c' - 'a' + 1 || key == 'd' - 'a' + 1;
}

/* Looks, and prints what has changed since the look before, which is then gone. */
static int show_next(const struct request *request, const struct places *places,
		     struct look *before)
{
	struct look now;
	int r;

	TRY(take_look(request, places, &now));
	(void)printf("\033[H\033[JEvery %s; q ends it\n",
		     output_span(&now.arena, request->delay_usec));
	r = print_look(&now, before, request, screen_rows());
	look_done(before);
	*before = now;
	return r;
}

static int show_again(const struct request *request, const struct places *places,
		      const struct screen *screen)
{
	__attribute__((cleanup(look_done))) struct look before = {0};

	/* Without rates, at once. */
	TRY(show_next(request, places, &before));
	if (has_had_enough(screen, ONCE_USEC))
		return 0;
	do
		TRY(show_next(request, places, &before));
	while (!has_had_enough(screen, request->delay_usec));
	return 0;
}

/* One that runs no more is left out later; a name that none of ours has is a slip. */
static int refuse_unknown(struct arena *arena, const struct request *request,
			  const struct places *places)
{
	struct registry_entry entry;

	for (size_t i = 0; i < request->names.count; i++)
		TRY(registry_find(arena, places, request->names.items[i], &entry));
	return 0;
}

static int top(struct arena *arena, const struct request *request)
{
	struct places places;
	struct screen screen;
	int r;

	TRY(places_find(arena, request->scope, &places));
	TRY(refuse_unknown(arena, request, &places));
	if (request->is_once || request->form != OUTPUT_TEXT || !fd_is_terminal(STDIN_FILENO) ||
	    !fd_is_terminal(STDOUT_FILENO))
		return show_once(request, &places);
	TRY(screen_take(&screen));
	r = show_again(request, &places, &screen);
	screen_give_back(&screen);
	return r;
}

int control_top(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct request request;
	int r = request_read(&arena, argc, argv, REQUEST_FORM | REQUEST_LEGEND | REQUEST_TOP,
			     &request);

	if (r == 0)
		r = top(&arena, &request);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
