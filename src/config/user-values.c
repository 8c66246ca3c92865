/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values about user namespaces: who gives the ids, which, and what becomes of the tree's owners.
 * Zone: free.
 */
#include "config/user-values.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "config/config.h"
#include "config/values.h"

/* Ranges inside of a range that systemd-nsresourced gives to one machine. */
#define DELEGATE_MAX 16

/* clang-format off */
static const struct name private_users_table[] = {
	{"no", PRIVATE_USERS_NO},
	{"yes", PRIVATE_USERS_YES},
	{"pick", PRIVATE_USERS_PICK},
	{"identity", PRIVATE_USERS_IDENTITY},
	{"managed", PRIVATE_USERS_MANAGED},
};
/* clang-format on */
const struct names private_users_names = NAMES(private_users_table);

/* clang-format off */
static const struct name ownership_table[] = {
	{"off", OWNERSHIP_OFF},
	{"chown", OWNERSHIP_CHOWN},
	{"map", OWNERSHIP_MAP},
	{"foreign", OWNERSHIP_FOREIGN},
	{"auto", OWNERSHIP_AUTO},
};
/* clang-format on */
const struct names ownership_names = NAMES(ownership_table);

/* The later option wins as a whole: nothing of an earlier one stays. */
static int store_mode(const struct asking *asking, enum private_users mode, uint32_t base,
		      uint32_t count)
{
	struct config *config = asking->config;

	config->private_users = mode;
	config->private_users_if_possible = false;
	config->private_users_base = base;
	config->private_users_count = count;
	return 0;
}

static int refuse_range(const struct asking *asking, const char *value)
{
	int r = refuse_value(asking, value, "a range of ids as FIRST[:COUNT]");

	hint("The last id of a range can be 4294967294; without COUNT there are 65536");
	return r;
}

static int set_range(const struct asking *asking, const char *value)
{
	const char *colon = strchr(value, ':');
	uint32_t base, count = USERS_RANGE;
	char first[16];

	if ((size_t)snprintf(first, sizeof(first), "%.*s",
			     colon ? (int)(colon - value) : (int)strlen(value),
			     value) >= sizeof(first) ||
	    parse_uid(first, &base) < 0 || (colon && parse_u32(colon + 1, &count) < 0))
		return refuse_range(asking, value);
	/* The very last id means "no change" to the kernel. */
	if (count == 0 || count > UINT32_MAX - base)
		return refuse_range(asking, value);
	return store_mode(asking, PRIVATE_USERS_RANGE, base, count);
}

static bool is_range(const struct asking *asking, const char *value)
{
	if (value[strspn(value, "0123456789:")] != '\0')
		return false;
	return asking->origin != ORIGIN_FILE ||
	       (strcmp(value, "0") != 0 && strcmp(value, "1") != 0);
}

int set_private_users(const struct asking *asking, const char *value)
{
	const struct name *name = value ? names_find(&private_users_names, value) : NULL;
	bool is_on = true, is_identity;

	if (value && !name && is_range(asking, value))
		return set_range(asking, value);
	if (value && !name && parse_bool(value, &is_on) < 0)
		return refuse_word(asking, value);
	if (!name)
		return store_mode(asking, is_on ? PRIVATE_USERS_YES : PRIVATE_USERS_NO, 0, 0);
	is_identity = name->value == PRIVATE_USERS_IDENTITY;
	return store_mode(asking, (enum private_users)name->value, 0,
			  is_identity ? USERS_RANGE : 0);
}

int set_private_users_pick(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;

	(void)value;
	(void)store_mode(asking, PRIVATE_USERS_PICK, 0, 0);
	config->private_users_if_possible = true;
	config->origin[SETTING_PRIVATE_USERS] = asking->origin;
	return 0;
}

static int store_ownership(const struct asking *asking, enum users_ownership ownership)
{
	struct config *config = asking->config;

	config->private_users_ownership = ownership;
	config->origin[SETTING_PRIVATE_USERS_OWNERSHIP] = asking->origin;
	return 0;
}

int set_private_users_ownership(const struct asking *asking, const char *value)
{
	const struct name *name = names_find(&ownership_names, value);
	bool is_on;

	if (name)
		return store_ownership(asking, (enum users_ownership)name->value);
	if (parse_bool(value, &is_on) < 0)
		return refuse_word(asking, value);
	return store_ownership(asking, is_on ? OWNERSHIP_AUTO : OWNERSHIP_OFF);
}

int set_private_users_chown(const struct asking *asking, const char *value)
{
	bool is_on = true;

	if (value && parse_bool(value, &is_on) < 0)
		return refuse_value(asking, value, "yes or no");
	return store_ownership(asking, is_on ? OWNERSHIP_CHOWN : OWNERSHIP_OFF);
}

int set_private_users_delegate(const struct asking *asking, const char *value)
{
	uint32_t count;

	if (parse_u32(value, &count) < 0 || count > DELEGATE_MAX)
		return refuse_value(asking, value, "a number of ranges from 0 to 16");
	asking->config->private_users_delegate = count;
	return 0;
}
