/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits with their units, lists of processors, personalities.
 * Zone: free.
 */
#include "config/limit-values.h"

#include <errno.h>
#include <string.h>
#include <sys/personality.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

/* --- The whole machine --- */

#define CPUS_MAX 100000u /* more than any machine has */
#define IO_WEIGHT_MAX 10000u

static int parse_decimal(const char *text, uint64_t unit, uint64_t *ret)
{
	char whole[16] = "";
	size_t length = strcspn(text, ".");
	uint64_t number = 0, below = 0;

	if (length >= sizeof(whole))
		return -ERANGE;
	memcpy(whole, text, length);
	TRY(parse_u64(whole, &number));
	if (number > CPUS_MAX * 100)
		return -ERANGE;
	text += length;
	if (*text == '.' && !text[1])
		return -EINVAL;
	for (uint64_t scale = unit / 10; *text && *++text; scale /= 10) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		below += (uint64_t)(*text - '0') * scale;
	}
	*ret = number * unit + below;
	return 0;
}

int parse_cpus(const char *text, uint64_t *ret_usec)
{
	size_t length = strlen(text);
	char number[32];
	uint64_t usec;
	bool is_percent = length > 0 && text[length - 1] == '%';

	if (length >= sizeof(number))
		return -ERANGE;
	memcpy(number, text, length + 1);
	if (is_percent)
		number[length - 1] = '\0';
	TRY(parse_decimal(number, is_percent ? 10000 : 1000000, &usec));
	/* What the kernel takes, 1 ms in 100 ms. */
	if (usec < 10000 || usec > CPUS_MAX * UINT64_C(1000000))
		return -ERANGE;
	*ret_usec = usec;
	return 0;
}

/* clang-format off */
static const char *const resource_wishes[_RESOURCE_COUNT] = {
	[RESOURCE_MEMORY] = "a size such as 512M, or 'infinity'",
	[RESOURCE_CPUS] = "a number of processors from 0.01 such as 1.5, or 'infinity'",
	[RESOURCE_TASKS] = "a number of tasks, or 'infinity'",
	[RESOURCE_IO_WEIGHT] = "a weight from 1 to 10000",
};
/* clang-format on */

static int parse_resource(enum resource resource, const char *value, uint64_t *ret)
{
	if (resource != RESOURCE_IO_WEIGHT && strcmp(value, "infinity") == 0) {
		*ret = RESOURCE_UNLIMITED;
		return 0;
	}
	if (resource == RESOURCE_CPUS)
		return parse_cpus(value, ret);
	TRY(resource == RESOURCE_MEMORY ? parse_bytes(value, ret) : parse_u64(value, ret));
	if (*ret == 0 || *ret == RESOURCE_UNLIMITED)
		return -ERANGE;
	return resource == RESOURCE_IO_WEIGHT && *ret > IO_WEIGHT_MAX ? -ERANGE : 0;
}

int set_resource(const struct asking *asking, const char *value)
{
	enum resource resource = (enum resource)(asking->setting - SETTING_MEMORY);
	uint64_t number;

	if (parse_resource(resource, value, &number) < 0)
		return refuse_value(asking, value, resource_wishes[resource]);
	asking->config->resources[resource] = (struct resource_request){true, number};
	return 0;
}

/* --- Each process --- */

/* In the order of SETTING_LIMIT_*. */
/* clang-format off */
static const struct name limit_table[] = {
	{"CPU", RLIMIT_CPU},
	{"FSIZE", RLIMIT_FSIZE},
	{"DATA", RLIMIT_DATA},
	{"STACK", RLIMIT_STACK},
	{"CORE", RLIMIT_CORE},
	{"RSS", RLIMIT_RSS},
	{"NOFILE", RLIMIT_NOFILE},
	{"AS", RLIMIT_AS},
	{"NPROC", RLIMIT_NPROC},
	{"MEMLOCK", RLIMIT_MEMLOCK},
	{"LOCKS", RLIMIT_LOCKS},
	{"SIGPENDING", RLIMIT_SIGPENDING},
	{"MSGQUEUE", RLIMIT_MSGQUEUE},
	{"NICE", RLIMIT_NICE},
	{"RTPRIO", RLIMIT_RTPRIO},
	{"RTTIME", RLIMIT_RTTIME},
};
/* clang-format on */
static_assert(ARRAY_LEN(limit_table) == RLIM_NLIMITS, "all limits that Linux has");
static_assert(ARRAY_LEN(limit_table) == SETTING_LIMIT_RTTIME - SETTING_LIMIT_CPU + 1,
	      "one key for each limit");
