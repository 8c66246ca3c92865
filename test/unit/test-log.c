/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of base/log: what is written for people and for programs, byte by byte; and of
 * base/failures.
 * Zone: free.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failures.h"
#include "base/text.h"
#include "check.h"

static char printed[65536];
static int reader_fd = -1;

/* What came on standard error since the last call. */
static const char *take(void)
{
	ssize_t length = read(reader_fd, printed, sizeof(printed) - 1);

	printed[length > 0 ? length : 0] = '\0';
	return printed;
}

/* Descriptor 2 goes into a pipe from here on; what check.h writes goes where it went before. */
static void divert(void)
{
	int ends[2];

	stderr = fdopen(dup(STDERR_FILENO), "w");
	CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	reader_fd = ends[0];
	CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	(void)close(ends[1]);
}

static void test_text(void)
{
	log_set_level(LOG_NOTE);
	CHECK(fail(-ENOENT, "Cannot open '%s'", "x") == -ENOENT);
	CHECK_TEXT(take(), "nspawn: Cannot open 'x': No such file or directory\n");
	CHECK(refuse(EINVAL, "No") == -EINVAL && refuse(-EINVAL, "No") == -EINVAL);
	CHECK_TEXT(take(), "nspawn: No\nnspawn: No\n");
	hint("Do");
	warn(-EPERM, "Cannot, going on");
	note("Fact");
	debug("Detail");
	CHECK_TEXT(take(), "nspawn: Do\nnspawn: Cannot, going on: Operation not permitted\n"
			   "nspawn: Fact\n");
	log_set_raw_terminal(true);
	note("Fact");
	log_set_raw_terminal(false);
	CHECK_TEXT(take(), "nspawn: Fact\r\n");
	CHECK(fail(-9999, "Cannot") == -9999);
	CHECK_TEXT(take(), "nspawn: Cannot: unknown error\n");
	log_set_level(LOG_SILENT);
	CHECK(fail(-EIO, "Cannot") == -EIO);
	log_set_level(LOG_NOTE);
	CHECK_TEXT(take(), "");
}

static void test_errno_is_kept(void)
{
	errno = EXDEV;
	warn(0, "Something");
	CHECK(errno == EXDEV);
	(void)take();
}

static void test_place(void)
{
	const struct log_place place = {"/etc/x.nspawn", 7};

	log_set_place(&place);
	CHECK(refuse(EINVAL, "%s takes yes or no", "Key 'Boot'") == -EINVAL);
	CHECK(fail(-ENOENT, "Cannot find it") == -ENOENT);
	hint("Not shown");
	log_set_place(NULL);
	CHECK_TEXT(take(), "nspawn: /etc/x.nspawn:7: Key 'Boot' takes yes or no, ignoring it\n"
			   "nspawn: /etc/x.nspawn:7: Cannot find it: No such file or directory, "
			   "ignoring it\n");
}

static void test_json(void)
{
	log_set_json(true);
	(void)fail(-ENOENT, "Cannot open the tree '%s'", "/a\"b\\c");
	CHECK_TEXT(take(), ""); /* a hint may come */
	hint("One \"%d\"", 1);
	hint("Two");
	note("Fact");
	CHECK_TEXT(take(),
		   "{\"level\":\"error\",\"id\":\"tree-open\",\"message\":\"Cannot open the tree "
		   "'/a\\\"b\\\\c': No such file or directory\",\"errno\":\"ENOENT\","
		   "\"hint\":\"One \\\"1\\\"; Two\"}\n"
		   "{\"level\":\"note\",\"message\":\"Fact\"}\n");
	(void)refuse(EINVAL, "unrecognized option '%s%.*s'", "--", 1, "xy");
	log_flush();
	CHECK_TEXT(take(), "{\"level\":\"error\",\"id\":\"option-unknown\","
			   "\"message\":\"unrecognized option '--x'\"}\n");
	log_flush();
	warn(-9999, "Odd");
	CHECK_TEXT(take(), "{\"level\":\"warning\",\"message\":\"Odd: unknown error\","
			   "\"errno\":\"unknown\"}\n");
	(void)refuse(EINVAL, "No sentence of the program");
	log_set_raw_terminal(true);
	log_flush();
	log_set_raw_terminal(false);
	CHECK_TEXT(take(), "{\"level\":\"error\",\"message\":\"No sentence of the program\"}\r\n");
	hint("Alone");
	(void)take();
	log_flush();
	CHECK_TEXT(take(), "{\"level\":\"note\",\"message\":\"Alone\"}\n");
	log_set_json(false);
}

