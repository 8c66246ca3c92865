/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we say on a bus, what we read there, and the words of units. */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "check.h"
#include "manager/bus-message.h"
#include "manager/scope-properties.h"
#include "manager/scope.h"

static struct arena arena;

static void write_one(struct bus_writer *ret)
{
	const struct bus_call call = {
		.destination = "org.example.Name",
		.path = "/org/example",
		.interface = "org.example.Interface",
		.member = "Method",
		.signature = "sas",
		.fd_count = 1,
	};
	struct bus_writer body = {0};
	struct bus_array array;

	bus_put_text(&body, "first");
	array = bus_begin_array(&body, 4);
	bus_put_text(&body, "second");
	bus_end_array(&body, array);
	bus_write_call(ret, &call, 7, &body);
	bus_writer_done(&body);
}

static void test_round(void)
{
	struct bus_writer message = {0};
	struct bus_message read;
	const char *text;
	uint32_t length;

	write_one(&message);
	CHECK(!message.failed);
	CHECK(bus_message_length(message.data, message.length) == (int64_t)message.length);
	CHECK(bus_read_message(message.data, message.length, &read) == 0);
	CHECK(read.type == BUS_CALL && read.serial == 7 && read.reply_serial == 0);
	CHECK_TEXT(read.path, "/org/example");
	CHECK_TEXT(read.member, "Method");
	CHECK_TEXT(read.signature, "sas");
	CHECK_TEXT(read.error, "");
	CHECK(bus_get_text(&read.body, &text) == 0);
	CHECK_TEXT(text, "first");
	CHECK(bus_get_u32(&read.body, &length) == 0 && length == 4 + 7);
	CHECK(bus_get_text(&read.body, &text) == 0);
	CHECK_TEXT(text, "second");
	CHECK(bus_get_text(&read.body, &text) == -EPROTO);
	bus_writer_done(&message);
}

/* Each bit of a message turned, and each piece of it alone: it may be refused, and no more. */
static void test_spoilt(void)
{
	struct bus_writer message = {0};
	struct bus_message read;
	const char *text;

	write_one(&message);
	for (size_t length = 0; length < message.length; length++) {
		uint8_t *copy = malloc(length + 1);

		memcpy(copy, message.data, length);
		CHECK(bus_read_message(copy, length, &read) == -EPROTO);
		free(copy);
	}
	for (size_t bit = 0; bit < message.length * 8; bit++) {
		uint8_t *copy = malloc(message.length);

		memcpy(copy, message.data, message.length);
		copy[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		if (bus_read_message(copy, message.length, &read) == 0)
			(void)bus_get_text(&read.body, &text);
		free(copy);
	}
	bus_writer_done(&message);
}

static void test_names(void)
{
	CHECK_TEXT(scope_unit_name(&arena, "web"), "machine-web.scope");
	CHECK_TEXT(scope_unit_name(&arena, "a-b.c"), "machine-a\\x2db.c.scope");
	CHECK_TEXT(scope_slice_name(&arena, NULL), "machine.slice");
	CHECK_TEXT(scope_slice_name(&arena, ""), "machine.slice");
	CHECK_TEXT(scope_slice_name(&arena, "foo"), "foo.slice");
	CHECK_TEXT(scope_slice_name(&arena, "foo.slice"), "foo.slice");
}

/* The last number of one property, which begins with its name. */
static uint64_t number_of(const char *assignment)
{
	struct bus_writer writer = {0};
	const char *expected;
	uint64_t number = 0;

	CHECK(scope_put_property(&writer, assignment, &expected) == 0);
	if (writer.length >= 8)
		memcpy(&number, writer.data + writer.length - 8, 8);
	bus_writer_done(&writer);
	return number;
}

static int result_of(const char *assignment)
{
	struct bus_writer writer = {0};
	const char *expected = NULL;
	int r = scope_put_property(&writer, assignment, &expected);

	CHECK(r != -EINVAL || expected);
	bus_writer_done(&writer);
	return r;
}

static void test_properties(void)
{
	static const char *const bad[] = {"MemoryMax=x",
					  "MemoryMax=-1",
					  "TasksMax=",
					  "CPUQuota=5",
					  "CPUQuota=0%",
					  "CPUQuota=%",
					  "KillSignal=NO",
					  "Delegate2=yes",
					  "CPUAccounting=2",
					  "CPUWeight=infinity",
					  "RuntimeMaxSec=5 parsecs"};

	CHECK(number_of("MemoryMax=512M") == UINT64_C(512) << 20);
	CHECK(number_of("MemoryMax=infinity") == UINT64_MAX);
	CHECK(number_of("TasksMax=40") == 40);
	CHECK(number_of("CPUQuota=150%") == 1500000);
	CHECK(number_of("CPUQuota=") == UINT64_MAX);
	CHECK(number_of("RuntimeMaxSec=5min") == UINT64_C(300000000));
	CHECK(result_of("Wants=a.service b.service") == 0 && result_of("CPUAccounting=no") == 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(result_of(bad[i]) < 0);
	CHECK(result_of("NoSuchThing=1") == -ENOENT && result_of("MemoryMax") == -ENOENT);
}

int main(void)
{
	test_round();
	test_spoilt();
	test_names();
	test_properties();
	arena_done(&arena);
	return check_result();
}
