/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nf_tables wants: objects in a batch, and rules as lists of small expressions over registers.
 * 'nft --debug=netlink list table ip nspawn' prints them back.
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
#include "net/nft-write.h"

#define CHAIN_FORWARD "forward"
#define CHAIN_LEAVING "leaving"
#define PRIORITY_FILTER 0
#define PRIORITY_SOURCE_NAT 100

static const char *const sets[] = {
	[NFT_LINKS] = "links",
	[NFT_GUARDED] = "guarded",
};
static_assert(ARRAY_LEN(sets) == _NFT_SET_COUNT, "a name for each set");

static struct nft_table table_of(int family)
{
	return (struct nft_table){family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4, NFT_TABLE};
}

int nft_open(struct netlink_socket *ret)
{
	return netlink_socket_open_for(NETLINK_NETFILTER, ret);
}

/* --- The table --- */

static void rule_from_links(struct netlink_message *message)
{
	nft_match_link(message, NFT_META_IIFNAME, sets[NFT_LINKS], false);
	nft_conclude(message, NF_ACCEPT);
}

static void rule_answers(struct netlink_message *message)
{
	nft_match_connection(
		message, NFT_CT_STATE,
		(uint32_t)(NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED)));
	nft_conclude(message, NF_ACCEPT);
}

/* Whoever publishes a port, of a machine or a container of others, wants it to be reached. */
static void rule_published(struct netlink_message *message)
{
	nft_match_connection(message, NFT_CT_STATUS, IPS_DST_NAT);
	nft_conclude(message, NF_ACCEPT);
}

static void rule_guard(struct netlink_message *message)
{
	nft_match_link(message, NFT_META_IIFNAME, sets[NFT_GUARDED], false);
	nft_conclude(message, NF_DROP);
}

static void rule_masquerade(struct netlink_message *message)
{
	nft_match_link(message, NFT_META_IIFNAME, sets[NFT_LINKS], false);
	nft_match_link(message, NFT_META_OIFNAME, sets[NFT_LINKS], true);
	nft_expression_close(message, nft_expression_open(message, "masq"));
}

static const struct {
	const char *chain;
	void (*write)(struct netlink_message *message);
} rules[] = {
	{CHAIN_FORWARD, rule_from_links}, {CHAIN_FORWARD, rule_answers},
	{CHAIN_FORWARD, rule_published},  {CHAIN_FORWARD, rule_guard},
	{CHAIN_LEAVING, rule_masquerade},
};

int nft_make(struct netlink_socket *socket, int family, const char *link)
{
	const struct nft_element element = nft_link_element(sets[NFT_LINKS], link);
	const struct nft_table table = table_of(family);
	struct netlink_batch batch;
	int r;

	nft_batch_begin(&batch);
	nft_add_table(&batch, &table);
	for (size_t i = 0; i < _NFT_SET_COUNT; i++)
		nft_add_link_set(&batch, &table, sets[i], (uint32_t)i + 1);
	nft_add_chain(&batch, &table, CHAIN_FORWARD, "filter", NF_INET_FORWARD, PRIORITY_FILTER);
	nft_add_chain(&batch, &table, CHAIN_LEAVING, "nat", NF_INET_POST_ROUTING,
		      PRIORITY_SOURCE_NAT);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		nft_add_rule(&batch, &table, rules[i].chain, rules[i].write);
	nft_add_element(&batch, &table, &element);
	r = nft_batch_call(socket, &batch);
	return r == -EEXIST ? nft_add(socket, family, NFT_LINKS, link) : r;
}

int nft_remove(struct netlink_socket *socket, int family)
{
	const struct nft_table table = table_of(family);
	int r = nft_remove_table(socket, &table);

	return r == -ENOENT ? 0 : r;
}

/* --- Elements --- */

static int change(struct netlink_socket *socket, int family, uint16_t type, enum nft_set set,
		  const char *link)
{
	const struct nft_element element = nft_link_element(sets[set], link);
	const struct nft_table table = table_of(family);

	return nft_change(socket, &table, type, &element);
}

int nft_add(struct netlink_socket *socket, int family, enum nft_set set, const char *link)
{
	return change(socket, family, NFT_MSG_NEWSETELEM, set, link);
}

int nft_drop(struct netlink_socket *socket, int family, enum nft_set set, const char *link)
{
	return change(socket, family, NFT_MSG_DELSETELEM, set, link);
}

struct listing {
	nft_element_taker take;
	nft_chain_taker take_chain;
	void *userdata;
};

/* The first attribute of the type, inside of those that are there. */
bool nft_find(struct netlink_rest rest, uint16_t type, struct netlink_rest *ret)
{
	struct netlink_attribute attribute;

	while (netlink_next(&rest, &attribute))
		if (attribute.type == type) {
			*ret = (struct netlink_rest){attribute.bytes, attribute.length};
			return true;
		}
	return false;
}

static int take_elements(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	const struct listing *listing = userdata;
	struct netlink_rest rest, elements, key, value;
	struct netlink_attribute element;

	(void)type;
	if (!netlink_take_head(body, NULL, sizeof(struct nfgenmsg), &rest) ||
	    !nft_find(rest, NFTA_SET_ELEM_LIST_ELEMENTS, &elements))
		return 0;
	while (netlink_next(&elements, &element)) {
		const struct netlink_rest inside = {element.bytes, element.length};

		if (nft_find(inside, NFTA_SET_ELEM_KEY, &key) &&
		    nft_find(key, NFTA_DATA_VALUE, &value))
			TRY(listing->take(&inside, &value, listing->userdata));
	}
	return 0;
}

int nft_list_elements(struct netlink_socket *socket, const struct nft_table *table, const char *set,
		      nft_element_taker take, void *userdata)
{
	struct listing listing = {.take = take, .userdata = userdata};
	struct netlink_message message;

	nft_begin(&message, table, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	netlink_put_text(&message, NFTA_SET_ELEM_LIST_TABLE, table->name);
	netlink_put_text(&message, NFTA_SET_ELEM_LIST_SET, set);
	return netlink_call(socket, &message, take_elements, &listing);
}

struct names_listing {
	nft_taker take;
	void *userdata;
};

static int take_name(const struct netlink_rest *inside, const struct netlink_rest *key,
		     void *userdata)
{
	const struct names_listing *listing = userdata;
	char name[IFNAMSIZ];

	(void)inside;
	if (key->length != sizeof(name))
		return 0;
	memcpy(name, key->bytes, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	return listing->take(name, listing->userdata);
}

int nft_list(struct netlink_socket *socket, int family, enum nft_set set, nft_taker take,
	     void *userdata)
{
	const struct nft_table table = table_of(family);
	struct names_listing listing = {take, userdata};

	return nft_list_elements(socket, &table, sets[set], take_name, &listing);
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
	if (!netlink_take_head(body, NULL, sizeof(struct nfgenmsg), &rest))
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
