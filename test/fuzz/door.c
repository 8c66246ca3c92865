/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a verb hears at the socket of a machine, or on a bus: texts end within the message, and
 * nobody waits for what does not come.
 */
#include "control/door.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "captured.h"
#include "fuzz.h"
#include "manager/bus-values.h"

/* The first byte of the input. */
enum {
	IS_BUS = 1,
	WATCHES = 2,
};

static int client_end;

/* In the place of libc's: who listens has said the input already, and goes. */
int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	(void)address, (void)length;
	return dup2(client_end, fd) < 0 ? -1 : 0;
}

static int listener_says(const uint8_t *data, size_t size)
{
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	while (size > 0) {
		ssize_t sent = send(pair[1], data, size, MSG_NOSIGNAL);

		if (sent <= 0)
			break; /* more than a socket holds */
		data += sent;
		size -= (size_t)sent;
	}
	MUST(shutdown(pair[1], SHUT_WR) == 0);
	client_end = pair[0];
	return pair[1];
}

static void look_at_text(const struct bus *bus, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	MUST(!*text || (at >= bus->data && at + strlen(text) < bus->data + bus->taken));
}

/* As verbs read answers: texts and numbers, and values that they pass over. */
static void look_at_reply(const struct bus *bus, struct bus_message *reply)
{
	struct bus_reader body = reply->body;
	const char *text, *signature = reply->signature;
	uint32_t number;

	look_at_text(bus, reply->signature);
	look_at_text(bus, bus_error_text(reply));
	while (bus_get_text(&body, &text) == 0 && bus_get_u32(&body, &number) == 0)
		look_at_text(bus, text);
	while (*signature && bus_skip(&reply->body, &signature) == 0)
		MUST(reply->body.position <= reply->body.length);
}

static void call(struct bus *bus, const struct registry_entry *entry)
{
	static const struct bus_call wait = {.member = "Wait", .signature = "s"};
	struct bus_writer body = {0};
	struct bus_message reply;
	int r;

	bus_put_text(&body, "ready");
	do {
		r = door_call(bus, entry, &wait, &body, &reply);
		if (r == 0 || r == -EREMOTEIO)
			look_at_reply(bus, &reply);
		MUST(bus->room <= BUS_MESSAGE_MAX * 4);
	} while (r == 0);
	bus_writer_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct registry_entry entry = {.machine = "fuzzed", .directory = "/"};
	static struct captured captured;
	uint8_t how = input_byte(&data, &size);
	struct bus bus = BUS_NONE;
	int listener = listener_says(data, size), r;

	capture_start(&captured);
	if (how & IS_BUS)
		r = bus_open("/bus", true, DOOR_PATIENCE_MSEC, &bus);
	else
		r = door_open(&entry, &bus);
	MUST(r == 0 ? bus.fd >= 0 : bus.fd < 0);
	MUST(strlen(bus.name) < sizeof(bus.name));
	if (r == 0) {
		bus.watched = how & WATCHES ? "Ready" : NULL;
		call(&bus, &entry);
		MUST(captured.failures == 1);
		MUST(bus_dispatch(&bus) <= 1);
	}
	bus_close(&bus);
	(void)close(client_end);
	(void)close(listener);
	return 0;
}
