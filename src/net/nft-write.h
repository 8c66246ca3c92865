/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of nf_tables: messages in batches, and the expressions that rules are made of.
 * Registers are those of the kernel; what is loaded and compared without one is in the first. Zone:
 * owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/netlink.h"

struct nft_table {
	uint8_t family; /* NFPROTO_* */
	const char *name;
};

/* A request about a table, or an attribute with a number. */
void nft_begin(struct netlink_message *message, const struct nft_table *table, uint16_t type,
	       uint16_t flags);
void nft_put_number(struct netlink_message *message, uint16_t type, uint32_t number);

/* Takes effect as a whole, or not at all. */
void nft_batch_begin(struct netlink_batch *batch);
int nft_batch_call(struct netlink_socket *socket, struct netlink_batch *batch);
int nft_call_one(struct netlink_socket *socket, struct netlink_message *message);

/* What is opened twice is closed twice. */
struct nft_expression {
	size_t element, data;
};

struct nft_expression nft_expression_open(struct netlink_message *message, const char *name);
void nft_expression_close(struct netlink_message *message, struct nft_expression expression);
void nft_put_value(struct netlink_message *message, uint16_t type, const void *bytes,
		   size_t length);

void nft_load_meta(struct netlink_message *message, uint32_t key, uint32_t reg);
void nft_match(struct netlink_message *message, uint32_t operation, const void *bytes,
	       size_t length);

/* The interface of a packet is in the set; or, if 'is_inverse', it is not. */
void nft_match_link(struct netlink_message *message, uint32_t key, const char *set,
		    bool is_inverse);
void nft_match_family(struct netlink_message *message, uint8_t family);

/* Any of the bits of what is known of the packet's connection. */
void nft_match_connection(struct netlink_message *message, uint32_t key, uint32_t bits);
void nft_conclude(struct netlink_message *message, uint32_t verdict);

/* The first of a batch: it fails with -EEXIST where the table is there, and the rest with it. */
void nft_add_table(struct netlink_batch *batch, const struct nft_table *table);
int nft_remove_table(struct netlink_socket *socket, const struct nft_table *table);

/* A set of names of interfaces; 'number' is its own within the batch. */
void nft_add_link_set(struct netlink_batch *batch, const struct nft_table *table, const char *name,
		      uint32_t number);
void nft_begin_set(struct netlink_message *message, const struct nft_table *table, const char *name,
		   uint32_t number, uint32_t type, size_t length);

void nft_add_chain(struct netlink_batch *batch, const struct nft_table *table, const char *name,
		   const char *type, uint32_t hook, int priority);

/* Writes the expressions of one rule. */
typedef void (*nft_rule_writer)(struct netlink_message *message);
void nft_add_rule(struct netlink_batch *batch, const struct nft_table *table, const char *chain,
		  nft_rule_writer write);

#define NFT_KEY_MAX 24
#define NFT_NOTE_MAX 32
#define NFT_NOTE_IS_COMMENT 0 /* what nft(8) shows of what users may store */

/* Of a set, or with a value of a map. The note is what nft(8) shows as a comment. */
struct nft_element {
	const char *set;
	uint8_t key[NFT_KEY_MAX], value[NFT_KEY_MAX];
	size_t key_length, value_length;
	char note[NFT_NOTE_MAX];
};

/* Of a set of names of interfaces. */
struct nft_element nft_link_element(const char *set, const char *link);

void nft_add_element(struct netlink_batch *batch, const struct nft_table *table,
		     const struct nft_element *element);

/* NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM: what is there already, or not any more, is well. */
int nft_change(struct netlink_socket *socket, const struct nft_table *table, uint16_t type,
	       const struct nft_element *element);
