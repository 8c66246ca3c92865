/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients can ask of a machine: a table of methods, one of properties, and their description.
 * Zone: owing, in the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "run/control.h"
#include "run/launch.h"
#include "run/live-network.h"

#define ERROR_PREFIX "org.freedesktop.DBus.Error."
#define MACHINE_ID_BYTES_MAX 64
#define STATE_BYTES_MAX ((size_t)128 * 1024)

struct call {
	struct control *control;
	struct control_client *client;
	const struct bus_message *message;
	struct bus_reader arguments;
	struct bus_writer body; /* of the answer */
	const char *error;      /* the answer is one, without the prefix; 'body' is its text */
	bool is_answered;       /* or will be later */
};

typedef int (*method)(struct call *call);

static int decline(struct call *call, const char *error, const char *text)
{
	bus_writer_done(&call->body);
	call->error = error;
	bus_put_text(&call->body, text);
	return 0;
}

/* --- Methods of the machine --- */

static int request(struct call *call, enum control_request request)
{
	call->control->requests |= request;
	return 0;
}

static int power_off(struct call *call)
{
	return request(call, CONTROL_POWER_OFF);
}

static int restart(struct call *call)
{
	return request(call, CONTROL_REBOOT);
}

static int terminate(struct call *call)
{
	return request(call, CONTROL_TERMINATE);
}

static int kill_all(struct call *call, const struct machine *machine, int number)
{
	int r;

	if (number != SIGKILL || !machine->has_cgroup)
		return decline(call, "NotSupported",
			       "Only SIGKILL can be sent to all, and only with a cgroup");
	r = cgroup_kill(&machine->cgroup);
	return r < 0 ? decline(call, "Failed", strerror(-r)) : 0;
}

static int send_signal(struct call *call)
{
	const struct machine *machine = call->control->machine;
	const char *whom;
	uint32_t number;

	if (bus_get_text(&call->arguments, &whom) < 0 || bus_get_u32(&call->arguments, &number) < 0)
		return -EPROTO;
	if (number == 0 || number > (uint32_t)SIGRTMAX)
		return decline(call, "InvalidArgs", "There is no such signal");
	if (strcmp(whom, "all") == 0)
		return kill_all(call, machine, (int)number);
	if (strcmp(whom, "leader") != 0)
		return decline(call, "InvalidArgs", "Signals go to 'leader' or 'all'");
	if (syscall(SYS_pidfd_send_signal, machine->pidfd, (int)number, NULL, 0) < 0)
		return decline(call, "Failed", strerror(errno));
	return 0;
}

static int open_console(struct call *call)
{
	struct bus_answer answer = {.type = BUS_REPLY,
				    .reply_serial = call->message->serial,
				    .signature = "h",
				    .fd_count = 1};
	struct control *control = call->control;
	auto_close int fd = -EBADF;
	int r;

	if (!control->machine->console.is_started)
		return decline(call, "NotSupported", "The machine has no console of its own");
	if (!call->client->peer.takes_fds)
		return decline(call, "NotSupported", "The connection carries no descriptors");
	fd = console_share_attach(&control->share);
	if (fd == -EUSERS)
		return decline(call, "LimitsExceeded", "Too many attached to the console");
	if (fd < 0)
		return decline(call, "Failed", strerror(-fd));
	bus_put_u32(&call->body, 0); /* the first descriptor that comes along */
	r = bus_peer_answer_fd(&call->client->peer, &answer, &call->body, fd);
	if (r < 0)
		console_share_detach_last(&control->share);
	call->is_answered = true;
	return r;
}

static int resize_console(struct call *call)
{
	uint32_t columns, rows;

	if (bus_get_u32(&call->arguments, &columns) < 0 || bus_get_u32(&call->arguments, &rows) < 0)
		return -EPROTO;
	if (columns > UINT16_MAX || rows > UINT16_MAX)
		return decline(call, "InvalidArgs", "No terminal has that size");
	console_resize(&call->control->machine->console, (unsigned short)columns,
		       (unsigned short)rows);
	return 0;
}

static int add_link(struct call *call)
{
	const char *kind, *text, *complaint;
	auto_arena struct arena arena = {0};
	const struct link_plan *link;

	if (bus_get_text(&call->arguments, &kind) < 0 || bus_get_text(&call->arguments, &text) < 0)
		return -EPROTO;
	complaint = live_network_add(&arena, call->control->machine, kind, text, &link);
	if (complaint)
		return decline(call, "Failed", complaint);
	bus_put_text(&call->body, link->inside);
	bus_put_text(&call->body, link->host ?: "");
	return 0;
}

