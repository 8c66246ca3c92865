/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nf_tables wants of any table: objects in a batch, and rules as lists of small expressions
 * over registers.
 * Zone: owing.
 */
#include "net/nft-write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

#define TYPE_IFNAME 41u /* how nft(8) shall print the elements */

/* --- Messages --- */

void nft_begin(struct netlink_message *message, const struct nft_table *table, uint16_t type,
	       uint16_t flags)
{
	const struct nfgenmsg body = {.nfgen_family = table->family, .version = NFNETLINK_V0};

	netlink_begin_with(message, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &body,
			   sizeof(body));
}

void nft_put_number(struct netlink_message *message, uint16_t type, uint32_t number)
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

void nft_batch_begin(struct netlink_batch *batch)
{
	batch->length = 0;
	batch->count = 0;
	batch->is_full = false;
	bracket(batch, NFNL_MSG_BATCH_BEGIN);
}

int nft_batch_call(struct netlink_socket *socket, struct netlink_batch *batch)
{
	bracket(batch, NFNL_MSG_BATCH_END);
	return netlink_batch_call(socket, batch);
}

int nft_call_one(struct netlink_socket *socket, struct netlink_message *message)
{
	struct netlink_batch batch;

	nft_batch_begin(&batch);
	netlink_batch_add(&batch, message, /* is_silent= */ false);
	return nft_batch_call(socket, &batch);
}

/* --- Expressions of a rule --- */

struct nft_expression nft_expression_open(struct netlink_message *message, const char *name)
{
	struct nft_expression expression = {.element = netlink_open(message, NFTA_LIST_ELEM)};

	netlink_put_text(message, NFTA_EXPR_NAME, name);
	expression.data = netlink_open(message, NFTA_EXPR_DATA);
	return expression;
}

void nft_expression_close(struct netlink_message *message, struct nft_expression expression)
{
	netlink_close(message, expression.data);
	netlink_close(message, expression.element);
}

void nft_put_value(struct netlink_message *message, uint16_t type, const void *bytes, size_t length)
{
	size_t opened = netlink_open(message, type);

	netlink_put(message, NFTA_DATA_VALUE, bytes, length);
	netlink_close(message, opened);
}

void nft_load_meta(struct netlink_message *message, uint32_t key, uint32_t reg)
{
	struct nft_expression expression = nft_expression_open(message, "meta");

	nft_put_number(message, NFTA_META_KEY, key);
	nft_put_number(message, NFTA_META_DREG, reg);
	nft_expression_close(message, expression);
}

void nft_match(struct netlink_message *message, uint32_t operation, const void *bytes,
	       size_t length)
{
	struct nft_expression expression = nft_expression_open(message, "cmp");

	nft_put_number(message, NFTA_CMP_SREG, NFT_REG_1);
	nft_put_number(message, NFTA_CMP_OP, operation);
	nft_put_value(message, NFTA_CMP_DATA, bytes, length);
	nft_expression_close(message, expression);
}

