/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn status: what there is to know of a machine, for people.
 * Zone: free.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/log-filter.h"
#include "control/probe.h"
#include "control/properties.h"
#include "control/request.h"
#include "control/running.h"
#include "control/usage.h"
#include "run/console-log.h"

#define NAME_WIDTH 14
#define CONSOLE_BYTES 16384

/* What the lines of one machine are made of. */
struct subject {
	struct arena *arena;
	const struct request *request;
	const struct machine_view *machine;
	struct properties properties;
	struct usage usage;
	int group_fd;
	bool is_frozen;
};

/* The value of a line, NULL for none; each is escaped already. */
typedef const char *(*line_function)(struct subject *subject);

/* On the clock that times of day are told by. */
static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static const char *since(struct subject *subject)
{
	uint64_t start = (uint64_t)property_number(&subject->properties, "Timestamp");
	uint64_t now = now_usec();

	if (start == 0)
		return NULL;
	return arena_format(subject->arena, "%s; %s ago", output_time(subject->arena, start),
			    output_span(subject->arena, now > start ? now - start : 0));
}

static const char *process(struct subject *subject, const char *property)
{
	pid_t pid = (pid_t)property_number(&subject->properties, property);
	const char *name;

	if (pid <= 0)
		return NULL;
	name = usage_comm(subject->arena, pid);
	return name ? arena_format(subject->arena, "%d (%s)", pid, name)
		    : arena_format(subject->arena, "%d", pid);
}

static const char *leader(struct subject *subject)
{
	return process(subject, "Leader");
}

static const char *supervisor(struct subject *subject)
{
	return process(subject, "Supervisor");
}

static const char *service(struct subject *subject)
{
	const char *name = property_text(&subject->properties, "Service");
	const char *class = property_text(&subject->properties, "Class");

	return arena_format(subject->arena, "%s%sclass %s", escape_text(subject->arena, name),
			    *name ? "; " : "", escape_text(subject->arena, class));
}

static const char *text_or_null(struct subject *subject, const char *property)
{
	const char *text = property_text(&subject->properties, property);

	return *text ? escape_text(subject->arena, text) : NULL;
}

static const char *state(struct subject *subject)
{
	const char *text = text_or_null(subject, "State");

	if (subject->is_frozen)
		return "paused";
	return text && strcmp(text, "running") == 0 ? NULL : text;
}

static const char *guest_status(struct subject *subject)
{
	/* It was escaped when it came. */
	const char *text = property_text(&subject->properties, "Status");

	return *text ? text : NULL;
}

static const char *root(struct subject *subject)
{
	return text_or_null(subject, "RootDirectory");
}

static const char *interfaces(struct subject *subject)
{
	const struct output_cell *cell = property_find(&subject->properties, "NetworkInterfaces");
	const char *text = "";
	char name[IF_NAMESIZE];

	for (size_t i = 0; cell && i < cell->list.count; i++) {
		unsigned int index = (unsigned int)atoi(cell->list.items[i]);

		text = arena_format(subject->arena, "%s%s%s", text, *text ? " " : "",
				    if_indextoname(index, name) ? name : cell->list.items[i]);
	}
	return *text ? escape_text(subject->arena, text) : NULL;
}

static const char *addresses(struct subject *subject)
{
	const struct strings *list = &subject->machine->addresses;
	const char *text = NULL;

	for (size_t i = 0; i < list->count; i++)
		text = text ? arena_format(subject->arena, "%s\n%*s  %s", text, NAME_WIDTH, "",
					   escape_text(subject->arena, list->items[i]))
			    : escape_text(subject->arena, list->items[i]);
	return text;
}

static const char *os(struct subject *subject)
{
	const struct os_identity *os = &subject->machine->os;
	const char *text = os->pretty_name ? os->pretty_name : os->id;

	return text ? escape_text(subject->arena, text) : NULL;
}

