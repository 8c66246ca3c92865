/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the machine manager, a method each.
 * Zone: free.
 */
#include "control/machined.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "host/places.h"
#include "manager/bus-values.h"
#include "manager/manager.h"

#define PATIENCE_MSEC 1000
#define MACHINES_MAX 4096
#define OS_FIELD_MAX 256 /* as os_release_parse() has it */

bool machined_has_machines(const struct places *places)
{
	auto_closedir DIR *directory = opendir(places->registry);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		/* There are links of other names to each file. */
		if (text_is_hostname(entry->d_name))
			return true;
	return false;
}

int machined_open(struct arena *arena, const struct places *places, struct bus *ret)
{
	const struct manager_place place = {.is_user = places->is_user, .runtime = places->runtime};

	return bus_open(manager_bus_path(arena, &place), true, PATIENCE_MSEC, ret);
}

/* Calls 'member' of the manager with the texts 'name' has; the answer is in '*ret'. */
static int ask(struct bus *bus, const char *member, const char *name, struct bus_message *ret)
{
	const struct bus_call call = {
		.destination = MACHINED_NAME,
		.path = MACHINED_PATH,
		.interface = MACHINED_MANAGER,
		.member = member,
		.signature = name ? "s" : "",
	};
	struct bus_writer body = {0};
	int r;

	bus_set_patience(bus, PATIENCE_MSEC);
	if (name)
		bus_put_text(&body, name);
	r = bus_call(bus, &call, &body, NULL, ret);
	bus_writer_done(&body);
	return r;
}

static int copy_text(struct arena *arena, struct bus_reader *reader, const char **ret)
{
	const char *text;

	TRY(bus_get_text(reader, &text));
	*ret = arena_copy(arena, text);
	return 0;
}

int machined_list(struct arena *arena, struct bus *bus, struct machined_machines *ret)
{
	struct bus_message reply;
	struct bus_reader rows;

	TRY(ask(bus, "ListMachines", NULL, &reply));
	if (strcmp(reply.signature, "a(ssso)") != 0)
		return -EPROTO;
	TRY(bus_get_array(&reply.body, 8, &rows));
	while (bus_has_more(&rows) && ret->count < MACHINES_MAX) {
		struct machined_machine machine = {0};

		TRY(bus_align(&rows, 8));
		TRY(copy_text(arena, &rows, &machine.name));
		TRY(copy_text(arena, &rows, &machine.class));
		TRY(copy_text(arena, &rows, &machine.service));
		TRY(copy_text(arena, &rows, &machine.path));
		*ARRAY_ADD(arena, ret) = machine;
	}
	return 0;
}

int machined_find(struct arena *arena, struct bus *bus, const char *name, const char **ret_path)
{
	struct bus_message reply;
	int r = ask(bus, "GetMachine", name, &reply);

	if (r == -EREMOTEIO && strstr(reply.error, "NoSuchMachine"))
		return -ESRCH;
	TRY(r);
	return strcmp(reply.signature, "o") == 0 ? copy_text(arena, &reply.body, ret_path)
						 : -EPROTO;
}

int machined_os(struct arena *arena, struct bus *bus, const char *name, struct os_identity *ret)
{
	const struct {
		const char *key, **text;
	} fields[] = {{"ID", &ret->id},
		      {"VERSION_ID", &ret->version_id},
		      {"PRETTY_NAME", &ret->pretty_name}};
	struct bus_message reply;
	struct bus_reader entries;
	const char *key, *value;

	TRY(ask(bus, "GetMachineOSRelease", name, &reply));
	if (strcmp(reply.signature, "a{ss}") != 0)
		return -EPROTO;
	TRY(bus_get_array(&reply.body, 8, &entries));
	while (bus_has_more(&entries)) {
		TRY(bus_align(&entries, 8));
		TRY(bus_get_text(&entries, &key));
		TRY(bus_get_text(&entries, &value));
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			if (strcmp(key, fields[i].key) == 0)
				*fields[i].text =
					arena_copy_n(arena, value, strnlen(value, OS_FIELD_MAX));
	}
	return 0;
}

