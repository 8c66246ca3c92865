/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of everyday kinds: flags, words, paths, names. Compound ones are in files beside this one.
 * Zone: free.
 */
#include "config/values.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"

/* clang-format off */
static const struct name console_table[] = {
	{"interactive", CONSOLE_INTERACTIVE},
	{"read-only", CONSOLE_READ_ONLY},
	{"passive", CONSOLE_PASSIVE},
	{"pipe", CONSOLE_PIPE},
	{"autopipe", CONSOLE_AUTOPIPE},
};
/* clang-format on */
const struct names console_names = NAMES(console_table);

static const struct name resolv_conf_table[] = {
	{"off", RESOLV_CONF_VALUE(HOW_OFF, RESOLV_HOST)},
	{"copy-host", RESOLV_CONF_VALUE(HOW_COPY, RESOLV_HOST)},
	{"copy-static", RESOLV_CONF_VALUE(HOW_COPY, RESOLV_STATIC)},
	{"copy-uplink", RESOLV_CONF_VALUE(HOW_COPY, RESOLV_UPLINK)},
	{"copy-stub", RESOLV_CONF_VALUE(HOW_COPY, RESOLV_STUB)},
	{"replace-host", RESOLV_CONF_VALUE(HOW_REPLACE, RESOLV_HOST)},
	{"replace-static", RESOLV_CONF_VALUE(HOW_REPLACE, RESOLV_STATIC)},
	{"replace-uplink", RESOLV_CONF_VALUE(HOW_REPLACE, RESOLV_UPLINK)},
	{"replace-stub", RESOLV_CONF_VALUE(HOW_REPLACE, RESOLV_STUB)},
	{"bind-host", RESOLV_CONF_VALUE(HOW_BIND, RESOLV_HOST)},
	{"bind-static", RESOLV_CONF_VALUE(HOW_BIND, RESOLV_STATIC)},
	{"bind-uplink", RESOLV_CONF_VALUE(HOW_BIND, RESOLV_UPLINK)},
	{"bind-stub", RESOLV_CONF_VALUE(HOW_BIND, RESOLV_STUB)},
	{"delete", RESOLV_CONF_VALUE(HOW_DELETE, RESOLV_HOST)},
	{"auto", RESOLV_CONF_VALUE(HOW_AUTO, RESOLV_HOST)},
};
const struct names resolv_conf_names = NAMES(resolv_conf_table);

/* clang-format off */
static const struct name timezone_table[] = {
	{"off", HOW_OFF},
	{"copy", HOW_COPY},
	{"bind", HOW_BIND},
	{"symlink", HOW_SYMLINK},
	{"delete", HOW_DELETE},
	{"auto", HOW_AUTO},
};
/* clang-format on */
const struct names timezone_names = NAMES(timezone_table);

static const struct name register_table[] = {
	{"no", TRISTATE_NO},
	{"yes", TRISTATE_YES},
	{"auto", TRISTATE_AUTO},
};
const struct names register_names = NAMES(register_table);

/* clang-format off */
static const struct name settings_table[] = {
	{"no", SETTINGS_NO},
	{"yes", SETTINGS_YES},
	{"override", SETTINGS_OVERRIDE},
	{"trusted", SETTINGS_TRUSTED},
};
/* clang-format on */
const struct names settings_names = NAMES(settings_table);

static const struct name dry_run_table[] = {
	{"text", DRY_RUN_TEXT},
	{"json", DRY_RUN_JSON},
};
const struct names dry_run_names = NAMES(dry_run_table);

/* clang-format off */
static const struct name volatile_table[] = {
	{"no", VOLATILE_NO},
	{"yes", VOLATILE_YES},
	{"state", VOLATILE_STATE},
	{"overlay", VOLATILE_OVERLAY},
};
/* clang-format on */
const struct names volatile_names = NAMES(volatile_table);

/* clang-format off */
static const struct name link_journal_table[] = {
	{"no", LINK_JOURNAL_NO},
	{"host", LINK_JOURNAL_HOST},
	{"try-host", LINK_JOURNAL_TRY_HOST},
	{"guest", LINK_JOURNAL_GUEST},
	{"try-guest", LINK_JOURNAL_TRY_GUEST},
	{"auto", LINK_JOURNAL_AUTO},
};
/* clang-format on */
const struct names link_journal_names = NAMES(link_journal_table);

