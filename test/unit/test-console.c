/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console with real pseudo-terminals: one plays the caller's terminal on our standard streams,
 * another one is the guest's. Needs no root, but hangs a terminal up only with it.
 */
#include "run/console.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/scope.h"
#include "check.h"

#define MIB ((size_t)1024 * 1024)

/* The test's own standard input and output while others are on stage. */
static int kept[2] = {-EBADF, -EBADF};

/* Puts descriptors on 0 and 1; negative keeps what is there. */
static void stage_enter(int input, int output)
{
	const int given[2] = {input, output};

	for (int fd = 0; fd < 2; fd++) {
		kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		if (given[fd] >= 0)
			(void)dup2(given[fd], fd);
	}
}

static void stage_leave(void)
{
	for (int fd = 0; fd < 2; fd++) {
		(void)dup2(kept[fd], fd);
		(void)close(kept[fd]);
	}
}

struct pty {
	int master, slave;
};

static struct pty pty_open(void)
{
	struct pty pty = {.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};

	CHECK(unlockpt(pty.master) == 0);
	pty.slave = ioctl(pty.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(pty.slave >= 0);
	return pty;
}

static void pty_close(struct pty *pty)
{
	if (pty->master >= 0)
		(void)close(pty->master);
	if (pty->slave >= 0)
		(void)close(pty->slave);
	*pty = (struct pty){-EBADF, -EBADF};
}

static void make_raw(int fd)
{
	struct termios modes;

	CHECK(tcgetattr(fd, &modes) == 0);
	cfmakeraw(&modes);
	CHECK(tcsetattr(fd, TCSANOW, &modes) == 0);
}

static bool same_modes(int fd, const struct termios *expected)
{
	struct termios now;

	return tcgetattr(fd, &now) == 0 && now.c_iflag == expected->c_iflag &&
	       now.c_oflag == expected->c_oflag && now.c_lflag == expected->c_lflag &&
	       now.c_cflag == expected->c_cflag &&
	       memcmp(now.c_cc, expected->c_cc, sizeof(now.c_cc)) == 0;
}

static void console_open(struct console *console, enum console_mode mode, int master)
{
	const bool is_terminal[3] = {fd_is_terminal(0), fd_is_terminal(1), false};
	struct console_plan plan;

	console_decide(mode, is_terminal, /* terminal_is_dumb= */ false, &plan);
	CHECK(console_start(console, &plan, master) == 0);
}

/* One turn of a supervisor's loop. Returns poll's result; *ret_event may be NULL. */
static int turn(struct console *console, int timeout_msec, int *ret_event)
{
	struct pollfd fds[CONSOLE_POLLFDS];
	size_t n = console_pollfds(console, fds);
	int ready = poll(fds, n, timeout_msec), event;

	CHECK(n <= CONSOLE_POLLFDS);
	event = console_dispatch(console, fds, n);
	CHECK(event >= 0);
	if (ret_event)
		*ret_event = event;
	return ready;
}

/* Turns until nothing happens for a moment. */
static void settle(struct console *console)
{
	for (int i = 0; i < 1000 && turn(console, 20, NULL) > 0; i++)
		;
}

/* Reads what is there now, as text. */
static const char *text_from(int fd)
{
	static char text[8192];
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	size_t used = 0;

	while (used < sizeof(text) - 1 && poll(&ready, 1, 50) > 0) {
		ssize_t got = read(fd, text + used, sizeof(text) - 1 - used);

		if (got <= 0)
			break;
		used += (size_t)got;
	}
	text[used] = '\0';
	return text;
}

static void put(int fd, const char *text)
{
	CHECK(fd_write_all(fd, text, strlen(text)) == 0);
}

/* The n-th byte of an endless pattern without a short period, all values. */
static unsigned char pattern(size_t n)
{
	uint64_t x = n * 0x9e3779b97f4a7c15U;

	return (unsigned char)(x >> 56 ^ x >> 33);
}

static void write_pattern(int fd, size_t total)
{
	unsigned char block[8192];

	for (size_t done = 0; done < total; done += sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = pattern(done + i);
		if (fd_write_all(fd, block, sizeof(block)) < 0)
			_exit(2);
	}
}

/* Counts pattern bytes up to 'max' or the end; SIZE_MAX at the first wrong one. */
static size_t read_pattern(int fd, size_t max)
{
	unsigned char block[8192];
	size_t done = 0;
	ssize_t got;

	while (done < max && (got = read(fd, block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < got; i++)
			if (block[i] != pattern(done++))
				return SIZE_MAX;
	return done;
}

static bool has_ended(pid_t child, int *ret_status)
{
	return waitpid(child, ret_status, WNOHANG) == child;
}

static void check_exit(pid_t child)
{
	int status = -1;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- pure parts ---- */

struct decide_row {
	bool is_terminal[3];
	enum console_mode by_default, autopipe;
	bool pipe_input; /* pipe mode forwards input */
	int pipe_output; /* and where output goes */
};

static const struct decide_row decide_rows[] = {
	{{false, false, false}, CONSOLE_READ_ONLY, CONSOLE_PIPE, false, -EBADF},
	{{false, false, true}, CONSOLE_READ_ONLY, CONSOLE_PIPE, false, 2},
	{{false, true, false}, CONSOLE_READ_ONLY, CONSOLE_PIPE, false, 1},
	{{false, true, true}, CONSOLE_READ_ONLY, CONSOLE_PIPE, false, 1},
	{{true, false, false}, CONSOLE_READ_ONLY, CONSOLE_PIPE, true, 0},
	{{true, false, true}, CONSOLE_READ_ONLY, CONSOLE_PIPE, true, 2},
	{{true, true, false}, CONSOLE_INTERACTIVE, CONSOLE_INTERACTIVE, true, 1},
	{{true, true, true}, CONSOLE_INTERACTIVE, CONSOLE_INTERACTIVE, true, 1},
};
static_assert(ARRAY_LEN(decide_rows) == 8, "all combinations");

static void check_own_pty(const struct console_plan *plan, enum console_mode mode)
{
	CHECK(plan->mode == mode && plan->pty_is_needed);
	CHECK(plan->stream_is_pty[0] && plan->stream_is_pty[1] && plan->stream_is_pty[2]);
	CHECK(plan->input_is_forwarded == (mode == CONSOLE_INTERACTIVE));
	CHECK(plan->output_is_forwarded == (mode != CONSOLE_PASSIVE));
	CHECK(plan->output_stream == (mode == CONSOLE_PASSIVE ? -EBADF : 1));
}

static void check_pipe(const struct console_plan *plan, const struct decide_row *row)
{
	bool any = row->is_terminal[0] || row->is_terminal[1] || row->is_terminal[2];

	CHECK(plan->mode == CONSOLE_PIPE && plan->pty_is_needed == any);
	/* No terminal of the caller is ever handed over, and nothing else is replaced. */
	CHECK(memcmp(plan->stream_is_pty, row->is_terminal, sizeof(row->is_terminal)) == 0);
	CHECK(plan->input_is_forwarded == row->pipe_input);
	CHECK(plan->output_is_forwarded == any && plan->output_stream == row->pipe_output);
	CHECK(!plan->term_is_passed);
}

static void test_decide(void)
{
	struct console_plan plan;

	for (const struct decide_row *row = decide_rows; row < decide_rows + ARRAY_LEN(decide_rows);
	     row++) {
		console_decide(CONSOLE_DEFAULT, row->is_terminal, false, &plan);
		check_own_pty(&plan, row->by_default);
		CHECK(plan.term_is_passed == row->is_terminal[1]);
		console_decide(CONSOLE_DEFAULT, row->is_terminal, true, &plan);
		CHECK(!plan.term_is_passed);
		console_decide(CONSOLE_INTERACTIVE, row->is_terminal, false, &plan);
		check_own_pty(&plan, CONSOLE_INTERACTIVE);
		console_decide(CONSOLE_READ_ONLY, row->is_terminal, false, &plan);
		check_own_pty(&plan, CONSOLE_READ_ONLY);
		console_decide(CONSOLE_PASSIVE, row->is_terminal, false, &plan);
		check_own_pty(&plan, CONSOLE_PASSIVE);
		console_decide(CONSOLE_PIPE, row->is_terminal, false, &plan);
		check_pipe(&plan, row);
		console_decide(CONSOLE_AUTOPIPE, row->is_terminal, false, &plan);
		if (row->autopipe == CONSOLE_PIPE)
			check_pipe(&plan, row);
		else
			check_own_pty(&plan, row->autopipe);
	}
}

struct keys_row {
	const char *bytes;
	unsigned int msec[5]; /* when each is typed */
	enum console_event last;
};

static const struct keys_row keys_rows[] = {
	{"\x1d\x1d\x1d", {0, 500, 1000}, CONSOLE_KILL},
	{"\x1d\x1dr", {0, 0, 0}, CONSOLE_REBOOT},
	{"\x1d\x1dp", {0, 10, 20}, CONSOLE_POWEROFF},
	{"\x1d\x1dq", {0, 10, 20}, CONSOLE_UNKNOWN_KEY},
	{"\x1d\x1dR", {0, 10, 20}, CONSOLE_UNKNOWN_KEY},
	{"\x1d\x1d"
	 "1",
	 {0, 10, 20},
	 CONSOLE_NOTHING},
	{"\x1d\x1d\x1d", {0, 500, 1001}, CONSOLE_NOTHING},
	{"\x1d\x1dr", {0, 500, 1001}, CONSOLE_NOTHING},
	{"\x1d\x1d\x1d\x1d", {0, 900, 1500, 1600}, CONSOLE_KILL},
	{"\x1d\x1d\x1d\x1d", {0, 0, 0, 0}, CONSOLE_NOTHING}, /* the fourth begins anew */
	{"\x1d"
	 "a\x1d\x1dr",
	 {0, 1, 2, 3, 4},
	 CONSOLE_REBOOT},
	{"\x1d"
	 "a\x1dr",
	 {0, 1, 2, 3},
	 CONSOLE_NOTHING},
	{"\x1d\x1d"
	 "1r",
	 {0, 1, 2, 3},
	 CONSOLE_NOTHING},
	{"rp", {0, 1}, CONSOLE_NOTHING},
};

static void test_keys(void)
{
	for (size_t row = 0; row < ARRAY_LEN(keys_rows); row++) {
		enum console_event last = CONSOLE_NOTHING;
		struct console_keys keys = {};

		for (size_t i = 0; keys_rows[row].bytes[i]; i++)
			last = console_keys_feed(&keys, (unsigned char)keys_rows[row].bytes[i],
						 7000000 + (uint64_t)keys_rows[row].msec[i] * 1000);
		if (last != keys_rows[row].last)
			fprintf(stderr, "hotkey row %zu gives %d\n", row, (int)last);
		CHECK(last == keys_rows[row].last);
	}
}

/* ---- terminals ---- */

static void test_never_started(void)
{
	struct console console = {};
	struct console_plan plan = {.mode = CONSOLE_PIPE, .output_stream = -EBADF};
	struct pollfd fds[CONSOLE_POLLFDS];

	CHECK(console_start(&console, &plan, -EBADF) == 0);
	CHECK(console_pollfds(&console, fds) == 0);
	CHECK(console_dispatch(&console, fds, 0) == CONSOLE_NOTHING);
	CHECK(console_drain(&console, -EBADF) == 0);
	console_window_changed(&console);
	console_resumed(&console);
	console_stop(&console);
	CHECK(fcntl(0, F_GETFD) >= 0);
}

static void test_raw_and_restored(void)
{
	struct pty terminal = pty_open(), guest = pty_open();
	struct console console = {};
	struct termios before, raw;

	CHECK(tcgetattr(terminal.slave, &before) == 0);
	before.c_cc[VINTR] = 7; /* something of the user's own */
	before.c_iflag |= IXANY;
	CHECK(tcsetattr(terminal.slave, TCSANOW, &before) == 0);
	CHECK(tcgetattr(terminal.slave, &before) == 0);
	stage_enter(terminal.slave, terminal.slave);
	console_open(&console, CONSOLE_DEFAULT, guest.master);
	CHECK(tcgetattr(terminal.slave, &raw) == 0);
	CHECK(!(raw.c_lflag & (ICANON | ECHO | ISIG)) && !(raw.c_oflag & OPOST) &&
	      !(raw.c_iflag & IXON));
	CHECK(!(fcntl(0, F_GETFL) & O_NONBLOCK) && !(fcntl(1, F_GETFL) & O_NONBLOCK));

	/* Somebody else's modes after a stop. */
	CHECK(tcsetattr(terminal.slave, TCSANOW, &before) == 0);
	console_resumed(&console);
	CHECK(same_modes(terminal.slave, &raw));

	console_stop(&console);
	CHECK(same_modes(terminal.slave, &before));
	CHECK(tcsetattr(terminal.slave, TCSANOW, &raw) == 0);
	console_stop(&console);
	CHECK(same_modes(terminal.slave, &raw));
	CHECK(fcntl(guest.master, F_GETFD) < 0);
	stage_leave();
	guest.master = -EBADF;
	pty_close(&guest);
	pty_close(&terminal);
}

/* Input and output on different terminals: only output processing is switched off on the second. */
static void test_two_terminals(void)
{
	struct pty in = pty_open(), out = pty_open(), guest = pty_open();
	struct console console = {};
	struct termios in_before, out_before, now;

	CHECK(tcgetattr(in.slave, &in_before) == 0 && tcgetattr(out.slave, &out_before) == 0);
	stage_enter(in.slave, out.slave);
	console_open(&console, CONSOLE_DEFAULT, guest.master);
	CHECK(tcgetattr(in.slave, &now) == 0 && !(now.c_lflag & ICANON));
	CHECK(tcgetattr(out.slave, &now) == 0 && !(now.c_oflag & OPOST) &&
	      now.c_lflag == out_before.c_lflag);
	console_stop(&console);
	CHECK(same_modes(in.slave, &in_before) && same_modes(out.slave, &out_before));
	stage_leave();
	guest.master = -EBADF;
	pty_close(&guest);
	pty_close(&out);
	pty_close(&in);
}

static void check_size(int fd, unsigned int rows, unsigned int columns)
{
	struct winsize size = {};

	CHECK(ioctl(fd, TIOCGWINSZ, &size) == 0);
	CHECK(size.ws_row == rows && size.ws_col == columns);
}

static void test_sizes(void)
{
	struct pty terminal = pty_open(), guest = pty_open();
	struct winsize size = {.ws_row = 33, .ws_col = 77};
	struct console console = {};

	CHECK(ioctl(terminal.master, TIOCSWINSZ, &size) == 0);
	(void)setenv("LINES", "12", 1);
	(void)setenv("COLUMNS", "123", 1);
	stage_enter(terminal.slave, terminal.slave);
	console_open(&console, CONSOLE_INTERACTIVE, guest.master);
	check_size(guest.slave, 33, 77);
	size.ws_row = 44;
	CHECK(ioctl(terminal.master, TIOCSWINSZ, &size) == 0);
	console_window_changed(&console);
	check_size(guest.slave, 44, 77);
	console_stop(&console);
	stage_leave();
	(void)close(guest.slave);

	for (int i = 0; i < 2; i++) {
		auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		guest = pty_open();
		stage_enter(null_fd, null_fd);
		console_open(&console, CONSOLE_READ_ONLY, guest.master);
		check_size(guest.slave, i ? 24 : 12, i ? 65535 : 123);
		console_stop(&console);
		stage_leave();
		(void)close(guest.slave);
		(void)setenv("LINES", "65536", 1);
		(void)setenv("COLUMNS", "65535", 1);
	}
	pty_close(&terminal);
}

/*
 * What the caller types, reaches the guest, hotkeys too, and what the guest says, comes out
 * unchanged.
 */
static void test_interactive(void)
{
	struct pty terminal = pty_open(), guest = pty_open();
	struct console console = {};
	int event = -1;

	stage_enter(terminal.slave, terminal.slave);
	console_open(&console, CONSOLE_DEFAULT, guest.master);
	make_raw(guest.slave);
	CHECK(turn(&console, 50, NULL) == 0); /* idle */

	put(guest.slave, "a\nb\x1b[1m\r\n");
	settle(&console);
	CHECK_TEXT(text_from(terminal.master), "a\nb\x1b[1m\r\n");

	put(terminal.master, "ls\r\x03\x1a\x04");
	settle(&console);
	CHECK_TEXT(text_from(guest.slave), "ls\r\x03\x1a\x04");

	put(terminal.master, "x\x1d\x1d");
	turn(&console, 1000, &event);
	CHECK(event == CONSOLE_NOTHING);
	put(terminal.master, "p");
	turn(&console, 1000, &event);
	CHECK(event == CONSOLE_POWEROFF);
	put(terminal.master, "\x1d\x1dr\x1d\x1d\x1d\x1d\x1dz");
	turn(&console, 1000, &event);
	CHECK(event == CONSOLE_KILL);
	CHECK_TEXT(text_from(guest.slave), "x\x1d\x1dp\x1d\x1dr\x1d\x1d\x1d\x1d\x1dz");
	CHECK_TEXT(text_from(terminal.master), ""); /* nothing of our own */
	console_stop(&console);
	stage_leave();
	guest.master = -EBADF;
	pty_close(&guest);
	pty_close(&terminal);
}

/* End of input makes a console read-only; the guest sees neither it nor an end of file. */
static void test_input_ends(void)
{
	struct pty guest = pty_open();
	struct console console = {};
	struct pollfd fds[CONSOLE_POLLFDS];
	int in[2], out[2];

	CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	stage_enter(in[0], out[1]);
	console_open(&console, CONSOLE_INTERACTIVE, guest.master);
	make_raw(guest.slave);
	put(in[1], "last words");
	(void)close(in[1]);
	settle(&console);
	CHECK_TEXT(text_from(guest.slave), "last words");
	CHECK(console_pollfds(&console, fds) == 1 && fds[0].fd == guest.master &&
	      fds[0].events == POLLIN);
	put(guest.slave, "still here");
	settle(&console);
	CHECK_TEXT(text_from(out[0]), "still here");
	console_stop(&console);
	stage_leave();
	(void)close(in[0]);
	(void)close(out[0]);
	(void)close(out[1]);
	(void)close(guest.slave);
}

static void test_read_only_and_passive(void)
{
	struct pty terminal = pty_open(), guest = pty_open();
	struct console console = {};
	struct pollfd fds[CONSOLE_POLLFDS];
	struct termios before;

	CHECK(tcgetattr(terminal.slave, &before) == 0);
	stage_enter(terminal.slave, terminal.slave);
	console_open(&console, CONSOLE_READ_ONLY, guest.master);
	CHECK(same_modes(terminal.slave, &before));
	put(terminal.master, "typed\n");
	put(guest.slave, "shown");
	settle(&console);
	CHECK_TEXT(text_from(guest.slave), "");
	CHECK(strstr(text_from(terminal.master), "shown") != NULL);
	console_stop(&console);
	(void)close(guest.slave);

	guest = pty_open();
	console_open(&console, CONSOLE_PASSIVE, guest.master);
	put(guest.slave, "unseen");
	CHECK(console_pollfds(&console, fds) == 0);
	CHECK(console_drain(&console, -EBADF) == 0);
	CHECK_TEXT(text_from(terminal.master), "");
	console_stop(&console);
	stage_leave();
	(void)close(guest.slave);
	pty_close(&terminal);
}

/*
 * An init closes the console, hangs it up and opens it again: no end, no spinning, no lost output.
 */
static void test_guest_closes_console(void)
{
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct pty guest = pty_open();
	struct console console = {};
	char name[64];
	int out[2], slave;

	CHECK(ptsname_r(guest.master, name, sizeof(name)) == 0);
	CHECK(pipe2(out, O_CLOEXEC) == 0);
	stage_enter(null_fd, out[1]);
	console_open(&console, CONSOLE_READ_ONLY, guest.master);
	put(guest.slave, "first");
	(void)close(guest.slave);
	settle(&console);
	CHECK_TEXT(text_from(out[0]), "first");
	CHECK(turn(&console, 100, NULL) == 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	put(slave, "second");
	settle(&console);
	CHECK_TEXT(text_from(out[0]), "second");

	if (ioctl(slave, TIOCVHANGUP) < 0) {
		const char *must = getenv("NSPAWN_TEST_MUST_RUN");

		CHECK(errno == EPERM && !(must && strstr(must, "root")));
		fprintf(stderr, "note: hanging up a terminal needs root, not tried\n");
	} else {
		CHECK(write(slave, "x", 1) < 0); /* really hung up, our own slave too */
		CHECK(turn(&console, 100, NULL) == 0);
		(void)close(slave);
		CHECK(turn(&console, 100, NULL) == 0);
		slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
		put(slave, "third");
		settle(&console);
		CHECK_TEXT(text_from(out[0]), "third");
		(void)close(slave);
		CHECK(turn(&console, 100, NULL) == 0);
		slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
		put(slave, "fourth");
	}
	(void)close(slave);
	CHECK(console_drain(&console, -EBADF) == 0);
	CHECK(console.master_fd >= 0);
	console_stop(&console);
	stage_leave();
	(void)close(out[0]);
	(void)close(out[1]);
}

/* ---- amounts ---- */

enum sink_kind {
	TO_PIPE,
	TO_FILE,
	TO_SOCKET,
	TO_TERMINAL
};

static void make_sink(enum sink_kind kind, int ret_ends[2])
{
	struct pty terminal;

	switch (kind) {
	case TO_PIPE:
		CHECK(pipe2(ret_ends, O_CLOEXEC) == 0);
		break;
	case TO_SOCKET:
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_ends) == 0);
		break;
	case TO_TERMINAL:
		terminal = pty_open();
		make_raw(terminal.slave);
		ret_ends[0] = terminal.master;
		ret_ends[1] = terminal.slave;
		break;
	case TO_FILE:
		ret_ends[0] = ret_ends[1] = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		CHECK(ret_ends[0] >= 0);
	}
}

/* A guest writes 'total' pattern bytes, dies, and all of them come out. */
static void check_output(enum sink_kind kind, size_t total)
{
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct pty guest = pty_open();
	struct console console = {};
	pid_t writer, reader = -1;
	int ends[2], status = -1;

	make_sink(kind, ends);
	make_raw(guest.slave);
	writer = fork();
	if (writer == 0) {
		(void)close(guest.master);
		write_pattern(guest.slave, total);
		_exit(0);
	}
	(void)close(guest.slave);
	if (kind != TO_FILE)
		reader = fork();
	if (reader == 0)
		_exit(read_pattern(ends[0], total) == total ? 0 : 1);
	stage_enter(null_fd, ends[1]);
	console_open(&console, CONSOLE_READ_ONLY, guest.master);
	while (!has_ended(writer, &status))
		turn(&console, 10, NULL);
	CHECK(console_drain(&console, -EBADF) == 0);
	console_stop(&console);
	stage_leave();
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (kind == TO_FILE)
		CHECK(lseek(ends[0], 0, SEEK_SET) == 0 && read_pattern(ends[0], SIZE_MAX) == total);
	else
		check_exit(reader);
	(void)close(ends[0]);
	if (kind != TO_FILE)
		(void)close(ends[1]);
}

/* A file on standard input reaches a guest that reads slowly, byte for byte. */
static void test_large_input(void)
{
	auto_close int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct pty guest = pty_open();
	struct console console = {};
	pid_t reader;
	int status = -1;

	write_pattern(file, MIB);
	CHECK(lseek(file, 0, SEEK_SET) == 0);
	make_raw(guest.slave);
	reader = fork();
	if (reader == 0)
		_exit(read_pattern(guest.slave, MIB) == MIB ? 0 : 1);
	stage_enter(file, -EBADF);
	console_open(&console, CONSOLE_INTERACTIVE, guest.master);
	for (int i = 0; i < 100000 && !has_ended(reader, &status); i++)
		turn(&console, 10, NULL);
	console_stop(&console);
	stage_leave();
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void)close(guest.slave);
}

/* Takes what is there now. */
static void read_available(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char block[8192];

	while (poll(&ready, 1, 50) > 0)
		CHECK(read(fd, block, sizeof(block)) > 0);
}

/* Somebody who does not read our output stops neither us nor, when he goes away, the guest. */
static void check_stuck_reader(enum sink_kind kind)
{
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct pty guest = pty_open();
	struct console console = {};
	struct pollfd fds[CONSOLE_POLLFDS];
	int ends[2], stop[2], status = -1;
	pid_t writer;

	make_sink(kind, ends);
	CHECK(pipe2(stop, O_CLOEXEC) == 0);
	make_raw(guest.slave);
	writer = fork();
	if (writer == 0) {
		(void)close(guest.master);
		(void)close(ends[0]); /* else the reader would never be gone */
		write_pattern(guest.slave, MIB);
		_exit(0);
	}
	(void)close(guest.slave);
	stage_enter(null_fd, ends[1]);
	console_open(&console, CONSOLE_READ_ONLY, guest.master);
	(void)alarm(20); /* would end the test if anything blocked */
	settle(&console);
	CHECK(turn(&console, 100, NULL) == 0); /* full, waiting for room and nothing else */
	CHECK(console_pollfds(&console, fds) == 1 && fds[0].events == POLLOUT);
	CHECK(!has_ended(writer, &status));
	put(stop[1], "!");
	CHECK(console_drain(&console, stop[0]) == 1);
	read_available(ends[0]);
	CHECK(turn(&console, 1000, NULL) > 0);

	(void)close(ends[0]); /* and goes away */
	while (!has_ended(writer, &status))
		turn(&console, 10, NULL);
	(void)alarm(0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(console_drain(&console, -EBADF) == 0);
	CHECK(turn(&console, 0, NULL) == 0);
	console_stop(&console);
	stage_leave();
	(void)close(ends[1]);
	(void)close(stop[0]);
	(void)close(stop[1]);
}

/* ---- job control ---- */

static void wait_stopped_or_dead(pid_t child, int *ret_status)
{
	*ret_status = -1;
	(void)waitpid(child, ret_status, WUNTRACED);
}

/* Runs in its own process group; 'go' is written to when its turn to move has come. */
static int background_child(struct pty *guest, int go)
{
	struct console console = {};
	struct termios now;
	char byte;

	console_open(&console, CONSOLE_INTERACTIVE, guest->master);
	CHECK(tcgetattr(0, &now) == 0 && (now.c_lflag & ICANON)); /* not ours yet */
	CHECK(read(go, &byte, 1) == 1);
	console_resumed(&console);
	CHECK(tcgetattr(0, &now) == 0 && !(now.c_lflag & ICANON));
	(void)raise(SIGSTOP);
	/*
	 * In the background again, and nobody changed the terminal: it has to be restored without
	 * stopping us.
	 */
	console_resumed(&console);
	console_stop(&console);
	CHECK(tcgetattr(0, &now) == 0 && (now.c_lflag & ICANON));
	return check_result();
}

static int session_leader(struct pty *terminal, struct pty *guest)
{
	int go[2], status;
	pid_t child;

	check_failures = 0; /* those before the fork are our parent's */
	CHECK(setsid() > 0 && ioctl(terminal->slave, TIOCSCTTY, 0) == 0);
	(void)dup2(terminal->slave, 0);
	(void)dup2(terminal->slave, 1);
	(void)signal(SIGTTOU, SIG_DFL);
	CHECK(pipe2(go, O_CLOEXEC) == 0);
	child = fork();
	if (child == 0) {
		(void)setpgid(0, 0);
		_exit(background_child(guest, go[0]));
	}
	(void)setpgid(child, child);
	(void)usleep(100000);
	CHECK(waitpid(child, &status, WNOHANG | WUNTRACED) == 0);
	CHECK(tcsetpgrp(0, child) == 0);
	put(go[1], "!");
	wait_stopped_or_dead(child, &status);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	(void)signal(SIGTTOU, SIG_IGN);
	CHECK(tcsetpgrp(0, getpid()) == 0);
	CHECK(kill(child, SIGCONT) == 0);
	wait_stopped_or_dead(child, &status);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (WIFSTOPPED(status))
		(void)kill(child, SIGKILL);
	return check_result();
}

static void test_job_control(void)
{
	struct pty terminal = pty_open(), guest = pty_open();
	pid_t leader = fork();

	if (leader == 0)
		_exit(session_leader(&terminal, &guest));
	check_exit(leader);
	pty_close(&guest);
	pty_close(&terminal);
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	test_decide();
	test_keys();
	test_never_started();
	test_raw_and_restored();
	test_two_terminals();
	test_sizes();
	test_interactive();
	test_input_ends();
	test_read_only_and_passive();
	test_guest_closes_console();
	check_output(TO_PIPE, 16 * MIB);
	check_output(TO_FILE, 2 * MIB);
	check_output(TO_SOCKET, 2 * MIB);
	check_output(TO_TERMINAL, 2 * MIB);
	test_large_input();
	check_stuck_reader(TO_PIPE);
	check_stuck_reader(TO_SOCKET);
	check_stuck_reader(TO_TERMINAL);
	test_job_control();
	return check_result();
}