static const char *shift(struct subject *subject)
{
	int64_t first = property_number(&subject->properties, "UIDShift");

	return first > 0 ? arena_format(subject->arena, "%lld", (long long)first) : NULL;
}

static const char *unit(struct subject *subject)
{
	return text_or_null(subject, "Unit");
}

static const char *tasks(struct subject *subject)
{
	return subject->usage.has_tasks ? arena_format(subject->arena, "%llu",
						       (unsigned long long)subject->usage.tasks)
					: NULL;
}

static const char *memory(struct subject *subject)
{
	const struct usage *usage = &subject->usage;
	const char *now = output_bytes(subject->arena, usage->memory_bytes);

	if (!usage->has_memory)
		return NULL;
	return usage->memory_most_bytes > 0
		       ? arena_format(subject->arena, "%s (peak: %s)", now,
				      output_bytes(subject->arena, usage->memory_most_bytes))
		       : now;
}

static const char *cpu(struct subject *subject)
{
	return subject->usage.has_cpu ? output_span(subject->arena, subject->usage.cpu_usec) : NULL;
}

static const char *input_output(struct subject *subject)
{
	const struct usage *usage = &subject->usage;

	return usage->has_io ? arena_format(subject->arena, "%s read, %s written",
					    output_bytes(subject->arena, usage->read_bytes),
					    output_bytes(subject->arena, usage->written_bytes))
			     : NULL;
}

static const char *words_of(struct subject *subject, const char *property)
{
	const struct output_cell *cell = property_find(&subject->properties, property);
	const char *text = "";

	for (size_t i = 0; cell && i < cell->list.count; i++)
		text = arena_format(subject->arena, "%s%s%s", text, *text ? " " : "",
				    cell->list.items[i]);
	return *text ? escape_text(subject->arena, text) : NULL;
}

static const char *ports(struct subject *subject)
{
	return words_of(subject, "Ports");
}

static const char *host_ports(struct subject *subject)
{
	return words_of(subject, "HostPorts");
}

/* clang-format off */
static const struct {
	const char *name;
	line_function value;
} lines[] = {
	{"Since",      since},
	{"State",      state},
	{"Status",     guest_status},
	{"Leader",     leader},
	{"Supervisor", supervisor},
	{"Service",    service},
	{"Root",       root},
	{"Iface",      interfaces},
	{"Address",    addresses},
	{"Ports",      ports},
	{"Host Ports", host_ports},
	{"OS",         os},
	{"ID Shift",   shift},
	{"Unit",       unit},
	{"Tasks",      tasks},
	{"Memory",     memory},
	{"CPU",        cpu},
	{"IO",         input_output},
};
/* clang-format on */

/* Where the last 'most' lines of a text begin. */
static const char *begin_of_last(const char *text, uint32_t most)
{
	const char *begin = text + strlen(text);

	while (begin > text && (begin[-1] != '\n' || --most > 0))
		begin--;
	return begin;
}

/* What the console said last; as the guest wrote it, but for what drives a terminal. */
static void print_console(struct subject *subject)
{
	const char *path = arena_format(subject->arena, "%s/" CONSOLE_LOG_FILE,
					subject->machine->entry.directory);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	struct log_filter filter = {0};
	char bytes[CONSOLE_BYTES + 1];
	const char *rest;
	ssize_t length;

	if (end <= 0 || subject->request->lines == 0)
		return;
	length = pread(fd, bytes, CONSOLE_BYTES, end > CONSOLE_BYTES ? end - CONSOLE_BYTES : 0);
	while (length > 0 && strchr("\r\n", bytes[length - 1]))
		length--;
	bytes[length > 0 ? length : 0] = '\0';
	for (ssize_t i = 0; i < length; i++)
		bytes[i] = bytes[i] ? bytes[i] : ' ';
	(void)putchar('\n');
	rest = begin_of_last(bytes, subject->request->lines);
	log_filter_print(&filter, rest, strlen(rest), stdout);
	log_filter_end(&filter, stdout);
	(void)putchar('\n');
}

