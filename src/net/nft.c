/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nf_tables wants: objects in a batch, and rules as lists of small expressions over registers.
 * 'nft --debug=netlink list table inet nspawn' prints them back.
 * Zone: owing.
 */
#include "net/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/scope.h"

#define CHAIN_FORWARD "forward"
#define CHAIN_LEAVING "leaving"
#define KEY_IS_IFNAME 41 /* how nft(8) shall print the elements */
#define PRIORITY_FILTER 0
#define PRIORITY_SOURCE_NAT 100

/* For nft(8) as well: type, length and the number that says that a key is text of this host. */
static const uint8_t key_order[] = {0, 4, 1, 0, 0, 0};

static const char *const sets[] = {
	[NFT_LINKS] = "links",
	[NFT_GUARDED] = "guarded",
	[NFT_GUARDED_6] = "guarded6",
};
static_assert(ARRAY_LEN(sets) == _NFT_SET_COUNT, "a name for each set");

int nft_open(struct netlink_socket *ret)
{
	return netlink_socket_open_for(NETLINK_NETFILTER, ret);
}

/* --- Messages --- */

static void begin(struct netlink_message *message, uint16_t type, uint16_t flags)
{
	const struct nfgenmsg body = {.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0};

	netlink_begin_with(message, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &body,
			   sizeof(body));
}

static void put_number(struct netlink_message *message, uint16_t type, uint32_t number)
{
	netlink_put_u32(message, type, htonl(number));
}

static void bracket(struct netlink_batch *batch, uint16_t type)
{
	const struct nfgenmsg body = {
		.nfgen_family = AF_UNSPEC,
		.version = NFNETLINK_V0,
		.res_id = htons(NFNL_SUBSYS_NFTABLES),
	};
	struct netlink_message message;

	netlink_begin_with(&message, type, 0, &body, sizeof(body));
	netlink_batch_add(batch, &message, /* is_silent= */ true);
}

static void batch_begin(struct netlink_batch *batch)
{
	batch->length = 0;
	batch->count = 0;
	batch->is_full = false;
	bracket(batch, NFNL_MSG_BATCH_BEGIN);
}

static int batch_call(struct netlink_socket *socket, struct netlink_batch *batch)
{
	bracket(batch, NFNL_MSG_BATCH_END);
	return netlink_batch_call(socket, batch);
}

static int call_one(struct netlink_socket *socket, struct netlink_message *message)
{
	struct netlink_batch batch;

	batch_begin(&batch);
	netlink_batch_add(&batch, message, /* is_silent= */ false);
	return batch_call(socket, &batch);
}

/* --- Expressions of a rule --- */

/* What is opened twice is closed twice. */
struct expression {
	size_t element, data;
};

static struct expression expression_open(struct netlink_message *message, const char *name)
{
	struct expression expression = {.element = netlink_open(message, NFTA_LIST_ELEM)};

	netlink_put_text(message, NFTA_EXPR_NAME, name);
	expression.data = netlink_open(message, NFTA_EXPR_DATA);
	return expression;
}

static void expression_close(struct netlink_message *message, struct expression expression)
{
	netlink_close(message, expression.data);
	netlink_close(message, expression.element);
}

static void put_value(struct netlink_message *message, uint16_t type, const void *bytes,
		      size_t length)
{
	size_t opened = netlink_open(message, type);

	netlink_put(message, NFTA_DATA_VALUE, bytes, length);
	netlink_close(message, opened);
}

static void load_meta(struct netlink_message *message, uint32_t key)
{
	struct expression expression = expression_open(message, "meta");

	put_number(message, NFTA_META_KEY, key);
	put_number(message, NFTA_META_DREG, NFT_REG_1);
	expression_close(message, expression);
}

static void match(struct netlink_message *message, uint32_t operation, const void *bytes,
		  size_t length)
{
	struct expression expression = expression_open(message, "cmp");

	put_number(message, NFTA_CMP_SREG, NFT_REG_1);
	put_number(message, NFTA_CMP_OP, operation);
	put_value(message, NFTA_CMP_DATA, bytes, length);
	expression_close(message, expression);
}

