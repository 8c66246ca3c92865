/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of the D-Bus Specification (version 0.43), as bytes: what we say is written, what others
 * say is read with every length looked at. Only the byte order of this machine: who is on the other
 * end of a local socket has the same.
 * Zone: any. Pure, but for memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any answer we ask for; a message may have 128 MiB. */
#define BUS_MESSAGE_MAX ((size_t)256 * 1024)

/* --- Writing --- */

/* Starts zeroed. Without memory 'failed' is set and everything after does nothing. */
struct bus_writer {
	uint8_t *data; /* malloc'ed */
	size_t length, room;
	bool failed;
};

void bus_writer_done(struct bus_writer *writer);

void bus_put_byte(struct bus_writer *writer, uint8_t value);
void bus_put_bytes(struct bus_writer *writer, const struct bus_writer *bytes); /* as they are */
void bus_put_u32(struct bus_writer *writer, uint32_t value); /* also int32, boolean and h */
void bus_put_u64(struct bus_writer *writer, uint64_t value);
void bus_put_text(struct bus_writer *writer, const char *text); /* s and o */
void bus_put_signature(struct bus_writer *writer, const char *signature);

/* A struct or an entry of a dictionary begins. */
void bus_put_struct(struct bus_writer *writer);

/* Elements follow, aligned to 'alignment'; the result is for bus_end_array(). */
struct bus_array {
	size_t length_at, begin;
};
struct bus_array bus_begin_array(struct bus_writer *writer, size_t alignment);
void bus_end_array(struct bus_writer *writer, struct bus_array array);

enum bus_type {
	BUS_CALL = 1,
	BUS_REPLY = 2,
	BUS_ERROR = 3,
	BUS_SIGNAL = 4,
};

/* A method call; without 'destination' for whoever is at the other end. */
struct bus_call {
	const char *destination, *path, *interface, *member;
	const char *signature; /* of the body, "" for none */
	uint32_t fd_count;     /* descriptors that go along */
};

/* The answer to a call, or to nobody in particular (a signal). */
struct bus_answer {
	enum bus_type type;
	uint32_t reply_serial;
	const char *destination; /* who called, or NULL */
	const char *error;       /* the name of a BUS_ERROR, whose text is the body */
	const char *signature;   /* of the body, "" for none */
	uint32_t fd_count;       /* descriptors that go along */
};

/* The whole message: the head of 'answer', then 'body'. */
void bus_write_answer(struct bus_writer *ret, const struct bus_answer *answer, uint32_t serial,
		      const struct bus_writer *body);

/* The whole message: the head of 'call', then 'body'. */
void bus_write_call(struct bus_writer *ret, const struct bus_call *call, uint32_t serial,
		    const struct bus_writer *body);

/* --- Reading --- */

struct bus_reader {
	const uint8_t *data;
	size_t length, position;
};

/* Leaves out bytes; or to a multiple of 'alignment' from the beginning, as a struct (8) begins. */
int bus_skip_bytes(struct bus_reader *reader, size_t count);
int bus_align(struct bus_reader *reader, size_t alignment);

/* 0 or -EPROTO. Texts point into the data and end in a NUL. */
int bus_get_u32(struct bus_reader *reader, uint32_t *ret);
int bus_get_text(struct bus_reader *reader, const char **ret);
int bus_get_signature(struct bus_reader *reader, const char **ret);

/* Texts point into the data; "" for what is not there. */
struct bus_message {
	enum bus_type type;
	bool wants_reply; /* of a call */
	uint32_t serial, reply_serial;
	const char *path, *interface, *member, *error, *sender, *signature;
	struct bus_reader body;
};

/*
 * How long the message is that begins with these bytes, 0 while that cannot be told yet, or
 * -EPROTO.
 */
int64_t bus_message_length(const uint8_t *data, size_t length);

/* Reads a whole message of that length. 0 or -EPROTO. */
int bus_read_message(const uint8_t *data, size_t length, struct bus_message *ret);
