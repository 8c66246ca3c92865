/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is pure in the verbs: words of a command line, files of cgroups, values of a bus. */
#include <signal.h>

#include "base/log.h"
#include "base/scope.h"
#include "check.h"
#include "control/machinectl.h"
#include "control/request.h"
#include "control/usage.h"
#include "manager/bus-values.h"

static struct arena arena;

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})
#define COUNT(...) ((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))
#define READ(takes, request, ...) \
	request_read(&arena, COUNT(__VA_ARGS__), WORDS(__VA_ARGS__), takes, request)

static void test_request(void)
{
	struct request request;

	CHECK(READ(REQUEST_KILL, &request, "kill", "-qsHUP", "a", "--kill-whom", "leader", "b") ==
	      0);
	CHECK(request.signal == SIGHUP && request.whom == KILL_LEADER && request.names.count == 2);
	CHECK(READ(REQUEST_KILL, &request, "kill", "--", "-s") == 0 && request.names.count == 1);
	CHECK(READ(REQUEST_KILL, &request, "kill", "-s") == -EINVAL);
	CHECK(READ(REQUEST_KILL, &request, "kill", "--json") == -EINVAL);
	CHECK(READ(REQUEST_FORM, &request, "x", "--json=short") == 0 &&
	      request.form == OUTPUT_JSON_SHORT);
	CHECK(READ(REQUEST_PROPERTIES, &request, "x", "-p", "A,B", "-PC") == 0 &&
	      request.properties.count == 3 && request.values_only);
	CHECK(READ(REQUEST_ALL, &request, "x", "--all=no") == -EINVAL);
	CHECK(READ(0, &request, "machinectl list", "--signal=9", "-al") == 0 && request.shows_all);
	CHECK(READ(0, &request, "machinectl list", "--nonsense") == -EINVAL);
}

static enum machinectl_way way(struct machinectl_plan *plan, int count, char **words)
{
	machinectl_plan(&arena, count, words, plan);
	return plan->way;
}
#define WAY(plan, ...) way(plan, COUNT("", __VA_ARGS__), WORDS("", __VA_ARGS__))

static void test_machinectl(void)
{
	struct machinectl_plan plan;

	CHECK(way(&plan, 1, WORDS("machinectl")) == MACHINECTL_OURS);
	CHECK_TEXT(plan.words.items[0], "list");
	CHECK(WAY(&plan, "--no-pager", "-s", "HUP", "kill", "web", "--full") == MACHINECTL_OURS);
	CHECK(plan.words.count == 4);
	CHECK_TEXT(plan.words.items[0], "kill");
	CHECK_TEXT(plan.words.items[2], "HUP");
	CHECK_TEXT(plan.words.items[3], "web");
	CHECK(WAY(&plan, "stop", "web") == MACHINECTL_OURS);
	CHECK_TEXT(plan.words.items[0], "poweroff");
	CHECK(WAY(&plan, "-H", "host", "list") == MACHINECTL_THEIRS);
	CHECK(WAY(&plan, "import-tar", "-") == MACHINECTL_THEIRS && plan.instead);
	CHECK(WAY(&plan, "--version") == MACHINECTL_VERSION);
	CHECK(WAY(&plan, "no-such") == MACHINECTL_UNKNOWN);
	/* What follows the machine of a shell is a command's. */
	(void)WAY(&plan, "-E", "A=b", "shell", "--uid=lee", "lee@web", "/bin/ls", "--full", "-l");
	CHECK_TEXT(plan.machine, "web");
	CHECK(plan.words.count == 8);
}

static void test_cgroup_files(void)
{
	uint64_t number = 7;

	CHECK(usage_keyed_number("a 1\nusage_usec 42\nx 3\n", "usage_usec", &number) &&
	      number == 42);
	CHECK(!usage_keyed_number("usage_usec_more 1\n", "usage_usec", &number));
	CHECK(!usage_keyed_number("usage_usec -1\n", "usage_usec", &number));
	CHECK(!usage_keyed_number("", "a", &number) && number == 42);
	CHECK(usage_nested_sum("8:0 rbytes=1 wbytes=2\n8:16 rbytes=10 wbytes=x\n", "rbytes",
			       &number) &&
	      number == 11);
	CHECK(!usage_nested_sum("8:0 xrbytes=1\n", "rbytes", &number) && number == 11);
}

static void test_bus_values(void)
{
	/* a(sv) with ("x", <u 5>), then a byte. */
	struct bus_writer writer = {0};
	struct bus_array array = bus_begin_array(&writer, 8);
	struct bus_reader reader, rows;
	const char *text = "", *signature = "a(sv)y";
	int64_t number = 0;

	bus_put_struct(&writer);
	bus_put_text(&writer, "x");
	bus_put_signature(&writer, "u");
	bus_put_u32(&writer, 5);
	bus_end_array(&writer, array);
	bus_put_byte(&writer, 200);
	reader = (struct bus_reader){writer.data, writer.length, 0};
	CHECK(bus_get_array(&reader, 8, &rows) == 0 && bus_has_more(&rows));
	CHECK(bus_align(&rows, 8) == 0 && bus_get_text(&rows, &text) == 0);
	CHECK_TEXT(text, "x");
	CHECK(bus_get_signature(&rows, &text) == 0 && bus_get_number(&rows, *text, &number) == 0);
	CHECK(number == 5 && !bus_has_more(&rows));
	CHECK(bus_get_number(&reader, 'y', &number) == 0 && number == 200);
	reader.position = 0;
	CHECK(bus_skip(&reader, &signature) == 0);
	CHECK_TEXT(signature, "y");
	CHECK(bus_skip(&reader, &signature) == 0 && !bus_has_more(&reader));
	/* Cut short anywhere, it is refused. */
	for (size_t length = 0; length + 1 < writer.length; length++) {
		signature = "a(sv)";
		reader = (struct bus_reader){writer.data, length, 0};
		CHECK(bus_skip(&reader, &signature) == -EPROTO);
	}
	signature = "(";
	reader = (struct bus_reader){writer.data, writer.length, 0};
	CHECK(bus_skip(&reader, &signature) == -EPROTO);
	bus_writer_done(&writer);
}

int main(void)
{
	log_set_level(LOG_SILENT);
	test_request();
	test_machinectl();
	test_cgroup_files();
	test_bus_values();
	arena_done(&arena);
	return check_result();
}