static int remove_link(struct call *call)
{
	auto_arena struct arena arena = {0};
	const char *inside, *complaint;

	if (bus_get_text(&call->arguments, &inside) < 0)
		return -EPROTO;
	complaint = live_network_remove(&arena, call->control->machine, inside);
	return complaint ? decline(call, "Failed", complaint) : 0;
}

static int change_ports(struct call *call, bool is_added)
{
	auto_arena struct arena arena = {0};
	const char *kind, *text, *complaint;

	if (bus_get_text(&call->arguments, &kind) < 0 || bus_get_text(&call->arguments, &text) < 0)
		return -EPROTO;
	complaint = live_network_change_ports(&arena, call->control->machine, kind, text, is_added);
	return complaint ? decline(call, "Failed", complaint) : 0;
}

static int add_port(struct call *call)
{
	return change_ports(call, true);
}

static int remove_port(struct call *call)
{
	return change_ports(call, false);
}

static int get_state(struct call *call)
{
	auto_free char *text = malloc(STATE_BYTES_MAX + 1);
	ssize_t got =
		text ? pread(locks_name_fd(call->control->machine->locks), text, STATE_BYTES_MAX, 0)
		     : -1;

	if (got < 0)
		return decline(call, "Failed", "The state cannot be read");
	text[got] = '\0';
	if (!strchr(text, '\n'))
		return decline(call, "LimitsExceeded", "The state is too long for a message");
	text[strcspn(text, "\n")] = '\0';
	bus_put_text(&call->body, text);
	return 0;
}

static void put_result(struct bus_writer *body, const char *result, int status)
{
	bus_put_text(body, result);
	bus_put_u32(body, (uint32_t)status);
}

static int wait_for(struct call *call)
{
	struct control_client *client = call->client;
	const struct registry_entry *entry = call->control->machine->entry;
	const char *what;
	bool is_for_end;

	if (bus_get_text(&call->arguments, &what) < 0)
		return -EPROTO;
	is_for_end = strcmp(what, "end") == 0;
	if (!is_for_end && strcmp(what, "ready") != 0)
		return decline(call, "InvalidArgs", "One waits for 'ready' or 'end'");
	if (!is_for_end && entry && entry->is_ready) {
		put_result(&call->body, "ready", 0);
		return 0;
	}
	if (client->wait_count == CONTROL_WAITS_MAX)
		return decline(call, "LimitsExceeded", "This connection waits too often");
	client->waits[client->wait_count++] =
		(struct control_wait){call->message->serial, is_for_end};
	call->is_answered = true;
	return 0;
}

int control_answer_wait(struct control_client *client, uint32_t serial, const char *result,
			int status)
{
	const struct bus_answer answer = {
		.type = BUS_REPLY, .reply_serial = serial, .signature = "si"};
	struct bus_writer body = {0};
	int r;

	put_result(&body, result, status);
	r = bus_peer_answer(&client->peer, &answer, &body);
	bus_writer_done(&body);
	return r;
}

/* --- Properties --- */

static void put_name(const struct machine *machine, struct bus_writer *body)
{
	bus_put_text(body, machine->plan->machine);
}

static void put_leader(const struct machine *machine, struct bus_writer *body)
{
	bus_put_u32(body, (uint32_t)machine->pid);
}

static void put_supervisor(const struct machine *machine, struct bus_writer *body)
{
	(void)machine;
	bus_put_u32(body, (uint32_t)getpid());
}

static void put_ready(const struct machine *machine, struct bus_writer *body)
{
	bus_put_u32(body, machine->entry && machine->entry->is_ready);
}

static void put_status(const struct machine *machine, struct bus_writer *body)
{
	const char *status = machine->entry ? machine->entry->status : NULL;

	bus_put_text(body, status ? status : "");
}

static void put_state(const struct machine *machine, struct bus_writer *body)
{
	bool is_ready = machine->entry && machine->entry->is_ready;

	bus_put_text(body, machine->is_stopping ? "stopping" : is_ready ? "running" : "starting");
}

static const struct {
	const char *name, *type;
	void (*put)(const struct machine *machine, struct bus_writer *body);
} properties[] = {
	{"Name", "s", put_name},   {"Leader", "u", put_leader}, {"Supervisor", "u", put_supervisor},
	{"Ready", "b", put_ready}, {"Status", "s", put_status}, {"State", "s", put_state},
};