const struct names limit_names = NAMES(limit_table);

enum limit_unit {
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_SECONDS,
	UNIT_MICROSECONDS,
	UNIT_NICE,
};

/* clang-format off */
static const enum limit_unit limit_units[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = UNIT_SECONDS,
	[RLIMIT_FSIZE] = UNIT_BYTES,
	[RLIMIT_DATA] = UNIT_BYTES,
	[RLIMIT_STACK] = UNIT_BYTES,
	[RLIMIT_CORE] = UNIT_BYTES,
	[RLIMIT_RSS] = UNIT_BYTES,
	[RLIMIT_NOFILE] = UNIT_COUNT,
	[RLIMIT_AS] = UNIT_BYTES,
	[RLIMIT_NPROC] = UNIT_COUNT,
	[RLIMIT_MEMLOCK] = UNIT_BYTES,
	[RLIMIT_LOCKS] = UNIT_COUNT,
	[RLIMIT_SIGPENDING] = UNIT_COUNT,
	[RLIMIT_MSGQUEUE] = UNIT_BYTES,
	[RLIMIT_NICE] = UNIT_NICE,
	[RLIMIT_RTPRIO] = UNIT_COUNT,
	[RLIMIT_RTTIME] = UNIT_MICROSECONDS,
};
/* clang-format on */

static const char *const unit_wishes[] = {
	[UNIT_COUNT] = "a number",
	[UNIT_BYTES] = "a number of bytes, perhaps with K, M, G, T, P or E behind it",
	[UNIT_SECONDS] = "a time such as 30 (seconds) or 5min",
	[UNIT_MICROSECONDS] = "a time such as 500 (microseconds) or 20ms",
	[UNIT_NICE] = "a nice level from -20 to +19 with its sign, or a number from 0 to 40",
};

/* The limit counts from 40, the best, down: see RLIMIT_NICE in setrlimit(2). */
static int parse_nice(const char *text, uint64_t *ret)
{
	uint64_t number;
	int level;

	if (*text == '+' || *text == '-') {
		TRY(parse_int(text, &level));
		if (level < -20 || level > 19)
			return -ERANGE;
		*ret = (uint64_t)(20 - level);
		return 0;
	}
	TRY(parse_u64(text, &number));
	if (number > 40)
		return -ERANGE;
	*ret = number;
	return 0;
}

static int parse_limit(enum limit_unit unit, const char *text, rlim_t *ret)
{
	uint64_t value = 0;

	if (strcmp(text, "infinity") == 0) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	switch (unit) {
	case UNIT_COUNT:
		TRY(parse_u64(text, &value));
		break;
	case UNIT_BYTES:
		TRY(parse_bytes(text, &value));
		break;
	case UNIT_SECONDS:
		TRY(parse_span(text, 1000000, &value));
		/* A part of a second counts as one: no limit must become tighter, or 0. */
		value = value / 1000000 + (value % 1000000 != 0);
		break;
	case UNIT_MICROSECONDS:
		TRY(parse_span(text, 1, &value));
		break;
	case UNIT_NICE:
		TRY(parse_nice(text, &value));
		break;
	}
	/* The kernel would take the largest number for no limit at all. */
	if (value >= RLIM_INFINITY)
		return -ERANGE;
	*ret = value;
	return 0;
}

static int apply_limit(const struct asking *asking, int resource, const char *text)
{
	struct limit_request *request = &asking->config->limits[resource];
	enum limit_unit unit = limit_units[resource];
	struct strings parts = {0};
	struct rlimit limit;

	if (text_split(&asking->config->arena, text, ':', 2, &parts) < 0)
		return refuse_value(asking, text, "SOFT[:HARD]");
	if (parse_limit(unit, parts.items[0], &limit.rlim_cur) < 0)
		return refuse(EINVAL, "%s takes %s or 'infinity' for %s, not '%s'", asking->noun,
			      unit_wishes[unit], names_text(&limit_names, resource),
			      parts.items[0]);
	limit.rlim_max = limit.rlim_cur;
	if (parts.count > 1 && parse_limit(unit, parts.items[1], &limit.rlim_max) < 0)
		return refuse(EINVAL, "%s takes %s or 'infinity' for %s, not '%s'", asking->noun,
			      unit_wishes[unit], names_text(&limit_names, resource),
			      parts.items[1]);
	if (limit.rlim_cur > limit.rlim_max)
		return refuse(EINVAL,
			      "%s cannot be '%s' for %s: the soft limit is above the hard one",
			      asking->noun, text, names_text(&limit_names, resource));
	request->is_set = true;
	request->value = limit;
	return 0;
}