/* The field of the configuration that the row names. */
static void *field_of(const struct asking *asking)
{
	return (char *)asking->config + asking->row->field;
}

int refuse_value(const struct asking *asking, const char *value, const char *wanted)
{
	return refuse(EINVAL, "%s takes %s, not '%s'", asking->noun, wanted, value);
}

int refuse_word(const struct asking *asking, const char *value)
{
	const struct names *names = asking->row->choices;
	char list[1024] = "";
	size_t used = 0;
	int r;

	r = refuse(EINVAL, "%s does not know the value '%s'", asking->noun, value);
	for (size_t i = 0; i < names->count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 names->items[i].text);
	hint("Known values: %s", list);
	return r;
}

int refuse_for_now(const struct asking *asking, const char *value)
{
	if (!value)
		return refuse(EOPNOTSUPP, "%s is not available yet", asking->noun);
	return refuse(EOPNOTSUPP, "%s with the value '%s' is not available yet", asking->noun,
		      value);
}

int set_accepted(const struct asking *asking, const char *value)
{
	(void)asking;
	(void)value;
	return 0;
}

/*
 * Characters of a unit's name (systemd.unit(5)); what it means to the manager is the manager's to
 * say.
 */
static bool is_unit_name(const char *text)
{
	return *text &&
	       text[strspn(
		       text,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")] ==
		       '\0';
}

int set_slice(const struct asking *asking, const char *value)
{
	if (!is_unit_name(value))
		return refuse_value(asking, value, "the name of a slice unit");
	*(const char **)field_of(asking) = value;
	return 0;
}

int set_property(const struct asking *asking, const char *value)
{
	if (!text_is_variable_name(value, strcspn(value, "=")) || !strchr(value, '='))
		return refuse_value(asking, value, "an assignment such as MemoryMax=1G");
	strings_add(&asking->config->arena, field_of(asking), value);
	return 0;
}

/* An enum field whose choices also have a sense as yes, which no value means as well, and no. */
static int set_choice_or_bool(const struct asking *asking, const char *value, int yes, int no)
{
	bool is_on = true;

	if (value && parse_bool(value, &is_on) < 0)
		return set_choice(asking, value);
	*(int *)field_of(asking) = is_on ? yes : no;
	return 0;
}

int set_settings(const struct asking *asking, const char *value)
{
	return set_choice_or_bool(asking, value, SETTINGS_YES, SETTINGS_NO);
}

int set_volatile(const struct asking *asking, const char *value)
{
	return set_choice_or_bool(asking, value, VOLATILE_YES, VOLATILE_NO);
}

int set_flag(const struct asking *asking, const char *value)
{
	bool is_on = true;

	if (value && parse_bool(value, &is_on) < 0)
		return refuse_value(asking, value, "yes or no");
	*(bool *)field_of(asking) = is_on;
	return 0;
}

int set_choice(const struct asking *asking, const char *value)
{
	const struct name *name = names_find(asking->row->choices, value);

	if (!name)
		return refuse_word(asking, value);
	*(int *)field_of(asking) = name->value;
	return 0;
}

int set_directory(const struct asking *asking, const char *value)
{
	const char **field = field_of(asking);
	char *path;
	int r;

	if (!*value) {
		*field = NULL;
		return 0;
	}
	/* "X.v/" and "X.v/NAME___SUFFIX" ask for the newest out of a directory of versions. */
	if (strlen(value) >= 3 && strcmp(value + strlen(value) - 3, ".v/") == 0)
		return refuse_for_now(asking, value);
	if (strstr(value, ".v/") && strstr(path_last(value), "___"))
		return refuse_for_now(asking, value);
	r = path_absolute(&asking->config->arena, value, &path);
	if (r < 0)
		return fail(r, "Cannot tell where '%s' of '%s' is: no current directory", value,
			    asking->noun);
	*field = path;
	return 0;
}

int set_dry_run(const struct asking *asking, const char *value)
{
	return set_choice(asking, value ? value : "text");
}

int set_hostname(const struct asking *asking, const char *value)
{
	const char **field = field_of(asking);

	if (*value && !text_is_hostname(value)) {
		int r = refuse_value(asking, value, "a valid host name");

		hint("Up to 64 letters, digits and inner hyphens, in parts separated by single "
		     "dots");
		return r;
	}
	*field = *value ? arena_copy(&asking->config->arena, value) : NULL;
	return 0;
}

int set_uuid(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;

	if (parse_id128(value, config->uuid) < 0)
		return refuse_value(
			asking, value,
			"32 hexadecimal digits, plain or dashed as a UUID, not all zero");
	config->uuid_is_set = true;
	return 0;
}

int set_register(const struct asking *asking, const char *value)
{
	const struct name *name = names_find(&register_names, value);
	bool is_on = false;

	if (!name && parse_bool(value, &is_on) < 0)
		return refuse_word(asking, value);
	asking->config->register_machine = name    ? (enum tristate)name->value
					   : is_on ? TRISTATE_YES
						   : TRISTATE_NO;
	return 0;
}

/*
 * A choice that also has a sense as yes, meaning 'auto', or no, meaning 'off'. Returns NULL if it
 * is neither.
 */
static const struct name *find_mode(const struct names *names, const char *value)
{
	bool is_on;

	if (parse_bool(value, &is_on) == 0)
		value = is_on ? "auto" : "off";
	return names_find(names, value);
}

int set_resolv_conf(const struct asking *asking, const char *value)
{
	const struct name *mode = find_mode(&resolv_conf_names, value);

	if (!mode)
		return refuse_word(asking, value);
	asking->config->resolv_conf = (enum host_file_how)(mode->value >> 8);
	asking->config->resolv_source = (enum resolv_source)(mode->value & 0xff);
	return 0;
}

int set_timezone(const struct asking *asking, const char *value)
{
	const struct name *mode = find_mode(&timezone_names, value);

	if (!mode)
		return refuse_word(asking, value);
	asking->config->timezone = (enum host_file_how)mode->value;
	return 0;
}

int set_pipe(const struct asking *asking, const char *value)
{
	(void)value;
	asking->config->console = CONSOLE_PIPE;
	asking->config->origin[SETTING_CONSOLE] = asking->origin;
	return 0;
}

/* Up to 'max' plain numbers between semicolons. Returns how many, or 0 for anything else. */
static size_t parse_colour(const char *text, uint32_t *ret, size_t max)
{
	size_t count = 0;

	for (;; text++) {
		size_t length = strcspn(text, ";");
		char number[4] = "";

		if (length == 0 || length >= sizeof(number) || count == max)
			return 0;
		memcpy(number, text, length);
		if (parse_u32(number, &ret[count++]) < 0)
			return 0;
		text += length;
		if (!*text)
			return count;
	}
}

/*
 * The parameters of one background colour (ECMA-48, "select graphic rendition"). They are written
 * to the caller's terminal: nothing else may pass.
 */
static bool is_background(const char *text)
{
	uint32_t n[5] = {0};
	size_t count = parse_colour(text, n, ARRAY_LEN(n));

	if (count == 1)
		return (n[0] >= 40 && n[0] <= 47) || (n[0] >= 100 && n[0] <= 107);
	if (n[0] != 48 || (count != 3 && count != 5) || n[1] != (count == 3 ? 5 : 2))
		return false;
	return n[2] <= 255 && n[3] <= 255 && n[4] <= 255;
}

int set_background(const struct asking *asking, const char *value)
{
	if (*value && !is_background(value)) {
		int r = refuse_value(asking, value, "the code of a background colour");

		hint("Known are 40 to 47, 100 to 107, 48;5;N and 48;2;RED;GREEN;BLUE with numbers "
		     "up to 255");
		return r;
	}
	*(const char **)field_of(asking) = *value ? value : NULL;
	return 0;
}

char *machine_name_from_path(struct arena *arena, const char *path)
{
	struct utsname host;
	char name[HOSTNAME_MAX + 1];
	size_t length = 0;

	path = path_last(path);
	if (!*path)
		path = uname(&host) < 0 ? "" : host.nodename;
	for (; *path && length < HOSTNAME_MAX; path++) {
		char previous = length ? name[length - 1] : '.';

		if (isalnum((unsigned char)*path) || (*path == '-' && previous != '.') ||
		    (*path == '.' && previous != '.' && previous != '-'))
			name[length++] = *path;
	}
	while (length > 0 && (name[length - 1] == '-' || name[length - 1] == '.'))
		length--;
	return length ? arena_copy_n(arena, name, length) : NULL;
}