int machined_addresses(struct arena *arena, struct bus *bus, const char *name, struct strings *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct bus_reader rows, bytes;
	struct bus_message reply;
	uint32_t family;

	TRY(ask(bus, "GetMachineAddresses", name, &reply));
	if (strcmp(reply.signature, "a(iay)") != 0)
		return -EPROTO;
	TRY(bus_get_array(&reply.body, 8, &rows));
	while (bus_has_more(&rows)) {
		TRY(bus_align(&rows, 8));
		TRY(bus_get_u32(&rows, &family));
		TRY(bus_get_array(&rows, 1, &bytes));
		if (bytes.length - bytes.position != (family == AF_INET ? 4 : 16))
			continue;
		if (inet_ntop((int)family, bytes.data + bytes.position, text, sizeof(text)))
			strings_add(arena, ret, arena_copy(arena, text));
	}
	return 0;
}

/* --- Properties --- */

static int get_list(struct arena *arena, struct bus_reader *reader, char type,
		    struct output_cell *ret)
{
	struct strings numbers = {0};
	struct bus_reader elements;
	const char *hex = "";
	int64_t number;

	TRY(bus_get_array(reader, type == 'y' ? 1 : 4, &elements));
	while (bus_has_more(&elements)) {
		TRY(bus_get_number(&elements, type, &number));
		if (type == 'y')
			hex = arena_format(arena, "%s%02x", hex, (unsigned int)number);
		else
			strings_add(arena, &numbers, arena_format(arena, "%d", (int)number));
	}
	*ret = type == 'y' ? output_text(hex) : output_numbers(&numbers);
	return 0;
}

/* A value; nothing for a type that has no cell. */
static int get_value(struct arena *arena, struct bus_reader *reader, struct output_cell *ret)
{
	const char *signature, *text;
	int64_t number;

	TRY(bus_get_signature(reader, &signature));
	*ret = (struct output_cell){.kind = OUTPUT_NOTHING};
	if (strcmp(signature, "s") == 0 || strcmp(signature, "o") == 0) {
		TRY(copy_text(arena, reader, &text));
		*ret = output_text(text);
		return 0;
	}
	if (strcmp(signature, "ai") == 0 || strcmp(signature, "ay") == 0)
		return get_list(arena, reader, signature[1], ret);
	if (strlen(signature) != 1 || !strchr("ybnqiuxt", *signature))
		return bus_skip(reader, &signature);
	TRY(bus_get_number(reader, *signature, &number));
	*ret = *signature == 'b' ? output_truth(number) : output_number(number);
	return 0;
}

int machined_properties(struct arena *arena, struct bus *bus, const char *path,
			const char *interface, struct properties *ret)
{
	const struct bus_call call = {
		.destination = MACHINED_NAME,
		.path = path,
		.interface = "org.freedesktop.DBus.Properties",
		.member = "GetAll",
		.signature = "s",
	};
	struct bus_writer body = {0};
	struct bus_message reply;
	struct bus_reader entries;
	int r;

	bus_set_patience(bus, PATIENCE_MSEC);
	bus_put_text(&body, interface);
	r = bus_call(bus, &call, &body, NULL, &reply);
	bus_writer_done(&body);
	TRY(r);
	if (strcmp(reply.signature, "a{sv}") != 0)
		return -EPROTO;
	TRY(bus_get_array(&reply.body, 8, &entries));
	while (bus_has_more(&entries)) {
		struct property property = {0};

		TRY(bus_align(&entries, 8));
		TRY(copy_text(arena, &entries, &property.name));
		TRY(get_value(arena, &entries, &property.cell));
		*ARRAY_ADD(arena, ret) = property;
	}
	return 0;
}

/* --- Deeds --- */

int machined_call(struct bus *bus, const char *member, const char *signature,
		  const struct bus_writer *body, const char *name)
{
	const struct bus_call call = {
		.destination = MACHINED_NAME,
		.path = MACHINED_PATH,
		.interface = MACHINED_MANAGER,
		.member = member,
		.signature = signature,
	};
	struct bus_message reply;
	int r;

	bus_set_patience(bus, (unsigned int)PATIENCE_MSEC * 30);
	r = bus_call(bus, &call, body, NULL, &reply);
	if (r == -EREMOTEIO)
		return refuse(EREMOTEIO, "The machine manager declines about '%s': %s", name,
			      bus_error_text(&reply));
	return r < 0 ? fail(r, "Cannot ask the machine manager about '%s'", name) : 0;
}