static void test_json_place(void)
{
	const struct log_place place = {"/a\nb", 7};

	log_set_json(true);
	log_set_place(&place);
	(void)refuse(EINVAL, "%s takes %s, not '%s'", "Key 'Boot'", "yes or no", "x");
	log_set_place(NULL);
	CHECK_TEXT(take(), "{\"level\":\"warning\",\"id\":\"value-invalid\",\"message\":\"Key "
			   "'Boot' takes yes or no, not 'x', ignoring it\",\"file\":"
			   "\"/a\\\\x0ab\",\"line\":7}\n");
	warn(0, "%s:%u: Key '%s' counts only in a trusted file, ignoring it", "/x", 12U, "y");
	CHECK_TEXT(take(), "{\"level\":\"warning\",\"message\":\"Key 'y' counts only in a trusted "
			   "file, ignoring it\",\"file\":\"/x\",\"line\":12}\n");
	log_set_json(false);
}

/* A line that a program can take apart, with nothing in it that could drive a terminal. */
static bool is_clean_object(const char *line, bool is_json)
{
	size_t length = strlen(line), quotes = 0;

	if (length < 3 || line[length - 1] != '\n' || !text_is_utf8(line))
		return false;
	for (const unsigned char *c = (const unsigned char *)line; *c != '\n'; c++) {
		if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return false;
		if (is_json && *c == '\\') {
			if (*++c != '\\' && *c != '"')
				return false;
		} else {
			quotes += *c == '"';
		}
	}
	return !is_json || (line[0] == '{' && line[length - 2] == '}' && quotes % 2 == 0);
}

/* Whatever bytes: long ones too, that are cut in the middle of anything. */
static void test_any_bytes(bool is_json)
{
	static const char pieces[][8] = {"\"",           "\\",       "\033[2J", "\x9b",
					 "\xc2\x9b",     "\n",       "\a",      "\xff\xfe",
					 "\xe2\x80\xae", "\xf0\x9f", "ü",       "x"};
	char text[3000];

	srandom(1);
	log_set_json(is_json);
	for (int round = 0; round < 3000; round++) {
		size_t used = 0, wanted = (size_t)random() % (round % 2 ? 40 : 2900);

		while (used < wanted) {
			const char *piece = pieces[(size_t)random() % (sizeof(pieces) / 8)];

			used = (size_t)(stpcpy(text + used, piece) - text);
		}
		text[used] = '\0';
		(void)fail(-EIO, "Cannot open the tree '%s'", text);
		if (is_json) {
			hint("%s", text);
			hint("%s", text);
		}
		log_flush();
		CHECK(is_clean_object(take(), is_json));
		if (is_json)
			CHECK(strstr(printed, "\"errno\":\"EIO\"") || used > 900);
	}
	log_set_json(false);
}

static void remember(const struct log_message *message, void *userdata)
{
	*(struct log_message *)userdata = *message;
}

static void test_sink(void)
{
	struct log_message message = {0};

	log_set_sink(remember, &message);
	(void)fail(-EIO, "Cannot open the tree '%s'", "x");
	CHECK(message.level == LOG_FAILURE && message.error == -EIO && !message.is_hint);
	CHECK(message.failure == 0); /* nobody asked: not looked for */
	hint("Do");
	CHECK(message.is_hint);
	log_set_json(true);
	(void)fail(-EIO, "Cannot open the tree '%s'", "x");
	CHECK_TEXT(failure_identifier(message.failure), "tree-open");
	log_set_json(false);
	log_set_sink(NULL, NULL);
	CHECK_TEXT(take(), "");
}

