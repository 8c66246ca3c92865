/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rtnetlink says: messages behind each other, each perhaps a link. */
#include "net/netlink.h"

#include "fuzz.h"
#include "net/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink_rest rest = {data, size}, body;
	struct nlmsghdr header;
	struct link link;

	while (netlink_next_message(&rest, &header, &body)) {
		MUST(body.length <= size && body.bytes >= data &&
		     body.bytes + body.length <= data + size);
		if (link_parse(&body, "second", &link))
			MUST(link.index > 0 && *link.name && strlen(link.name) < IFNAMSIZ);
	}
	return 0;
}