int set_rlimit(const struct asking *asking, const char *value)
{
	const char *equals = strchr(value, '='), *name = value;
	const struct name *limit;

	if (!equals)
		return refuse(EINVAL, "%s takes NAME=SOFT[:HARD], and '%s' has no '='",
			      asking->noun, value);
	if (text_has_prefix(name, "RLIMIT_"))
		name += strlen("RLIMIT_");
	else if (text_has_prefix(name, "Limit"))
		name += strlen("Limit");
	name = arena_copy_n(&asking->config->arena, name, (size_t)(equals - name));
	limit = names_find(&limit_names, name);
	if (!limit)
		return refuse_word(asking, name);
	TRY(apply_limit(asking, limit->value, equals + 1));
	asking->config->origin[SETTING_LIMIT_CPU + (int)(limit - limit_table)] = asking->origin;
	return 0;
}

int set_limit(const struct asking *asking, const char *value)
{
	return apply_limit(asking, limit_table[asking->setting - SETTING_LIMIT_CPU].value, value);
}

int set_oom_score_adjust(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	int score;

	if (parse_int(value, &score) < 0 || score < -1000 || score > 1000)
		return refuse_value(asking, value, "a number from -1000 to 1000");
	config->oom_score_adjust = score;
	config->oom_score_adjust_is_set = true;
	return 0;
}

/* "3" or "2-5" */
static int add_cpus(char *text, cpu_set_t *cpus)
{
	char *dash = strchr(text, '-');
	uint32_t first, last;

	if (dash)
		*dash = '\0';
	TRY(parse_u32(text, &first));
	last = first;
	if (dash)
		TRY(parse_u32(dash + 1, &last));
	if (last < first || last >= CPU_SETSIZE)
		return -ERANGE;
	for (uint32_t cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, cpus);
	return 0;
}

int set_cpu_affinity(const struct asking *asking, const char *value)
{
	struct arena *arena = &asking->config->arena;
	struct strings words = {0};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	text_words(arena, value, "," BLANKS, &words);
	for (size_t i = 0; i < words.count; i++)
		if (add_cpus(arena_copy(arena, words.items[i]), &cpus) < 0)
			return refuse_value(asking, value,
					    "numbers of processors and ranges such as 0,2-5");
	if (words.count == 0 && *value)
		return refuse_value(asking, value,
				    "numbers of processors and ranges such as 0,2-5");
	asking->config->cpu_affinity = cpus;
	return 0;
}

/* The machine's own architecture, and where the kernel runs its 32-bit programs, that one. */
static const struct name personality_table[] = {
#if defined(__x86_64__)
	{"x86-64", PER_LINUX},
	{"x86", PER_LINUX32},
#elif defined(__i386__)
	{"x86", PER_LINUX},
#elif defined(__aarch64__)
	{"arm64", PER_LINUX},
	{"arm", PER_LINUX32},
#elif defined(__arm__)
	{"arm", PER_LINUX},
#elif defined(__riscv) && __riscv_xlen == 64
	{"riscv64", PER_LINUX},
#elif defined(__loongarch64)
	{"loongarch64", PER_LINUX},
#elif defined(__s390x__)
	{"s390x", PER_LINUX},
	{"s390", PER_LINUX32},
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	{"ppc64-le", PER_LINUX},
	{"ppc-le", PER_LINUX32},
#elif defined(__powerpc64__)
	{"ppc64", PER_LINUX},
	{"ppc", PER_LINUX32},
#else
	{"native", PER_LINUX},
#endif
};
const struct names personality_names = NAMES(personality_table);

int set_personality(const struct asking *asking, const char *value)
{
	const struct name *name = names_find(&personality_names, value);

	if (!name)
		return refuse_word(asking, value);
	asking->config->personality_is_set = true;
	asking->config->personality = (unsigned long)name->value;
	return 0;
}
