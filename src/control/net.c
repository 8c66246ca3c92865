/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn net: what was asked for is done by the machine's supervisor, which takes it back one day.
 * Zone: free.
 */
#include "control/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/new-link-values.h"
#include "config/port-values.h"
#include "control/door.h"
#include "control/request.h"

struct net_words {
	const char *machine;
	struct strings rest; /* behind the word for what is to be done */
	enum output_form form;
};

struct target {
	struct arena arena;
	struct places places;
	struct registry_entry entry;
};

/* --- Objects --- */

struct object {
	const char *word;
	bool may_be_alone; /* the rest may be left out, or stand without a blank */
	const char *wanted;
	int (*read_port)(const struct asking *asking, const char *value); /* of ports */
};

/* What can be added, each by a method of the machine. */
static const struct object objects[] = {
	{"bridge", false, "BRIDGE[:NAME][,OPTION...]", NULL},
	{"tap", false, "NAME[,OPTION...]", NULL},
	{"veth", true, "", NULL},
	{"port", false, "[ADDRESS:][tcp:|udp:]PORT[:PORT]", set_port},
	{"host-port", false, "[tcp:|udp:]PORT", set_host_port},
};

static const struct object *find_object(const char *word, const char **ret_rest)
{
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		size_t length = strlen(objects[i].word);

		if (!text_has_prefix(word, objects[i].word) ||
		    (word[length] && !(objects[i].may_be_alone && strchr(":,", word[length]))))
			continue;
		*ret_rest = word + length;
		return &objects[i];
	}
	(void)refuse(EINVAL, "'net add' does not know the kind '%s'", word);
	hint("It knows bridge, tap, veth, port and host-port");
	return NULL;
}

/* --- Calls --- */

static int call(const struct target *target, const struct bus_call *method,
		const struct bus_writer *body, struct bus *bus, struct bus_message *ret_reply)
{
	TRY(door_open(&target->entry, bus));
	return door_call(bus, &target->entry, method, body, ret_reply);
}

static int call_add(const struct target *target, const struct object *object, const char *text)
{
	static const struct bus_call method = {.member = "AddLink", .signature = "ss"};
	__attribute__((cleanup(bus_close))) struct bus bus = BUS_NONE;
	const char *inside, *host;
	struct bus_writer body = {0};
	struct bus_message reply;
	int r;

	bus_put_text(&body, object->word);
	bus_put_text(&body, text);
	r = call(target, &method, &body, &bus, &reply);
	bus_writer_done(&body);
	TRY(r);
	if (bus_get_text(&reply.body, &inside) < 0 || bus_get_text(&reply.body, &host) < 0)
		return fail(-EPROTO, "Cannot talk with the supervisor of machine '%s'",
			    target->entry.machine);
	(void)printf("%s%s%s\n", inside, *host ? " " : "", host);
	return output_flush();
}

/* What has no answer: a member with one text, or with two. */
static int call_with(const struct target *target, const char *member, const char *first,
		     const char *second)
{
	const struct bus_call method = {.member = member, .signature = second ? "ss" : "s"};
	__attribute__((cleanup(bus_close))) struct bus bus = BUS_NONE;
	struct bus_writer body = {0};
	struct bus_message reply;
	int r;

	bus_put_text(&body, first);
	if (second)
		bus_put_text(&body, second);
	r = call(target, &method, &body, &bus, &reply);
	bus_writer_done(&body);
	return r;
}

/* --- What can be done --- */

static int find(struct target *target, const char *machine)
{
	TRY(places_find(&target->arena, SCOPE_AUTO, &target->places));
	return registry_find(&target->arena, &target->places, machine, &target->entry);
}

static int list(struct target *target, const struct net_words *words)
{
	if (words->rest.count > 0)
		return refuse(EINVAL, "'%s' does not take '%s'", "net list", words->rest.items[0]);
	TRY(find(target, words->machine));
	return net_show(&target->arena, &target->places, &target->entry, words->form);
}

static enum new_link_kind kind_of(const struct object *object)
{
	return (enum new_link_kind)names_find(&new_link_kinds, object->word)->value;
}

/* What is no such object at all is said before anybody is asked. */
static int read_object(const struct object *object, const char *noun, const char *text)
{
	struct config config = {0};
	const struct asking asking = {.config = &config, .noun = noun};
	struct new_link_request request;
	int r = object->read_port ? object->read_port(&asking, text)
				  : new_link_read(&asking, kind_of(object), text, &request);

	arena_done(&config.arena);
	return r;
}

static int add(struct target *target, const struct net_words *words)
{
	const struct strings *rest = &words->rest;
	const struct object *object;
	const char *text;

	if (rest->count == 0)
		return refuse(EINVAL, "'net add' needs what is to be added");
	object = find_object(rest->items[0], &text);
	if (!object)
		return -EINVAL;
	if (!*text && rest->count > 1)
		text = rest->items[1];
	else if (!object->may_be_alone)
		return refuse(EINVAL, "'net add %s' needs %s", object->word, object->wanted);
	if (rest->count > (size_t)(text == rest->items[0] + strlen(object->word) ? 1 : 2))
		return refuse(EINVAL, "'%s' does not take '%s'", "net add",
			      rest->items[rest->count - 1]);
	TRY(read_object(object, "'net add'", text));
	TRY(find(target, words->machine));
	return object->read_port ? call_with(target, "AddPort", object->word, text)
				 : call_add(target, object, text);
}

/* Ports are called by their kind and what they were added with, a link by its name alone. */
static const struct object *find_kind_of_port(const struct strings *rest)
{
	for (size_t i = 0; i < ARRAY_LEN(objects) && rest->count > 1; i++)
		if (objects[i].read_port && strcmp(rest->items[0], objects[i].word) == 0)
			return &objects[i];
	return NULL;
}

static int take_away(struct target *target, const struct net_words *words)
{
	const struct strings *rest = &words->rest;
	const struct object *port = find_kind_of_port(rest);

	if (rest->count == 0)
		return refuse(EINVAL, "'net remove' needs the name of an interface inside");
	if (rest->count > (port ? 2 : 1))
		return refuse(EINVAL, "'%s' does not take '%s'", "net remove",
			      rest->items[rest->count - 1]);
	if (port)
		TRY(read_object(port, "'net remove'", rest->items[1]));
	TRY(find(target, words->machine));
	return port ? call_with(target, "RemovePort", port->word, rest->items[1])
		    : call_with(target, "RemoveLink", rest->items[0], NULL);
}

static const struct {
	const char *word;
	int (*function)(struct target *target, const struct net_words *words);
} actions[] = {
	{"list", list},
	{"add", add},
	{"remove", take_away},
};

static int run(struct target *target, int argc, char **argv)
{
	struct request request;
	struct net_words words = {0};
	const char *what;

	TRY(request_read_names(&target->arena, argc, argv, REQUEST_FORM, &request));
	words.machine = request.names.items[0];
	words.form = request.form;
	what = request.names.count > 1 ? request.names.items[1] : "list";
	for (size_t i = 2; i < request.names.count; i++)
		strings_add(&target->arena, &words.rest, request.names.items[i]);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(what, actions[i].word) == 0)
			return actions[i].function(target, &words);
	(void)refuse(EINVAL, "'net' does not know the word '%s'", what);
	hint("It knows list, add and remove, behind the name of the machine");
	return -EINVAL;
}

int control_net(int argc, char **argv)
{
	struct target target = {0};
	int r = run(&target, argc, argv);

	arena_done(&target.arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
