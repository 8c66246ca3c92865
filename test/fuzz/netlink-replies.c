/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel answers to questions about links, addresses, routes and nf_tables, from the
 * socket on: names end, lengths fit, and every question is over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "net/address.h"
#include "net/link.h"
#include "net/nft.h"
#include "net/wireless.h"

static const uint8_t *answer;
static size_t left;

/* In the place of libc's: the kernel has heard us, and the input is what it says. */
ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to,
	       socklen_t to_length)
{
	(void)fd, (void)bytes, (void)flags, (void)to, (void)to_length;
	return (ssize_t)length;
}

/* A byte says how much comes at once, in words of four; 0: the rest. At the end its time is up. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	size_t piece = (size_t)input_byte(&answer, &left) * 4, room = message->msg_iov->iov_len;

	(void)fd, (void)flags;
	if (left == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (piece == 0 || piece > left)
		piece = left;
	message->msg_namelen = sizeof(struct sockaddr_nl);
	message->msg_flags = piece > room ? MSG_TRUNC : 0;
	memcpy(message->msg_iov->iov_base, answer, piece < room ? piece : room);
	answer += piece;
	left -= piece;
	return (ssize_t)(piece < room ? piece : room);
}

static int look_at_name(const char *link, void *userdata)
{
	(void)userdata;
	MUST(strlen(link) < IFNAMSIZ);
	return 0;
}

static int look_at_chain(const struct nft_chain *chain, void *userdata)
{
	(void)userdata;
	MUST(strlen(chain->table) < sizeof(chain->table));
	MUST(strlen(chain->name) < sizeof(chain->name));
	return 0;
}

static void look_at_prefix(const struct prefix *prefix)
{
	const struct prefix own = {.address = prefix->address, .length = prefix->length / 2};
	char text[ADDRESS_TEXT_MAX];

	MUST(prefix->length <= 8 * ADDRESS_BYTES);
	MUST(strlen(address_text(&prefix->address, text)) < sizeof(text));
	MUST(prefix_overlaps(prefix, &own));
}

static int look_at_route(const struct route *route, void *userdata)
{
	(void)userdata;
	look_at_prefix(&route->to);
	return 0;
}

static int look_at_address(int link, const struct prefix *prefix, void *userdata)
{
	(void)link, (void)userdata;
	look_at_prefix(prefix);
	return 0;
}

static int find_link(struct netlink_socket *socket)
{
	struct link link;
	int r = link_find(socket, "first", "second", &link);

	MUST(r != 0 || (link.index > 0 && strlen(link.name) < IFNAMSIZ));
	return r;
}

static int find_wireless(struct netlink_socket *socket)
{
	struct wireless_socket air = {.netlink = *socket, .family = 0x1c};
	struct wireless found;
	uint64_t newest;
	int r = wireless_find(&air, 7, &found);

	MUST(r != 0 || (found.id != 0 && found.index >= 0));
	return r < 0 ? r : wireless_newest(&air, found.radio, &newest);
}

/* The first byte says what is asked. */
static int ask(struct netlink_socket *socket, uint8_t question)
{
	if (question & 16)
		return find_wireless(socket);
	switch (question % 8) {
	case 0:
		return nft_list(socket, AF_INET6, NFT_LINKS, look_at_name, NULL);
	case 1:
		return nft_list_chains(socket, look_at_chain, NULL);
	case 2:
		return nft_add(socket, AF_INET, NFT_LINKS, "fifteen-letters");
	case 3:
		return nft_make(socket, AF_INET6, "fifteen-letters");
	case 4:
	case 5:
		return route_list(socket, question % 2 ? AF_INET6 : AF_INET, look_at_route, NULL);
	case 6:
		return address_list(socket, question & 8 ? AF_INET6 : AF_INET, look_at_address,
				    NULL);
	default:
		return find_link(socket);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink_socket socket = NETLINK_CLOSED;
	uint8_t question = input_byte(&data, &size);

	answer = data;
	left = size;
	MUST(ask(&socket, question) <= 0);
	MUST(strlen(socket.complaint) < sizeof(socket.complaint));
	return 0;
}