static void put_property(const struct call *call, size_t i, struct bus_writer *body)
{
	bus_put_signature(body, properties[i].type);
	properties[i].put(call->control->machine, body);
}

static int get_property(struct call *call)
{
	const char *interface, *name;

	if (bus_get_text(&call->arguments, &interface) < 0 ||
	    bus_get_text(&call->arguments, &name) < 0)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_LEN(properties); i++)
		if ((!*interface || strcmp(interface, CONTROL_INTERFACE) == 0) &&
		    strcmp(name, properties[i].name) == 0) {
			put_property(call, i, &call->body);
			return 0;
		}
	return decline(call, "UnknownProperty", "There is no such property");
}

static int get_all_properties(struct call *call)
{
	const char *interface;
	struct bus_array array;

	if (bus_get_text(&call->arguments, &interface) < 0)
		return -EPROTO;
	array = bus_begin_array(&call->body, 8);
	for (size_t i = 0; i < ARRAY_LEN(properties); i++) {
		if (*interface && strcmp(interface, CONTROL_INTERFACE) != 0)
			break;
		bus_put_struct(&call->body);
		bus_put_text(&call->body, properties[i].name);
		put_property(call, i, &call->body);
	}
	bus_end_array(&call->body, array);
	return 0;
}

static int set_property(struct call *call)
{
	return decline(call, "PropertyReadOnly", "The machine is told what to do by its methods");
}

/* --- What every peer knows --- */

static int ping(struct call *call)
{
	(void)call;
	return 0;
}

/* The host's: it is where we run. */
static int get_machine_id(struct call *call)
{
	auto_free char *text = NULL;
	int r = file_read(AT_FDCWD, "/etc/machine-id", MACHINE_ID_BYTES_MAX, &text, NULL);

	if (r < 0)
		return decline(call, "Failed", "The host has no machine id");
	text[strcspn(text, "\n")] = '\0';
	bus_put_text(&call->body, text);
	return 0;
}

/* Programs made for buses say hello to one, and go on only when it has named them. */
static int hello(struct call *call)
{
	bus_put_text(&call->body, ":1.0");
	return 0;
}

static int introspect(struct call *call);

#define MACHINE CONTROL_INTERFACE
#define STANDARD "org.freedesktop.DBus."

/* clang-format off */
static const struct {
	const char *interface, *name;
	const char *takes, *gives; /* signatures */
	bool is_everywhere;        /* on every object, not only the machine's */
	method method;
} methods[] = {
	{MACHINE, "PowerOff", "", "", false, power_off},
	{MACHINE, "Reboot", "", "", false, restart},
	{MACHINE, "Terminate", "", "", false, terminate},
	{MACHINE, "Kill", "si", "", false, send_signal},
	{MACHINE, "OpenConsole", "", "h", false, open_console},
	{MACHINE, "ResizeConsole", "uu", "", false, resize_console},
	{MACHINE, "GetState", "", "s", false, get_state},
	{MACHINE, "AddLink", "ss", "ss", false, add_link},
	{MACHINE, "RemoveLink", "s", "", false, remove_link},
	{MACHINE, "AddPort", "ss", "", false, add_port},
	{MACHINE, "RemovePort", "ss", "", false, remove_port},
	{MACHINE, "Wait", "s", "si", false, wait_for},
	{STANDARD "Properties", "Get", "ss", "v", false, get_property},
	{STANDARD "Properties", "GetAll", "s", "a{sv}", false, get_all_properties},
	{STANDARD "Properties", "Set", "ssv", "", false, set_property},
	{STANDARD "Introspectable", "Introspect", "", "s", true, introspect},
	{STANDARD "Peer", "Ping", "", "", true, ping},
	{STANDARD "Peer", "GetMachineId", "", "s", true, get_machine_id},
	{"org.freedesktop.DBus", "Hello", "", "s", true, hello},
	{"org.freedesktop.DBus", "AddMatch", "s", "", true, ping},
	{"org.freedesktop.DBus", "RemoveMatch", "s", "", true, ping},
};
/* clang-format on */

/* --- The description (D-Bus Specification, "Introspection Data Format") --- */

static void describe_arguments(FILE *file, const char *signature, const char *direction)
{
	/* One argument each; the only container is the one of GetAll(). */
	bool is_one = strcmp(signature, "a{sv}") == 0;

	for (const char *type = signature; *type; type = is_one ? "" : type + 1)
		(void)fprintf(file, "   <arg type=\"%.*s\" direction=\"%s\"/>\n", is_one ? 5 : 1,
			      type, direction);
}

