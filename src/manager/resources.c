/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of resources, and what is wanted of them.
 * Zone: free.
 */
#include "manager/resources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/limit-values.h"
#include "manager/scope-properties.h"

/* clang-format off */
const struct resource_kind resource_kinds[_RESOURCE_COUNT] = {
	[RESOURCE_MEMORY] = {"memory", "--memory", "MemoryMax", "MemoryMax",
			     "memory", "memory.max", "memory.current"},
	[RESOURCE_CPUS] = {"cpus", "--cpus", "CPUQuota", "CPUQuotaPerSecUSec",
			   "cpu", "cpu.max", "cpu.stat"},
	[RESOURCE_TASKS] = {"tasks", "--tasks", "TasksMax", "TasksMax",
			    "pids", "pids.max", "pids.current"},
	[RESOURCE_IO_WEIGHT] = {"io-weight", "--io-weight", "IOWeight", "IOWeight",
				"io", "io.weight", "io.stat"},
};
/* clang-format on */

/* The period of cpu.max in which the quota counts, the kernel's own default. */
#define CPU_PERIOD_USEC 100000u
#define SECOND_USEC 1000000u

static int parse_property(enum resource resource, const char *value, uint64_t *ret)
{
	if (resource == RESOURCE_CPUS) {
		if (!*value || strcmp(value, "infinity") == 0) {
			*ret = RESOURCE_UNLIMITED;
			return 0;
		}
		return strchr(value, '%') ? parse_cpus(value, ret) : -EINVAL;
	}
	if (resource != RESOURCE_IO_WEIGHT && strcmp(value, "infinity") == 0) {
		*ret = RESOURCE_UNLIMITED;
		return 0;
	}
	return resource == RESOURCE_MEMORY ? parse_bytes(value, ret) : parse_u64(value, ret);
}

/* The resource of NAME=VALUE, or -ENOENT; *ret_value is what is behind the '='. */
static int resource_of(const char *assignment, const char **ret_value)
{
	size_t length = strcspn(assignment, "=");

	for (int i = 0; i < _RESOURCE_COUNT; i++)
		if (strlen(resource_kinds[i].property) == length &&
		    strncmp(resource_kinds[i].property, assignment, length) == 0) {
			*ret_value = assignment + length + (assignment[length] == '=');
			return i;
		}
	return -ENOENT;
}

void resources_wanted(const struct config *config, struct resource_wish ret[_RESOURCE_COUNT])
{
	for (int i = 0; i < _RESOURCE_COUNT; i++)
		ret[i] = (struct resource_wish){
			.is_set = config->resources[i].is_set,
			.value = config->resources[i].value,
		};
	for (size_t i = 0; i < config->properties.count; i++) {
		const char *value;
		uint64_t number;
		int resource = resource_of(config->properties.items[i], &value);

		if (resource >= 0 && parse_property((enum resource)resource, value, &number) == 0)
			ret[resource] = (struct resource_wish){true, true, number};
	}
}

const char *resources_controllers(struct arena *arena, const struct config *config)
{
	struct resource_wish wishes[_RESOURCE_COUNT];
	const char *names = NULL;

	resources_wanted(config, wishes);
	for (size_t i = 0; i < _RESOURCE_COUNT; i++)
		if (wishes[i].is_set)
			names = arena_format(arena, "%s%s%s", names ? names : "", names ? " " : "",
					     resource_kinds[i].controller);
	return names;
}

bool resources_are_all_properties(const struct config *config)
{
	for (size_t i = 0; i < config->properties.count; i++) {
		const char *text = config->properties.items[i], *value;
		uint64_t number;
		int resource = resource_of(text, &value);

		if (text_has_prefix(text, "DeviceAllow="))
			continue;
		if (resource < 0 || parse_property((enum resource)resource, value, &number) < 0)
			return false;
	}
	return true;
}

void resources_put_properties(const struct config *config, struct bus_writer *writer)
{
	for (size_t i = 0; i < _RESOURCE_COUNT; i++)
		if (config->resources[i].is_set)
			scope_put_amount(writer, resource_kinds[i].on_bus,
					 config->resources[i].value);
}

/* --- Files --- */

void resource_format(enum resource resource, uint64_t value, char ret[RESOURCE_TEXT_MAX])
{
	char number[24] = "max";

	if (resource == RESOURCE_CPUS && value != RESOURCE_UNLIMITED)
		value = value / (SECOND_USEC / CPU_PERIOD_USEC);
	if (value != RESOURCE_UNLIMITED)
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	if (resource == RESOURCE_CPUS)
		(void)snprintf(ret, RESOURCE_TEXT_MAX, "%s %u", number, CPU_PERIOD_USEC);
	else
		(void)snprintf(ret, RESOURCE_TEXT_MAX, "%s%s",
			       resource == RESOURCE_IO_WEIGHT ? "default " : "", number);
}

static int parse_word(const char *text, size_t length, uint64_t *ret)
{
	char word[24];

	if (length >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, length);
	word[length] = '\0';
	if (strcmp(word, "max") == 0) {
		*ret = RESOURCE_UNLIMITED;
		return 0;
	}
	return parse_u64(word, ret) < 0 ? -EINVAL : 0;
}

int resource_parse(enum resource resource, const char *text, uint64_t *ret)
{
	uint64_t number, period;
	size_t length;

	if (text_has_prefix(text, "default "))
		text += strlen("default ");
	length = strcspn(text, " \n");
	TRY(parse_word(text, length, &number));
	if (resource == RESOURCE_CPUS && number != RESOURCE_UNLIMITED) {
		text += length + (text[length] == ' ');
		TRY(parse_word(text, strcspn(text, " \n"), &period));
		if (period == 0 || __builtin_mul_overflow(number, SECOND_USEC, &number))
			return -EINVAL;
		number /= period;
	}
	*ret = number;
	return 0;
}
