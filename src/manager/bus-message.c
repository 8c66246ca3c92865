/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Marshals and reads messages.
 * Zone: any.
 */
#include "manager/bus-message.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

#define PROTOCOL_VERSION 1
#define FLAG_NO_REPLY 1
#define FIXED_HEAD_BYTES 16 /* up to and with the length of the fields */

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define BYTE_ORDER_MARK 'l'
#else
#define BYTE_ORDER_MARK 'B'
#endif

enum head_field {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_DESTINATION = 6,
	FIELD_SENDER = 7,
	FIELD_SIGNATURE = 8,
	FIELD_FDS = 9,
};

/* --- Writing --- */

void bus_writer_done(struct bus_writer *writer)
{
	free(writer->data);
	*writer = (struct bus_writer){0};
}

static void put(struct bus_writer *writer, const void *bytes, size_t count)
{
	if (writer->failed || count == 0)
		return;
	if (writer->length + count > writer->room) {
		size_t room = (writer->length + count) * 2 + 256;
		uint8_t *data = room > BUS_MESSAGE_MAX * 4 ? NULL : realloc(writer->data, room);

		if (!data) {
			writer->failed = true;
			return;
		}
		writer->data = data;
		writer->room = room;
	}
	memcpy(writer->data + writer->length, bytes, count);
	writer->length += count;
}

static void align(struct bus_writer *writer, size_t alignment)
{
	static const uint8_t nothing[8];
	size_t beyond = writer->length % alignment;

	put(writer, nothing, beyond ? alignment - beyond : 0);
}

void bus_put_byte(struct bus_writer *writer, uint8_t value)
{
	put(writer, &value, sizeof(value));
}

void bus_put_bytes(struct bus_writer *writer, const struct bus_writer *bytes)
{
	writer->failed = writer->failed || bytes->failed;
	put(writer, bytes->data, bytes->length);
}

void bus_put_u32(struct bus_writer *writer, uint32_t value)
{
	align(writer, sizeof(value));
	put(writer, &value, sizeof(value));
}

void bus_put_u64(struct bus_writer *writer, uint64_t value)
{
	align(writer, sizeof(value));
	put(writer, &value, sizeof(value));
}

void bus_put_text(struct bus_writer *writer, const char *text)
{
	size_t length = strlen(text);

	bus_put_u32(writer, (uint32_t)length);
	put(writer, text, length + 1);
}

void bus_put_signature(struct bus_writer *writer, const char *signature)
{
	size_t length = strlen(signature);

	assert(length <= UINT8_MAX);
	bus_put_byte(writer, (uint8_t)length);
	put(writer, signature, length + 1);
}

void bus_put_struct(struct bus_writer *writer)
{
	align(writer, 8);
}

struct bus_array bus_begin_array(struct bus_writer *writer, size_t alignment)
{
	struct bus_array array;

	bus_put_u32(writer, 0);
	array.length_at = writer->length - sizeof(uint32_t);
	/* What is skipped before the first element is not counted. */
	align(writer, alignment);
	array.begin = writer->length;
	return array;
}

void bus_end_array(struct bus_writer *writer, struct bus_array array)
{
	uint32_t length = (uint32_t)(writer->length - array.begin);

	if (!writer->failed)
		memcpy(writer->data + array.length_at, &length, sizeof(length));
}

static void put_field(struct bus_writer *writer, enum head_field field, const char *signature,
		      const char *text)
{
	if (!text || !*text)
		return;
	bus_put_struct(writer);
	bus_put_byte(writer, (uint8_t)field);
	bus_put_signature(writer, signature);
	if (*signature == 'g')
		bus_put_signature(writer, text);
	else
		bus_put_text(writer, text);
}

/* The fixed head, up to the array of fields. */
static struct bus_array begin_message(struct bus_writer *ret, enum bus_type type, uint32_t serial,
				      const struct bus_writer *body)
{
	*ret = (struct bus_writer){.failed = body->failed};
	bus_put_byte(ret, BYTE_ORDER_MARK);
	bus_put_byte(ret, (uint8_t)type);
	bus_put_byte(ret, 0);
	bus_put_byte(ret, PROTOCOL_VERSION);
	bus_put_u32(ret, (uint32_t)body->length);
	bus_put_u32(ret, serial);
	return bus_begin_array(ret, 8);
}

static void put_number_field(struct bus_writer *writer, enum head_field field, uint32_t number)
{
	bus_put_struct(writer);
	bus_put_byte(writer, (uint8_t)field);
	bus_put_signature(writer, "u");
	bus_put_u32(writer, number);
}

static void end_message(struct bus_writer *ret, struct bus_array fields,
			const struct bus_writer *body)
{
	bus_end_array(ret, fields);
	bus_put_struct(ret);
	put(ret, body->data, body->length);
}

void bus_write_call(struct bus_writer *ret, const struct bus_call *call, uint32_t serial,
		    const struct bus_writer *body)
{
	struct bus_array fields = begin_message(ret, BUS_CALL, serial, body);

	put_field(ret, FIELD_PATH, "o", call->path);
	put_field(ret, FIELD_INTERFACE, "s", call->interface);
	put_field(ret, FIELD_MEMBER, "s", call->member);
	put_field(ret, FIELD_DESTINATION, "s", call->destination);
	put_field(ret, FIELD_SIGNATURE, "g", call->signature);
	if (call->fd_count > 0)
		put_number_field(ret, FIELD_FDS, call->fd_count);
	end_message(ret, fields, body);
}

