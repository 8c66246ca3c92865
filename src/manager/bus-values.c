/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads values by their signature (D-Bus Specification, "Marshaling").
 * Zone: any.
 */
#include "manager/bus-values.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"

#define DEPTH_MAX 64 /* 32 arrays and 32 structs, the specification says */

bool bus_has_more(const struct bus_reader *reader)
{
	return reader->position < reader->length;
}

/* Bytes of a fixed type, 0 for any other. */
static size_t size_of(char type)
{
	switch (type) {
	case 'y':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'b':
	case 'i':
	case 'u':
	case 'h':
		return 4;
	case 'x':
	case 't':
	case 'd':
		return 8;
	default:
		return 0;
	}
}

static size_t alignment_of(char type)
{
	size_t size = size_of(type);

	if (size > 0)
		return size;
	return type == '(' || type == '{' ? 8 : type == 'g' || type == 'v' ? 1 : 4;
}

int bus_get_number(struct bus_reader *reader, char type, int64_t *ret)
{
	size_t size = size_of(type);
	const uint8_t *at;
	uint16_t u16;
	uint32_t u32;

	if (size == 0)
		return -EPROTO;
	TRY(bus_align(reader, size));
	TRY(bus_skip_bytes(reader, size));
	at = reader->data + reader->position - size;
	memcpy(&u16, at, size >= sizeof(u16) ? sizeof(u16) : 0);
	memcpy(&u32, at, size >= sizeof(u32) ? sizeof(u32) : 0);
	if (size == sizeof(*ret))
		memcpy(ret, at, sizeof(*ret));
	else if (size == sizeof(u32))
		*ret = type == 'i' ? (int32_t)u32 : (int64_t)u32;
	else if (size == sizeof(u16))
		*ret = type == 'n' ? (int16_t)u16 : (int64_t)u16;
	else
		*ret = *at;
	return 0;
}

int bus_get_array(struct bus_reader *reader, size_t alignment, struct bus_reader *ret)
{
	uint32_t length;

	TRY(bus_get_u32(reader, &length));
	/* What is skipped before the first element is not counted. */
	TRY(bus_align(reader, alignment));
	TRY(bus_skip_bytes(reader, length));
	*ret = (struct bus_reader){reader->data, reader->position, reader->position - length};
	return 0;
}

static int skip(struct bus_reader *reader, const char **signature, unsigned int depth);

/* Moves behind a type without reading anything. */
static int skip_type(const char **signature, unsigned int depth)
{
	char type = *(*signature)++;
	char end = type == '(' ? ')' : '}';

	if (depth > DEPTH_MAX)
		return -EPROTO;
	if (type == 'a')
		return skip_type(signature, depth + 1);
	if (type == '(' || type == '{') {
		while (**signature != end)
			TRY(skip_type(signature, depth + 1));
		(*signature)++;
		return 0;
	}
	return size_of(type) > 0 || (type && strchr("sogv", type)) ? 0 : -EPROTO;
}

static int skip_array(struct bus_reader *reader, const char **signature, unsigned int depth)
{
	struct bus_reader elements;

	TRY(bus_get_array(reader, alignment_of(**signature), &elements));
	return skip_type(signature, depth + 1);
}

static int skip_struct(struct bus_reader *reader, const char **signature, unsigned int depth,
		       char end)
{
	TRY(bus_align(reader, 8));
	while (**signature != end)
		TRY(skip(reader, signature, depth + 1));
	(*signature)++;
	return 0;
}

static int skip(struct bus_reader *reader, const char **signature, unsigned int depth)
{
	char type = **signature;
	const char *text;
	int64_t number;

	if (depth > DEPTH_MAX || type == '\0')
		return -EPROTO;
	(*signature)++;
	switch (type) {
	case 'a':
		return skip_array(reader, signature, depth);
	case '(':
		return skip_struct(reader, signature, depth, ')');
	case '{':
		return skip_struct(reader, signature, depth, '}');
	case 's':
	case 'o':
		return bus_get_text(reader, &text);
	case 'g':
		return bus_get_signature(reader, &text);
	case 'v':
		TRY(bus_get_signature(reader, &text));
		return skip(reader, &text, depth + 1);
	default:
		return bus_get_number(reader, type, &number);
	}
}

int bus_skip(struct bus_reader *reader, const char **signature)
{
	return skip(reader, signature, 0);
}