static void print_text(struct subject *subject)
{
	const char *id = property_text(&subject->properties, "Id");

	(void)printf("%s", escape_text(subject->arena, subject->machine->name));
	(void)printf(*id ? "(%s)\n" : "\n", escape_text(subject->arena, id));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const char *value = lines[i].value(subject);

		if (value)
			(void)printf("%*s: %s\n", NAME_WIDTH, lines[i].name, value);
	}
	if (subject->group_fd >= 0) {
		(void)printf("%*s:\n", NAME_WIDTH, "Processes");
		usage_print_processes(subject->arena, subject->group_fd,
				      arena_format(subject->arena, "%*s  ", NAME_WIDTH, ""));
	}
	if (subject->machine->is_ours)
		print_console(subject);
}

static void add_usage(json_t *object, const char *key, bool is_known, uint64_t number)
{
	(void)json_object_set_new(object, key,
				  is_known ? json_integer((json_int_t)number) : json_null());
}

static json_t *json_of(struct subject *subject)
{
	const struct usage *usage = &subject->usage;
	const struct output_cell os = output_text(subject->machine->os.pretty_name);
	const struct output_cell addresses = output_list(&subject->machine->addresses);
	json_t *object = json_object();

	for (size_t i = 0; i < subject->properties.count; i++)
		(void)json_object_set_new(
			object, subject->properties.items[i].name,
			output_json(subject->arena, &subject->properties.items[i].cell));
	(void)json_object_set_new(object, "OS", output_json(subject->arena, &os));
	(void)json_object_set_new(object, "Addresses", output_json(subject->arena, &addresses));
	(void)json_object_set_new(object, "Paused", json_boolean(subject->is_frozen));
	add_usage(object, "Tasks", usage->has_tasks, usage->tasks);
	add_usage(object, "MemoryBytes", usage->has_memory, usage->memory_bytes);
	add_usage(object, "CPUUSec", usage->has_cpu, usage->cpu_usec);
	add_usage(object, "ReadBytes", usage->has_io, usage->read_bytes);
	add_usage(object, "WrittenBytes", usage->has_io, usage->written_bytes);
	return object;
}

static int status_of(struct machines *machines, const struct request *request,
		     const struct machine_view *machine, json_t *array)
{
	auto_close int group_fd = machine->is_ours ? usage_open(machine->entry.cgroup) : -EBADF;
	struct subject subject = {
		.arena = machines->arena,
		.request = request,
		.machine = machine,
		.group_fd = group_fd,
		.is_frozen = usage_is_frozen(group_fd),
	};

	TRY(properties_of_machine(machines, machine, &subject.properties));
	usage_read(group_fd, &subject.usage);
	if (array)
		(void)json_array_append_new(array, json_of(&subject));
	else
		print_text(&subject);
	return 0;
}

static int status(struct arena *arena, const struct request *request)
{
	json_t *array = request->form == OUTPUT_TEXT ? NULL : json_array();
	struct places places;
	int r = places_find(arena, request->scope, &places), result, printed;
	auto_machines struct machines machines = machines_none(arena, &places);

	TRY(r);
	result = machines_add_names(&machines, &request->names);
	probe_machines(&machines, PROBE_OS | PROBE_ADDRESSES);
	for (size_t i = 0; i < machines.count; i++) {
		if (i > 0 && !array)
			(void)putchar('\n');
		r = status_of(&machines, request, &machines.items[i], array);
		result = r < 0 ? r : result;
	}
	printed = array ? output_print_json(array, request->form) : output_flush();
	return result < 0 ? result : printed;
}

int control_status(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct request request;
	int r = request_read_names(&arena, argc, argv, REQUEST_FORM | REQUEST_LINES | REQUEST_ALL,
				   &request);

	if (r == 0)
		r = status(&arena, &request);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