/* The interface of a packet is in the set; or, if 'is_inverse', it is not. */
void nft_match_link(struct netlink_message *message, uint32_t key, const char *set, bool is_inverse)
{
	struct nft_expression expression;

	nft_load_meta(message, key, NFT_REG_1);
	expression = nft_expression_open(message, "lookup");
	netlink_put_text(message, NFTA_LOOKUP_SET, set);
	nft_put_number(message, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (is_inverse)
		nft_put_number(message, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	nft_expression_close(message, expression);
}

void nft_match_family(struct netlink_message *message, uint8_t family)
{
	nft_load_meta(message, NFT_META_NFPROTO, NFT_REG_1);
	nft_match(message, NFT_CMP_EQ, &family, sizeof(family));
}

/* Any of the bits of what is known of the packet's connection. */
void nft_match_connection(struct netlink_message *message, uint32_t key, uint32_t bits)
{
	struct nft_expression expression = nft_expression_open(message, "ct");
	const uint32_t none = 0;

	nft_put_number(message, NFTA_CT_KEY, key);
	nft_put_number(message, NFTA_CT_DREG, NFT_REG_1);
	nft_expression_close(message, expression);
	expression = nft_expression_open(message, "bitwise");
	nft_put_number(message, NFTA_BITWISE_SREG, NFT_REG_1);
	nft_put_number(message, NFTA_BITWISE_DREG, NFT_REG_1);
	nft_put_number(message, NFTA_BITWISE_LEN, sizeof(bits));
	nft_put_value(message, NFTA_BITWISE_MASK, &bits, sizeof(bits));
	nft_put_value(message, NFTA_BITWISE_XOR, &none, sizeof(none));
	nft_expression_close(message, expression);
	nft_match(message, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_conclude(struct netlink_message *message, uint32_t verdict)
{
	struct nft_expression expression = nft_expression_open(message, "immediate");
	size_t data, inner;

	nft_put_number(message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = netlink_open(message, NFTA_IMMEDIATE_DATA);
	inner = netlink_open(message, NFTA_DATA_VERDICT);
	nft_put_number(message, NFTA_VERDICT_CODE, verdict);
	netlink_close(message, inner);
	netlink_close(message, data);
	nft_expression_close(message, expression);
}

/* --- Tables, sets, chains and rules --- */

static void begin_table(struct netlink_message *message, const struct nft_table *table,
			uint16_t type, uint16_t flags)
{
	nft_begin(message, table, type, flags);
	netlink_put_text(message, NFTA_TABLE_NAME, table->name);
}

void nft_add_table(struct netlink_batch *batch, const struct nft_table *table)
{
	struct netlink_message message;

	begin_table(&message, table, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	netlink_batch_add(batch, &message, /* is_silent= */ false);
}

int nft_remove_table(struct netlink_socket *socket, const struct nft_table *table)
{
	struct netlink_message message;

	begin_table(&message, table, NFT_MSG_DELTABLE, 0);
	return nft_call_one(socket, &message);
}

void nft_begin_set(struct netlink_message *message, const struct nft_table *table, const char *name,
		   uint32_t number, uint32_t type, size_t length)
{
	nft_begin(message, table, NFT_MSG_NEWSET, NLM_F_CREATE);
	netlink_put_text(message, NFTA_SET_TABLE, table->name);
	netlink_put_text(message, NFTA_SET_NAME, name);
	nft_put_number(message, NFTA_SET_KEY_TYPE, type);
	nft_put_number(message, NFTA_SET_KEY_LEN, (uint32_t)length);
	nft_put_number(message, NFTA_SET_ID, number);
}

void nft_add_link_set(struct netlink_batch *batch, const struct nft_table *table, const char *name,
		      uint32_t number)
{
	/* For nft(8): type, length and the number that says that a key is text of this host. */
	static const uint8_t key_order[] = {0, 4, 1, 0, 0, 0};
	struct netlink_message message;

	nft_begin_set(&message, table, name, number, TYPE_IFNAME, IFNAMSIZ);
	nft_put_number(&message, NFTA_SET_FLAGS, 0);
	netlink_put(&message, NFTA_SET_USERDATA, key_order, sizeof(key_order));
	netlink_batch_add(batch, &message, false);
}

void nft_add_chain(struct netlink_batch *batch, const struct nft_table *table, const char *name,
		   const char *type, uint32_t hook, int priority)
{
	struct netlink_message message;
	size_t opened;

	nft_begin(&message, table, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	netlink_put_text(&message, NFTA_CHAIN_TABLE, table->name);
	netlink_put_text(&message, NFTA_CHAIN_NAME, name);
	netlink_put_text(&message, NFTA_CHAIN_TYPE, type);
	opened = netlink_open(&message, NFTA_CHAIN_HOOK);
	nft_put_number(&message, NFTA_HOOK_HOOKNUM, hook);
	nft_put_number(&message, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	netlink_close(&message, opened);
	nft_put_number(&message, NFTA_CHAIN_POLICY, NF_ACCEPT);
	netlink_batch_add(batch, &message, false);
}

void nft_add_rule(struct netlink_batch *batch, const struct nft_table *table, const char *chain,
		  nft_rule_writer write)
{
	struct netlink_message message;
	size_t opened;

	nft_begin(&message, table, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	netlink_put_text(&message, NFTA_RULE_TABLE, table->name);
	netlink_put_text(&message, NFTA_RULE_CHAIN, chain);
	opened = netlink_open(&message, NFTA_RULE_EXPRESSIONS);
	write(&message);
	netlink_close(&message, opened);
	netlink_batch_add(batch, &message, false);
}

/* --- Elements --- */

struct nft_element nft_link_element(const char *set, const char *link)
{
	struct nft_element element = {.set = set, .key_length = IFNAMSIZ};

	memcpy(element.key, link, strnlen(link, IFNAMSIZ - 1));
	return element;
}

static void put_note(struct netlink_message *message, const char *note)
{
	uint8_t bytes[2 + NFT_NOTE_MAX] = {NFT_NOTE_IS_COMMENT, (uint8_t)(strlen(note) + 1)};

	memcpy(bytes + 2, note, strlen(note) + 1);
	netlink_put(message, NFTA_SET_ELEM_USERDATA, bytes, 2 + strlen(note) + 1);
}

static void write_change(struct netlink_message *message, const struct nft_table *table,
			 uint16_t type, const struct nft_element *element)
{
	bool is_new = type == NFT_MSG_NEWSETELEM;
	size_t list, item;

	nft_begin(message, table, type, is_new ? NLM_F_CREATE : 0);
	netlink_put_text(message, NFTA_SET_ELEM_LIST_TABLE, table->name);
	netlink_put_text(message, NFTA_SET_ELEM_LIST_SET, element->set);
	list = netlink_open(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = netlink_open(message, NFTA_LIST_ELEM);
	nft_put_value(message, NFTA_SET_ELEM_KEY, element->key, element->key_length);
	if (is_new && element->value_length > 0)
		nft_put_value(message, NFTA_SET_ELEM_DATA, element->value, element->value_length);
	if (is_new && *element->note)
		put_note(message, element->note);
	netlink_close(message, item);
	netlink_close(message, list);
}

void nft_add_element(struct netlink_batch *batch, const struct nft_table *table,
		     const struct nft_element *element)
{
	struct netlink_message message;

	write_change(&message, table, NFT_MSG_NEWSETELEM, element);
	netlink_batch_add(batch, &message, /* is_silent= */ false);
}

int nft_change(struct netlink_socket *socket, const struct nft_table *table, uint16_t type,
	       const struct nft_element *element)
{
	struct netlink_message message;
	int r;

	write_change(&message, table, type, element);
	r = nft_call_one(socket, &message);
	return r == (type == NFT_MSG_NEWSETELEM ? -EEXIST : -ENOENT) ? 0 : r;
}
