/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of properties and the spellings of their values.
 * Zone: any.
 */
#include "manager/scope-properties.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/scope.h"

enum kind {
	KIND_FLAG,        /* b */
	KIND_TEXT,        /* s */
	KIND_TEXTS,       /* as, between blanks */
	KIND_NUMBER,      /* t */
	KIND_BYTES,       /* t: a size, or 'infinity' */
	KIND_COUNT,       /* t: a number, or 'infinity' */
	KIND_USEC,        /* t: a time, or 'infinity' */
	KIND_PERCENT,     /* t: of a second of processor time in each second, in microseconds */
	KIND_SIGNAL,      /* i */
	KIND_DEVICE,      /* a(ss) */
	KIND_PATH_BYTES,  /* a(st) */
	KIND_PATH_NUMBER, /* a(st) */
};

static const char *const expected_values[] = {
	[KIND_FLAG] = "yes or no",
	[KIND_TEXT] = "a word",
	[KIND_TEXTS] = "words between blanks",
	[KIND_NUMBER] = "a number",
	[KIND_BYTES] = "a size such as 512M, or 'infinity'",
	[KIND_COUNT] = "a number or 'infinity'",
	[KIND_USEC] = "a time in seconds, or with unit as in 5min, or 'infinity'",
	[KIND_PERCENT] = "a percentage such as 150%, or nothing",
	[KIND_SIGNAL] = "a signal such as SIGTERM",
	[KIND_DEVICE] = "a device and perhaps 'r', 'w' and 'm'",
	[KIND_PATH_BYTES] = "a path and a size such as '/dev/sda 10M'",
	[KIND_PATH_NUMBER] = "a path and a number such as '/dev/sda 200'",
};

/* 'name' is what users write (systemd.unit(5)), 'property' what the bus calls it. */
/* clang-format off */
static const struct row {
	const char *name, *property;
	enum kind kind;
} rows[] = {
	{"Description",         "Description",            KIND_TEXT},
	{"Documentation",       "Documentation",          KIND_TEXTS},
	{"After",               "After",                  KIND_TEXTS},
	{"Before",              "Before",                 KIND_TEXTS},
	{"Wants",               "Wants",                  KIND_TEXTS},
	{"Requires",            "Requires",               KIND_TEXTS},
	{"BindsTo",             "BindsTo",                KIND_TEXTS},
	{"PartOf",              "PartOf",                 KIND_TEXTS},
	{"Conflicts",           "Conflicts",              KIND_TEXTS},
	{"CollectMode",         "CollectMode",            KIND_TEXT},
	{"KillMode",            "KillMode",               KIND_TEXT},
	{"KillSignal",          "KillSignal",             KIND_SIGNAL},
	{"FinalKillSignal",     "FinalKillSignal",        KIND_SIGNAL},
	{"SendSIGHUP",          "SendSIGHUP",             KIND_FLAG},
	{"SendSIGKILL",         "SendSIGKILL",            KIND_FLAG},
	{"TimeoutStopSec",      "TimeoutStopUSec",        KIND_USEC},
	{"RuntimeMaxSec",       "RuntimeMaxUSec",         KIND_USEC},
	{"CPUAccounting",       "CPUAccounting",          KIND_FLAG},
	{"CPUWeight",           "CPUWeight",              KIND_NUMBER},
	{"StartupCPUWeight",    "StartupCPUWeight",       KIND_NUMBER},
	{"CPUQuota",            "CPUQuotaPerSecUSec",     KIND_PERCENT},
	{"CPUQuotaPeriodSec",   "CPUQuotaPeriodUSec",     KIND_USEC},
	{"IOAccounting",        "IOAccounting",           KIND_FLAG},
	{"IOWeight",            "IOWeight",               KIND_NUMBER},
	{"StartupIOWeight",     "StartupIOWeight",        KIND_NUMBER},
	{"MemoryAccounting",    "MemoryAccounting",       KIND_FLAG},
	{"MemoryMin",           "MemoryMin",              KIND_BYTES},
	{"MemoryLow",           "MemoryLow",              KIND_BYTES},
	{"MemoryHigh",          "MemoryHigh",             KIND_BYTES},
	{"MemoryMax",           "MemoryMax",              KIND_BYTES},
	{"MemorySwapMax",       "MemorySwapMax",          KIND_BYTES},
	{"MemoryZSwapMax",      "MemoryZSwapMax",         KIND_BYTES},
	{"TasksAccounting",     "TasksAccounting",        KIND_FLAG},
	{"TasksMax",            "TasksMax",               KIND_COUNT},
	{"IPAccounting",        "IPAccounting",           KIND_FLAG},
	{"IODeviceWeight",      "IODeviceWeight",         KIND_PATH_NUMBER},
	{"IOReadBandwidthMax",  "IOReadBandwidthMax",     KIND_PATH_BYTES},
	{"IOWriteBandwidthMax", "IOWriteBandwidthMax",    KIND_PATH_BYTES},
	{"IOReadIOPSMax",       "IOReadIOPSMax",          KIND_PATH_NUMBER},
	{"IOWriteIOPSMax",      "IOWriteIOPSMax",         KIND_PATH_NUMBER},
	{"Delegate",            "Delegate",               KIND_FLAG},
	{"DevicePolicy",        "DevicePolicy",           KIND_TEXT},
	{"DeviceAllow",         "DeviceAllow",            KIND_DEVICE},
	{"Slice",               "Slice",                  KIND_TEXT},
	{"ManagedOOMSwap",      "ManagedOOMSwap",         KIND_TEXT},
	{"ManagedOOMMemoryPressure", "ManagedOOMMemoryPressure", KIND_TEXT},
	{"OOMPolicy",           "OOMPolicy",              KIND_TEXT},
};
/* clang-format on */

