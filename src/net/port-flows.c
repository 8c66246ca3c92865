/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who goes on sending to a port by UDP would be led to the old address for ever: each datagram
 * makes the kernel remember it anew.
 * Zone: owing.
 */
#include "net/port-flows.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#include "base/scope.h"
#include "net/nft-write.h"
#include "net/nft.h"

struct forgetting {
	struct netlink_socket socket;
	const struct address *target;
};

static void begin(struct netlink_message *message, uint16_t type, uint16_t flags, int family)
{
	const struct nfgenmsg body = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};

	netlink_begin_with(message, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags, &body,
			   sizeof(body));
}

/* Whether the answers come from there. The kernel could filter, but takes IPv6 the wrong way round.
 */
static bool is_answered_by(const struct address *target, struct netlink_rest rest)
{
	bool is_4 = target->family == AF_INET;

	return nft_find(rest, CTA_TUPLE_REPLY, &rest) && nft_find(rest, CTA_TUPLE_IP, &rest) &&
	       nft_find(rest, is_4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, &rest) &&
	       rest.length == (is_4 ? sizeof(struct in_addr) : sizeof(struct in6_addr)) &&
	       memcmp(rest.bytes, target->bytes, rest.length) == 0;
}

static int forget_one(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct forgetting *forgetting = userdata;
	struct netlink_rest rest, original;
	struct netlink_message message;

	(void)type;
	if (!netlink_take_head(body, NULL, sizeof(struct nfgenmsg), &rest) ||
	    !is_answered_by(forgetting->target, rest) || !nft_find(rest, CTA_TUPLE_ORIG, &original))
		return 0;
	begin(&message, IPCTNL_MSG_CT_DELETE, 0, forgetting->target->family);
	netlink_put(&message, CTA_TUPLE_ORIG | NLA_F_NESTED, original.bytes, original.length);
	/* It may have ended by itself. */
	(void)netlink_call(&forgetting->socket, &message, NULL, NULL);
	return 0;
}

void port_flows_forget(const struct address *target)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket asking =
		NETLINK_CLOSED;
	struct forgetting forgetting = {.socket = NETLINK_CLOSED, .target = target};
	struct netlink_message message;

	if (nft_open(&asking) < 0 || nft_open(&forgetting.socket) < 0)
		return;
	begin(&message, IPCTNL_MSG_CT_GET, NLM_F_DUMP, target->family);
	nft_put_number(&message, CTA_STATUS, IPS_DST_NAT);
	nft_put_number(&message, CTA_STATUS_MASK, IPS_DST_NAT);
	(void)netlink_call(&asking, &message, forget_one, &forgetting);
	netlink_socket_close(&forgetting.socket);
}