void bus_write_answer(struct bus_writer *ret, const struct bus_answer *answer, uint32_t serial,
		      const struct bus_writer *body)
{
	struct bus_array fields = begin_message(ret, answer->type, serial, body);

	put_number_field(ret, FIELD_REPLY_SERIAL, answer->reply_serial);
	put_field(ret, FIELD_ERROR, "s", answer->error);
	put_field(ret, FIELD_DESTINATION, "s", answer->destination);
	put_field(ret, FIELD_SIGNATURE, "g", answer->signature);
	if (answer->fd_count > 0)
		put_number_field(ret, FIELD_FDS, answer->fd_count);
	end_message(ret, fields, body);
}

/* --- Reading --- */

int bus_skip_bytes(struct bus_reader *reader, size_t count)
{
	if (count > reader->length - reader->position)
		return -EPROTO;
	reader->position += count;
	return 0;
}

int bus_align(struct bus_reader *reader, size_t alignment)
{
	size_t beyond = reader->position % alignment;

	return bus_skip_bytes(reader, beyond ? alignment - beyond : 0);
}

int bus_get_u32(struct bus_reader *reader, uint32_t *ret)
{
	TRY(bus_align(reader, sizeof(*ret)));
	TRY(bus_skip_bytes(reader, sizeof(*ret)));
	memcpy(ret, reader->data + reader->position - sizeof(*ret), sizeof(*ret));
	return 0;
}

static int get_bytes(struct bus_reader *reader, size_t length, const char **ret)
{
	const char *text = (const char *)reader->data + reader->position;

	if (length >= reader->length - reader->position)
		return -EPROTO;
	/* One NUL, at the end. */
	if (memchr(text, '\0', length + 1) != text + length)
		return -EPROTO;
	TRY(bus_skip_bytes(reader, length + 1));
	*ret = text;
	return 0;
}

int bus_get_text(struct bus_reader *reader, const char **ret)
{
	uint32_t length;

	TRY(bus_get_u32(reader, &length));
	return get_bytes(reader, length, ret);
}

int bus_get_signature(struct bus_reader *reader, const char **ret)
{
	TRY(bus_skip_bytes(reader, 1));
	return get_bytes(reader, reader->data[reader->position - 1], ret);
}

/* All fields that are defined have one of these types. */
static int get_field(struct bus_reader *reader, const char **ret_text, uint32_t *ret_number)
{
	const char *signature;

	TRY(bus_get_signature(reader, &signature));
	*ret_text = NULL;
	if (strcmp(signature, "s") == 0 || strcmp(signature, "o") == 0)
		return bus_get_text(reader, ret_text);
	if (strcmp(signature, "g") == 0)
		return bus_get_signature(reader, ret_text);
	if (strcmp(signature, "u") == 0)
		return bus_get_u32(reader, ret_number);
	return -EPROTO;
}

static int read_field(struct bus_reader *reader, struct bus_message *message)
{
	uint32_t number = 0;
	const char *text;
	const char **texts[] = {
		[FIELD_PATH] = &message->path,     [FIELD_INTERFACE] = &message->interface,
		[FIELD_MEMBER] = &message->member, [FIELD_ERROR] = &message->error,
		[FIELD_SENDER] = &message->sender, [FIELD_SIGNATURE] = &message->signature,
	};
	uint8_t field;

	TRY(bus_align(reader, 8));
	TRY(bus_skip_bytes(reader, 1));
	field = reader->data[reader->position - 1];
	TRY(get_field(reader, &text, &number));
	if (text && field < ARRAY_LEN(texts) && texts[field])
		*texts[field] = text;
	if (!text && field == FIELD_REPLY_SERIAL)
		message->reply_serial = number;
	return 0;
}

int64_t bus_message_length(const uint8_t *data, size_t length)
{
	uint32_t body, fields;
	size_t head;

	if (length < FIXED_HEAD_BYTES)
		return 0;
	if (data[0] != BYTE_ORDER_MARK || data[3] != PROTOCOL_VERSION)
		return -EPROTO;
	memcpy(&body, data + 4, sizeof(body));
	memcpy(&fields, data + 12, sizeof(fields));
	if (body > BUS_MESSAGE_MAX || fields > BUS_MESSAGE_MAX)
		return -EPROTO;
	head = FIXED_HEAD_BYTES + (((size_t)fields + 7) & ~(size_t)7);
	return (int64_t)(head + body);
}

int bus_read_message(const uint8_t *data, size_t length, struct bus_message *ret)
{
	struct bus_message message = {.path = "",
				      .interface = "",
				      .member = "",
				      .error = "",
				      .sender = "",
				      .signature = ""};
	struct bus_reader head = {data, length, FIXED_HEAD_BYTES};
	uint32_t body, fields;

	if (length < FIXED_HEAD_BYTES || bus_message_length(data, length) != (int64_t)length)
		return -EPROTO;
	message.type = data[1];
	message.wants_reply = message.type == BUS_CALL && !(data[2] & FLAG_NO_REPLY);
	memcpy(&body, data + 4, sizeof(body));
	memcpy(&message.serial, data + 8, sizeof(message.serial));
	memcpy(&fields, data + 12, sizeof(fields));
	head.length = FIXED_HEAD_BYTES + (size_t)fields;
	while (head.position < head.length)
		TRY(read_field(&head, &message));
	message.body = (struct bus_reader){data + length - body, body, 0};
	*ret = message;
	return 0;
}