/* Of one processor, as microseconds a second; nothing takes a quota away. */
static int parse_percent(const char *value, uint64_t *ret)
{
	char digits[24];
	uint64_t number;
	size_t length = strlen(value);

	if (length == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (value[length - 1] != '%' || length > sizeof(digits))
		return -EINVAL;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)length - 1, value);
	TRY(parse_u64(digits, &number));
	return number == 0 || __builtin_mul_overflow(number, UINT64_C(10000), ret) ? -EINVAL : 0;
}

static int parse_amount(enum kind kind, const char *value, uint64_t *ret)
{
	if (kind == KIND_PERCENT)
		return parse_percent(value, ret);
	if (kind != KIND_NUMBER && strcmp(value, "infinity") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (kind == KIND_USEC)
		return parse_span(value, 1000000, ret);
	return kind == KIND_BYTES ? parse_bytes(value, ret) : parse_u64(value, ret);
}

/* --- Writing --- */

static void put_head(struct bus_writer *writer, const char *name, const char *signature)
{
	bus_put_struct(writer);
	bus_put_text(writer, name);
	bus_put_signature(writer, signature);
}

void scope_put_text(struct bus_writer *writer, const char *name, const char *value)
{
	put_head(writer, name, "s");
	bus_put_text(writer, value);
}

void scope_put_flag(struct bus_writer *writer, const char *name, bool value)
{
	put_head(writer, name, "b");
	bus_put_u32(writer, value);
}

void scope_put_number(struct bus_writer *writer, const char *name, int value)
{
	put_head(writer, name, "i");
	bus_put_u32(writer, (uint32_t)value);
}

void scope_put_amount(struct bus_writer *writer, const char *name, uint64_t value)
{
	put_head(writer, name, "t");
	bus_put_u64(writer, value);
}

/* "/dev/fuse rw" as one (ss) of DeviceAllow=; nothing takes back what was said before. */
static void put_device(struct bus_writer *writer, const char *name, const char *value)
{
	size_t length = strcspn(value, " \t");
	const char *access = value + length + strspn(value + length, " \t");
	char *what = strndup(value, length);
	struct bus_array array;

	put_head(writer, name, "a(ss)");
	array = bus_begin_array(writer, 8);
	if (!what)
		writer->failed = true;
	if (what && *what) {
		bus_put_struct(writer);
		bus_put_text(writer, what);
		bus_put_text(writer, *access ? access : "rwm");
	}
	bus_end_array(writer, array);
	free(what);
}

/* "/dev/sda 10M" as one (st). */
static int put_path_amount(struct bus_writer *writer, const struct row *row, const char *value)
{
	size_t length = strcspn(value, " \t");
	const char *text = value + length + strspn(value + length, " \t");
	uint64_t number = UINT64_MAX;
	auto_free char *path = strndup(value, length);
	struct bus_array array;

	if (strcmp(text, "infinity") != 0)
		TRY(row->kind == KIND_PATH_BYTES ? parse_bytes(text, &number)
						 : parse_u64(text, &number));
	if (*value != '/' || !path)
		return -EINVAL;
	put_head(writer, row->property, "a(st)");
	array = bus_begin_array(writer, 8);
	bus_put_struct(writer);
	bus_put_text(writer, path);
	bus_put_u64(writer, number);
	bus_end_array(writer, array);
	return 0;
}

static void put_words(struct bus_writer *writer, const char *name, const char *value)
{
	struct bus_array array;

	put_head(writer, name, "as");
	array = bus_begin_array(writer, 4);
	while (*(value += strspn(value, " \t"))) {
		size_t length = strcspn(value, " \t");
		char *word = strndup(value, length);

		if (!word)
			writer->failed = true;
		else
			bus_put_text(writer, word);
		free(word);
		value += length;
	}
	bus_end_array(writer, array);
}

static int put_value(struct bus_writer *writer, const struct row *row, const char *value)
{
	uint64_t number;
	bool flag;
	int signal;

	switch (row->kind) {
	case KIND_FLAG:
		TRY(parse_bool(value, &flag));
		scope_put_flag(writer, row->property, flag);
		return 0;
	case KIND_TEXT:
		scope_put_text(writer, row->property, value);
		return 0;
	case KIND_TEXTS:
		put_words(writer, row->property, value);
		return 0;
	case KIND_SIGNAL:
		TRY(parse_signal(value, &signal));
		scope_put_number(writer, row->property, signal);
		return 0;
	case KIND_DEVICE:
		put_device(writer, row->property, value);
		return 0;
	case KIND_PATH_BYTES:
	case KIND_PATH_NUMBER:
		return put_path_amount(writer, row, value);
	case KIND_NUMBER:
	case KIND_BYTES:
	case KIND_COUNT:
	case KIND_USEC:
	case KIND_PERCENT:
	default:
		TRY(parse_amount(row->kind, value, &number));
		scope_put_amount(writer, row->property, number);
		return 0;
	}
}

int scope_put_property(struct bus_writer *writer, const char *assignment, const char **ret_expected)
{
	const char *value = strchr(assignment, '=');
	size_t length = value ? (size_t)(value - assignment) : strlen(assignment);

	for (size_t i = 0; value && i < ARRAY_LEN(rows); i++) {
		if (strlen(rows[i].name) != length ||
		    strncmp(rows[i].name, assignment, length) != 0)
			continue;
		*ret_expected = expected_values[rows[i].kind];
		return put_value(writer, &rows[i], value + 1) < 0 ? -EINVAL : 0;
	}
	return -ENOENT;
}