/* What another process may claim. */
static void test_forward(void)
{
	struct log_message message = {.level = (enum log_level)77, .sentence = "x"};

	log_forward(&message);
	message.level = LOG_SILENT;
	log_forward(&message);
	message.level = (enum log_level) - 1;
	log_forward(&message);
	CHECK_TEXT(take(), "");
	log_set_json(true);
	message = (struct log_message){
		.level = LOG_FAILURE, .failure = UINT32_MAX, .error = -1, .sentence = "x"};
	log_forward(&message);
	log_flush();
	CHECK_TEXT(take(), "{\"level\":\"error\",\"message\":\"x\",\"errno\":\"EPERM\"}\n");
	log_set_json(false);
}

static void test_failures(void)
{
	unsigned int number = failure_find("unrecognized option '%s%.*s'");

	CHECK(number > 0);
	CHECK_TEXT(failure_identifier(number), "option-unknown");
	CHECK(failure_find("no such sentence") == 0 && failure_find("") == 0);
	CHECK(!failure_identifier(0) && !failure_identifier(100000) &&
	      !failure_identifier(UINT32_MAX));
}

static void test_colours(void)
{
	static const struct {
		const char *colours, *no_colour, *log_colour;
		bool is_coloured;
	} cases[] = {
		{NULL, NULL, NULL, false},   {"1", NULL, NULL, true},
		{"256", NULL, NULL, true},   {"16", NULL, NULL, true},
		{"24bit", "1", NULL, true},  {"0", NULL, NULL, false},
		{"junk", NULL, NULL, false}, {"auto-256", NULL, NULL, false},
		{"yes", "1", NULL, true},    {"yes", NULL, "no", false},
		{"yes", NULL, "yes", true},  {"yes", NULL, "junk", true},
		{NULL, NULL, "yes", false},
	};

	/* The decision is made once in a process. */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (fork() == 0) {
			(void)setenv("TERM", "xterm", 1);
			(void)(cases[i].colours ? setenv("SYSTEMD_COLORS", cases[i].colours, 1)
						: unsetenv("SYSTEMD_COLORS"));
			(void)(cases[i].no_colour ? setenv("NO_COLOR", cases[i].no_colour, 1)
						  : unsetenv("NO_COLOR"));
			(void)(cases[i].log_colour
				       ? setenv("SYSTEMD_LOG_COLOR", cases[i].log_colour, 1)
				       : unsetenv("SYSTEMD_LOG_COLOR"));
			(void)refuse(EINVAL, "No");
			hint("Do");
			warn(0, "So");
			note("Fact");
			log_set_json(true);
			note("Fact");
			_exit(0);
		}
		CHECK(wait(NULL) > 0);
		CHECK_TEXT(take(), cases[i].is_coloured
					   ? "\033[1;31mnspawn:\033[0m No\nnspawn: Do\n"
					     "\033[1;33mnspawn:\033[0m So\nnspawn: Fact\n"
					     "{\"level\":\"note\",\"message\":\"Fact\"}\n"
					   : "nspawn: No\nnspawn: Do\nnspawn: So\nnspawn: Fact\n"
					     "{\"level\":\"note\",\"message\":\"Fact\"}\n");
	}
}

int main(void)
{
	divert();
	test_colours();
	(void)setenv("SYSTEMD_COLORS", "0", 1);
	test_text();
	test_errno_is_kept();
	test_place();
	test_json();
	test_json_place();
	test_any_bytes(/* is_json= */ false);
	test_any_bytes(/* is_json= */ true);
	test_sink();
	test_forward();
	test_failures();
	return check_result();
}
