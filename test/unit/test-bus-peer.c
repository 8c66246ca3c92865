/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One client: authentication as the specification has it, messages cut anywhere, bounds. */
#include "manager/bus-peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define GUID "0123456789abcdef0123456789abcdef"

static struct bus_peer peer;

static void begin(void)
{
	bus_peer_end(&peer);
	bus_peer_begin(&peer, -EBADF, GUID);
}

static int take(const char *bytes, size_t length)
{
	struct bus_message message;
	int r = bus_peer_take(&peer, bytes, length);

	return r < 0 ? r : bus_peer_next(&peer, &message);
}

static int say(const char *text)
{
	return take(text, strlen(text));
}

/* All that waits for the client; takes it. */
static const char *answer(void)
{
	static char text[512];

	(void)snprintf(text, sizeof(text), "%.*s", (int)(peer.output.length - peer.sent),
		       (const char *)peer.output.data + peer.sent);
	peer.sent = peer.output.length;
	return text;
}

static void test_authentication(void)
{
	begin();
	CHECK(take("", 1) == 0 && say("AUTH EXTERNAL 30\r\n") == 0);
	CHECK_TEXT(answer(), "OK " GUID "\r\n");
	CHECK(say("NEGOTIATE_UNIX_FD\r\nBEGIN\r\n") == 0);
	CHECK_TEXT(answer(), "AGREE_UNIX_FD\r\n");
	CHECK(peer.state == BUS_PEER_TALKING && peer.takes_fds);
	begin();
	CHECK(take("", 1) == 0 && say("AUTH\r\n") == 0);
	CHECK_TEXT(answer(), "REJECTED EXTERNAL\r\n");
	CHECK(say("AUTH EXTERNAL\r\n") == 0);
	CHECK_TEXT(answer(), "DATA\r\n");
	CHECK(say("DATA\r\n") == 0);
	CHECK_TEXT(answer(), "OK " GUID "\r\n");
	CHECK(say("CANCEL\r\n") == 0 && peer.state == BUS_PEER_UNKNOWN);
	CHECK_TEXT(answer(), "REJECTED EXTERNAL\r\n");
}

static void test_nothing_before_it_is_let_in(void)
{
	begin();
	CHECK(say("AUTH") == -EPROTO); /* without the NUL */
	begin();
	CHECK(take("", 1) == 0 && say("BEGIN\r\nNEGOTIATE_UNIX_FD\r\nDATA\r\n") == 0);
	CHECK_TEXT(answer(), "ERROR\r\nERROR\r\nERROR\r\n");
	CHECK(peer.state == BUS_PEER_UNKNOWN && !peer.takes_fds);
}

static void test_it_ends(void)
{
	char line[600];
	int r = 0;

	begin();
	CHECK(take("", 1) == 0);
	for (int i = 0; i < 20 && r == 0; i++)
		r = say("AUTH\r\n");
	CHECK(r == -EPROTO);
	memset(line, 'A', sizeof(line));
	begin();
	CHECK(take("", 1) == 0 && take(line, sizeof(line)) == -EPROTO);
}

static void let_in(void)
{
	begin();
	CHECK(take("", 1) == 0 && say("AUTH EXTERNAL 30\r\nBEGIN\r\n") == 0);
	(void)answer();
}

static void test_messages(void)
{
	static const struct bus_call call = {
		.path = "/org/x", .interface = "org.x", .member = "Do", .signature = "s"};
	struct bus_writer body = {0}, message;
	struct bus_message heard;
	const char *text;

	bus_put_text(&body, "hello");
	bus_write_call(&message, &call, 7, &body);
	let_in();
	for (size_t i = 0; i < message.length; i++) {
		CHECK(bus_peer_take(&peer, message.data + i, 1) == 0);
		CHECK(bus_peer_next(&peer, &heard) == (i + 1 == message.length));
	}
	CHECK(heard.serial == 7 && heard.wants_reply);
	CHECK_TEXT(heard.member, "Do");
	CHECK(bus_get_text(&heard.body, &text) == 0);
	CHECK_TEXT(text, "hello");
	/* Two in one piece. */
	CHECK(bus_peer_take(&peer, message.data, message.length) == 0);
	CHECK(bus_peer_take(&peer, message.data, message.length) == 0);
	CHECK(bus_peer_next(&peer, &heard) == 1 && bus_peer_next(&peer, &heard) == 1);
	CHECK(bus_peer_next(&peer, &heard) == 0 && peer.input == NULL);
	bus_writer_done(&body);
	bus_writer_done(&message);
}

static void test_bounds(void)
{
	/* Little endian, a call, 1 MiB to come. */
	static const char large[16] = {'l', 1, 0, 1, 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0};
	struct bus_writer body = {0};
	const struct bus_answer answer_head = {
		.type = BUS_REPLY, .reply_serial = 1, .signature = "s"};
	char text[2048];
	int r = 0;

	let_in();
	CHECK(take(large, sizeof(large)) == -EPROTO);
	let_in();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bus_put_text(&body, text);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = bus_peer_answer(&peer, &answer_head, &body);
	CHECK(r == -EMSGSIZE);
	bus_writer_done(&body);
}

int main(void)
{
	peer.fd = -EBADF;
	test_authentication();
	test_nothing_before_it_is_let_in();
	test_it_ends();
	test_messages();
	test_bounds();
	bus_peer_end(&peer);
	return check_result();
}
