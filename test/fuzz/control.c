/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients of a machine's socket send: whatever it is, in whatever pieces, it ends within the
 * buffer, and what waits for them is bounded.
 */
#include <errno.h>

#include "fuzz.h"
#include "manager/bus-peer.h"
#include "run/control.h"
#include "run/launch.h"

static void answer_all(struct control *control, struct control_client *client, int *r)
{
	struct bus_message call;

	while ((*r = bus_peer_next(&client->peer, &call)) > 0) {
		const uint8_t *at = (const uint8_t *)call.member;

		MUST(!*call.member ||
		     (at >= client->peer.input && at < client->peer.input + client->peer.taken));
		*r = control_answer(control, client, &call);
		if (*r < 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plan plan = {.machine = "fuzzed"};
	static const struct locks locks = {0};
	struct machine machine = {.plan = &plan, .locks = &locks, .pidfd = -EBADF};
	struct control control = CONTROL_NONE;
	struct control_client client = {0};
	int r = 0;

	control.machine = &machine;
	bus_peer_begin(&client.peer, -EBADF, "0123456789abcdef0123456789abcdef");
	while (size > 0 && r >= 0) {
		/* A byte says how much comes at once; 0: the rest. */
		size_t piece = input_byte(&data, &size);

		if (piece == 0 || piece > size)
			piece = size;
		if (piece > 2048)
			piece = 2048;
		r = bus_peer_take(&client.peer, data, piece);
		data += piece;
		size -= piece;
		if (r >= 0)
			answer_all(&control, &client, &r);
		MUST(client.peer.input_room <= BUS_PEER_INPUT_MAX);
		MUST(client.peer.output.length <= BUS_PEER_OUTPUT_MAX);
		MUST(client.wait_count <= CONTROL_WAITS_MAX);
	}
	bus_peer_end(&client.peer);
	return 0;
}
