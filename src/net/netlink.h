/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of the kernel's rtnetlink (rtnetlink(7), netlink(7)): made in a buffer of fixed size,
 * and taken apart without trusting any length in them. Zone: any.
 */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Making one --- */

#define NETLINK_MESSAGE_MAX 2048

struct netlink_message {
	_Alignas(8) uint8_t bytes[NETLINK_MESSAGE_MAX];
	size_t length;
	bool is_full; /* something did not fit; netlink_call() refuses it */
};

/* A request about a link: 'body' is what its attributes follow. */
void netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags,
		   const struct ifinfomsg *body);

/* The same with a body of another kind. */
void netlink_begin_with(struct netlink_message *message, uint16_t type, uint16_t flags,
			const void *body, size_t length);

void netlink_put(struct netlink_message *message, uint16_t type, const void *bytes, size_t length);
void netlink_put_text(struct netlink_message *message, uint16_t type, const char *text);
void netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t number);

/* Attributes until netlink_close() are inside of this one; returns what that needs. */
size_t netlink_open(struct netlink_message *message, uint16_t type);
void netlink_close(struct netlink_message *message, size_t opened);

/* Bytes without a header of their own, as a body in the middle of attributes is. */
void netlink_put_raw(struct netlink_message *message, const void *bytes, size_t length);

/* --- Taking one apart --- */

struct netlink_attribute {
	uint16_t type; /* without the flags */
	const uint8_t *bytes;
	size_t length;
};

/* Bytes that are still to be looked at. */
struct netlink_rest {
	const uint8_t *bytes;
	size_t length;
};

/*
 * The head that comes before the attributes of a body, as a copy; 'ret_head' may be NULL,
 * '*ret_rest' is what follows. False: there are fewer bytes.
 */
bool netlink_take_head(const struct netlink_rest *body, void *ret_head, size_t length,
		       struct netlink_rest *ret_rest);

/* True with the next attribute; false at the end, and at the first that is malformed. */
bool netlink_next(struct netlink_rest *rest, struct netlink_attribute *ret);

/* True with the next message of what was received at once, its body in '*ret_body'. */
bool netlink_next_message(struct netlink_rest *rest, struct nlmsghdr *ret_header,
			  struct netlink_rest *ret_body);

/* Copies a text that ends within 'size' bytes; false for any other attribute. */
bool netlink_text(const struct netlink_attribute *attribute, char *ret, size_t size);
bool netlink_u32(const struct netlink_attribute *attribute, uint32_t *ret);

/* --- Sending --- */

struct netlink_socket {
	int fd;
	uint32_t sequence;
	char complaint[160]; /* what the kernel said of the last failure besides errno, or "" */
};

#define NETLINK_CLOSED ((struct netlink_socket){.fd = -EBADF})

/* A socket for links and routes in the network namespace that we are in. */
int netlink_socket_open(struct netlink_socket *ret);

/* The same for another NETLINK_* of netlink(7). */
int netlink_socket_open_for(int protocol, struct netlink_socket *ret);
void netlink_socket_close(struct netlink_socket *socket);

/* A reply, without its header. Returns 0, or a negative errno that ends the call. */
typedef int (*netlink_reply)(uint16_t type, const struct netlink_rest *body, void *userdata);

/*
 * Sends a request and hears its replies up to the acknowledgement, at most five seconds. 'reply'
 * may be NULL. -EBADMSG for replies that make no sense, -ETIME without any.
 */
int netlink_call(struct netlink_socket *socket, struct netlink_message *message,
		 netlink_reply reply, void *userdata);

/*
 * Its three parts, for who has another process send: the first makes the message ready, with a
 * number that replies bear. A reply that ends the third leaves the rest of them unheard; what is
 * asked next passes over those.
 */
int netlink_number(struct netlink_socket *socket, struct netlink_message *message);
int netlink_send(const struct netlink_socket *socket, const struct netlink_message *message);
int netlink_hear(struct netlink_socket *socket, netlink_reply reply, void *userdata);

/* Requests that take effect together or not at all, as nf_tables wants them. */
#define NETLINK_BATCH_MAX 12288

struct netlink_batch {
	_Alignas(8) uint8_t bytes[NETLINK_BATCH_MAX];
	size_t length;
	uint32_t count;
	bool is_full;
};

/* One more request; it is acknowledged unless 'is_silent'. */
void netlink_batch_add(struct netlink_batch *batch, struct netlink_message *message,
		       bool is_silent);

/* Sends them and hears every acknowledgement. Returns 0, or the first error. */
int netlink_batch_call(struct netlink_socket *socket, struct netlink_batch *batch);