static void describe_interface(FILE *file, const char *interface)
{
	(void)fprintf(file, " <interface name=\"%s\">\n", interface);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].interface, interface) != 0)
			continue;
		(void)fprintf(file, "  <method name=\"%s\">\n", methods[i].name);
		describe_arguments(file, methods[i].takes, "in");
		describe_arguments(file, methods[i].gives, "out");
		(void)fputs("  </method>\n", file);
	}
	for (size_t i = 0; i < ARRAY_LEN(properties) && strcmp(interface, MACHINE) == 0; i++)
		(void)fprintf(file,
			      "  <property name=\"%s\" type=\"%s\" access=\"read\">\n"
			      "   <annotation name=\"org.freedesktop.DBus.Property."
			      "EmitsChangedSignal\" value=\"false\"/>\n  </property>\n",
			      properties[i].name, properties[i].type);
	(void)fputs(" </interface>\n", file);
}

/* The next part of the machine's path below 'path', or NULL. */
static const char *child_of(const char *path, size_t *ret_length)
{
	size_t length = strcmp(path, "/") == 0 ? 0 : strlen(path);
	static const char machine[] = CONTROL_PATH;
	const char *rest;

	if (length >= sizeof(machine) - 1 || strncmp(path, machine, length) != 0)
		return NULL;
	rest = &machine[length];
	if (*rest != '/')
		return NULL;
	*ret_length = strcspn(rest + 1, "/");
	return rest + 1;
}

static int introspect(struct call *call)
{
	static const char *const interfaces[] = {MACHINE, STANDARD "Properties",
						 STANDARD "Introspectable", STANDARD "Peer"};
	auto_free char *text = NULL;
	size_t length = 0, child_length = 0;
	FILE *file = open_memstream(&text, &length);
	const char *child = child_of(call->message->path, &child_length);

	if (!file)
		return -ENOMEM;
	(void)fputs(
		"<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
		"\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n",
		file);
	/* Above the machine there is nothing but the way to it. */
	for (size_t i = child ? 2 : 0; i < ARRAY_LEN(interfaces); i++)
		describe_interface(file, interfaces[i]);
	if (child)
		(void)fprintf(file, " <node name=\"%.*s\"/>\n", (int)child_length, child);
	(void)fputs("</node>\n", file);
	if (fclose(file) != 0)
		return -ENOMEM;
	bus_put_text(&call->body, text);
	return 0;
}

/* --- Calls --- */

static int send_answer(struct call *call, const char *signature)
{
	char error[96];
	const struct bus_answer answer = {
		.type = call->error ? BUS_ERROR : BUS_REPLY,
		.reply_serial = call->message->serial,
		.error = call->error ? error : NULL,
		.signature = call->error ? "s" : signature,
	};

	(void)snprintf(error, sizeof(error), ERROR_PREFIX "%s", call->error ? call->error : "");
	return bus_peer_answer(&call->client->peer, &answer, &call->body);
}

static bool is_asked_for(const struct bus_message *message, size_t i)
{
	return strcmp(message->member, methods[i].name) == 0 &&
	       (!*message->interface || strcmp(message->interface, methods[i].interface) == 0);
}

/* Fills the answer of 'call'. */
static int carry_out(struct call *call, const char **ret_signature)
{
	const struct bus_message *message = call->message;
	bool is_machine = strcmp(message->path, CONTROL_PATH) == 0;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (!is_asked_for(message, i))
			continue;
		if (!is_machine && !methods[i].is_everywhere)
			return decline(call, "UnknownObject", "The machine is " CONTROL_PATH);
		if (strcmp(message->signature, methods[i].takes) != 0)
			return decline(call, "InvalidArgs", "The arguments have other types");
		*ret_signature = methods[i].gives;
		return methods[i].method(call);
	}
	return decline(call, "UnknownMethod", "There is no such method");
}

int control_answer(struct control *control, struct control_client *client,
		   const struct bus_message *message)
{
	struct call call = {.control = control,
			    .client = client,
			    .message = message,
			    .arguments = message->body};
	const char *signature = "";
	int r = control->machine ? carry_out(&call, &signature)
				 : decline(&call, "Failed", "The machine does not run just now");

	if (r == 0 && message->wants_reply && !call.is_answered)
		r = send_answer(&call, signature);
	bus_writer_done(&call.body);
	return r;
}