/* The interface of a packet is in the set; or, if 'is_inverse', it is not. */
static void match_link(struct netlink_message *message, uint32_t key, enum nft_set set,
		       bool is_inverse)
{
	struct expression expression;

	load_meta(message, key);
	expression = expression_open(message, "lookup");
	netlink_put_text(message, NFTA_LOOKUP_SET, sets[set]);
	put_number(message, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (is_inverse)
		put_number(message, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expression_close(message, expression);
}

static void match_family(struct netlink_message *message, uint8_t family)
{
	load_meta(message, NFT_META_NFPROTO);
	match(message, NFT_CMP_EQ, &family, sizeof(family));
}

/* Any of the bits of what is known of the packet's connection. */
static void match_connection(struct netlink_message *message, uint32_t key, uint32_t bits)
{
	struct expression expression = expression_open(message, "ct");
	const uint32_t none = 0;

	put_number(message, NFTA_CT_KEY, key);
	put_number(message, NFTA_CT_DREG, NFT_REG_1);
	expression_close(message, expression);
	expression = expression_open(message, "bitwise");
	put_number(message, NFTA_BITWISE_SREG, NFT_REG_1);
	put_number(message, NFTA_BITWISE_DREG, NFT_REG_1);
	put_number(message, NFTA_BITWISE_LEN, sizeof(bits));
	put_value(message, NFTA_BITWISE_MASK, &bits, sizeof(bits));
	put_value(message, NFTA_BITWISE_XOR, &none, sizeof(none));
	expression_close(message, expression);
	match(message, NFT_CMP_NEQ, &none, sizeof(none));
}

static void conclude(struct netlink_message *message, uint32_t verdict)
{
	struct expression expression = expression_open(message, "immediate");
	size_t data, inner;

	put_number(message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = netlink_open(message, NFTA_IMMEDIATE_DATA);
	inner = netlink_open(message, NFTA_DATA_VERDICT);
	put_number(message, NFTA_VERDICT_CODE, verdict);
	netlink_close(message, inner);
	netlink_close(message, data);
	expression_close(message, expression);
}

/* --- The table --- */

static void rule_from_links(struct netlink_message *message)
{
	match_link(message, NFT_META_IIFNAME, NFT_LINKS, false);
	conclude(message, NF_ACCEPT);
}

static void rule_answers(struct netlink_message *message)
{
	match_connection(
		message, NFT_CT_STATE,
		(uint32_t)(NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED)));
	conclude(message, NF_ACCEPT);
}

/* Whoever publishes a port, of a machine or a container of others, wants it to be reached. */
static void rule_published(struct netlink_message *message)
{
	match_connection(message, NFT_CT_STATUS, IPS_DST_NAT);
	conclude(message, NF_ACCEPT);
}

static void rule_guard(struct netlink_message *message)
{
	match_family(message, NFPROTO_IPV4);
	match_link(message, NFT_META_IIFNAME, NFT_GUARDED, false);
	conclude(message, NF_DROP);
}

static void rule_guard_6(struct netlink_message *message)
{
	match_family(message, NFPROTO_IPV6);
	match_link(message, NFT_META_IIFNAME, NFT_GUARDED_6, false);
	conclude(message, NF_DROP);
}

static void rule_masquerade(struct netlink_message *message)
{
	match_link(message, NFT_META_IIFNAME, NFT_LINKS, false);
	match_link(message, NFT_META_OIFNAME, NFT_LINKS, true);
	expression_close(message, expression_open(message, "masq"));
}

static const struct {
	const char *chain;
	void (*write)(struct netlink_message *message);
} rules[] = {
	{CHAIN_FORWARD, rule_from_links}, {CHAIN_FORWARD, rule_answers},
	{CHAIN_FORWARD, rule_published},  {CHAIN_FORWARD, rule_guard},
	{CHAIN_FORWARD, rule_guard_6},    {CHAIN_LEAVING, rule_masquerade},
};

static void add_set(struct netlink_batch *batch, enum nft_set set)
{
	struct netlink_message message;

	begin(&message, NFT_MSG_NEWSET, NLM_F_CREATE);
	netlink_put_text(&message, NFTA_SET_TABLE, NFT_TABLE);
	netlink_put_text(&message, NFTA_SET_NAME, sets[set]);
	put_number(&message, NFTA_SET_FLAGS, 0);
	put_number(&message, NFTA_SET_KEY_TYPE, KEY_IS_IFNAME);
	put_number(&message, NFTA_SET_KEY_LEN, IFNAMSIZ);
	put_number(&message, NFTA_SET_ID, (uint32_t)set + 1);
	netlink_put(&message, NFTA_SET_USERDATA, key_order, sizeof(key_order));
	netlink_batch_add(batch, &message, false);
}

static void add_chain(struct netlink_batch *batch, const char *name, const char *type,
		      uint32_t hook, uint32_t priority)
{
	struct netlink_message message;
	size_t opened;

	begin(&message, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	netlink_put_text(&message, NFTA_CHAIN_TABLE, NFT_TABLE);
	netlink_put_text(&message, NFTA_CHAIN_NAME, name);
	netlink_put_text(&message, NFTA_CHAIN_TYPE, type);
	opened = netlink_open(&message, NFTA_CHAIN_HOOK);
	put_number(&message, NFTA_HOOK_HOOKNUM, hook);
	put_number(&message, NFTA_HOOK_PRIORITY, priority);
	netlink_close(&message, opened);
	put_number(&message, NFTA_CHAIN_POLICY, NF_ACCEPT);
	netlink_batch_add(batch, &message, false);
}

static void add_rule(struct netlink_batch *batch, size_t number)
{
	struct netlink_message message;
	size_t opened;

	begin(&message, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	netlink_put_text(&message, NFTA_RULE_TABLE, NFT_TABLE);
	netlink_put_text(&message, NFTA_RULE_CHAIN, rules[number].chain);
	opened = netlink_open(&message, NFTA_RULE_EXPRESSIONS);
	rules[number].write(&message);
	netlink_close(&message, opened);
	netlink_batch_add(batch, &message, false);
}

int nft_make(struct netlink_socket *socket)
{
	struct netlink_message message;
	struct netlink_batch batch;
	int r;

	batch_begin(&batch);
	/* Only the first makes the rest of it, too. */
	begin(&message, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	netlink_put_text(&message, NFTA_TABLE_NAME, NFT_TABLE);
	netlink_batch_add(&batch, &message, false);
	for (size_t i = 0; i < _NFT_SET_COUNT; i++)
		add_set(&batch, (enum nft_set)i);
	add_chain(&batch, CHAIN_FORWARD, "filter", NF_INET_FORWARD, PRIORITY_FILTER);
	add_chain(&batch, CHAIN_LEAVING, "nat", NF_INET_POST_ROUTING, PRIORITY_SOURCE_NAT);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		add_rule(&batch, i);
	r = batch_call(socket, &batch);
	return r == -EEXIST ? 0 : r;
}

int nft_remove(struct netlink_socket *socket)
{
	struct netlink_message message;
	int r;

	begin(&message, NFT_MSG_DELTABLE, 0);
	netlink_put_text(&message, NFTA_TABLE_NAME, NFT_TABLE);
	r = call_one(socket, &message);
	return r == -ENOENT ? 0 : r;
}

/* --- Elements --- */

static int change_element(struct netlink_socket *socket, uint16_t type, enum nft_set set,
			  const char *link)
{
	char key[IFNAMSIZ] = "";
	struct netlink_message message;
	size_t elements, element;

	memcpy(key, link, strnlen(link, sizeof(key) - 1));
	begin(&message, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
	netlink_put_text(&message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	netlink_put_text(&message, NFTA_SET_ELEM_LIST_SET, sets[set]);
	elements = netlink_open(&message, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = netlink_open(&message, NFTA_LIST_ELEM);
	put_value(&message, NFTA_SET_ELEM_KEY, key, sizeof(key));
	netlink_close(&message, element);
	netlink_close(&message, elements);
	return call_one(socket, &message);
}

int nft_add(struct netlink_socket *socket, enum nft_set set, const char *link)
{
	int r = change_element(socket, NFT_MSG_NEWSETELEM, set, link);

	return r == -EEXIST ? 0 : r;
}

int nft_drop(struct netlink_socket *socket, enum nft_set set, const char *link)
{
	int r = change_element(socket, NFT_MSG_DELSETELEM, set, link);

	return r == -ENOENT ? 0 : r;
}

struct listing {
	nft_taker take;
	nft_chain_taker take_chain;
	void *userdata;
};

/* The first attribute of the type, inside of those that are there. */
static bool find(struct netlink_rest rest, uint16_t type, struct netlink_rest *ret)
{
	struct netlink_attribute attribute;

	while (netlink_next(&rest, &attribute))
		if (attribute.type == type) {
			*ret = (struct netlink_rest){attribute.bytes, attribute.length};
			return true;
		}
	return false;
}

static bool skip_head(const struct netlink_rest *body, struct netlink_rest *ret)
{
	if (body->length < sizeof(struct nfgenmsg))
		return false;
	*ret = (struct netlink_rest){body->bytes + sizeof(struct nfgenmsg),
				     body->length - sizeof(struct nfgenmsg)};
	return true;
}

static int take_elements(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	const struct listing *listing = userdata;
	struct netlink_rest rest, elements, key, value;
	struct netlink_attribute element;

	(void)type;
	if (!skip_head(body, &rest) || !find(rest, NFTA_SET_ELEM_LIST_ELEMENTS, &elements))
		return 0;
	while (netlink_next(&elements, &element)) {
		const struct netlink_rest inside = {element.bytes, element.length};
		char name[IFNAMSIZ];

		if (!find(inside, NFTA_SET_ELEM_KEY, &key) || !find(key, NFTA_DATA_VALUE, &value) ||
		    value.length != sizeof(name))
			continue;
		memcpy(name, value.bytes, sizeof(name));
		name[sizeof(name) - 1] = '\0';
		TRY(listing->take(name, listing->userdata));
	}
	return 0;
}

int nft_list(struct netlink_socket *socket, enum nft_set set, nft_taker take, void *userdata)
{
	struct listing listing = {.take = take, .userdata = userdata};
	struct netlink_message message;

	begin(&message, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	netlink_put_text(&message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	netlink_put_text(&message, NFTA_SET_ELEM_LIST_SET, sets[set]);
	return netlink_call(socket, &message, take_elements, &listing);
}

/* --- Chains of others --- */

static uint32_t number_of(const struct netlink_attribute *attribute)
{
	uint32_t number = 0;

	return netlink_u32(attribute, &number) ? ntohl(number) : UINT32_MAX;
}

static void parse_chain(struct netlink_rest rest, struct nft_chain *chain)
{
	struct netlink_attribute attribute, inner;
	char type[16] = "";

	while (netlink_next(&rest, &attribute)) {
		struct netlink_rest inside = {attribute.bytes, attribute.length};

		if (attribute.type == NFTA_CHAIN_TABLE)
			(void)netlink_text(&attribute, chain->table, sizeof(chain->table));
		else if (attribute.type == NFTA_CHAIN_NAME)
			(void)netlink_text(&attribute, chain->name, sizeof(chain->name));
		else if (attribute.type == NFTA_CHAIN_TYPE)
			(void)netlink_text(&attribute, type, sizeof(type));
		else if (attribute.type == NFTA_CHAIN_POLICY)
			chain->is_closed = number_of(&attribute) == NF_DROP;
		else if (attribute.type == NFTA_CHAIN_HOOK)
			while (netlink_next(&inside, &inner))
				if (inner.type == NFTA_HOOK_HOOKNUM) {
					chain->is_base = true;
					chain->hook = number_of(&inner);
				}
	}
	chain->is_filter = strcmp(type, "filter") == 0;
}

static int take_chain(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	const struct listing *listing = userdata;
	struct nft_chain chain = {0};
	struct netlink_rest rest;

	(void)type;
	if (!skip_head(body, &rest))
		return 0;
	chain.family = body->bytes[0];
	parse_chain(rest, &chain);
	return listing->take_chain(&chain, listing->userdata);
}

int nft_list_chains(struct netlink_socket *socket, nft_chain_taker take, void *userdata)
{
	struct listing listing = {.take_chain = take, .userdata = userdata};
	const struct nfgenmsg body = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0};
	struct netlink_message message;

	netlink_begin_with(&message, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP,
			   &body, sizeof(body));
	return netlink_call(socket, &message, take_chain, &listing);
}
