/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words and sizes of the options about journals.
 * Zone: free.
 */
#include "config/journal-values.h"

#include <stdint.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "config/config.h"
#include "config/values.h"

int set_link_journal(const struct asking *asking, const char *value)
{
	const struct name *name = names_find(&link_journal_names, value);
	bool is_on;

	if (name)
		asking->config->link_journal = (enum link_journal)name->value;
	else if (parse_bool(value, &is_on) == 0)
		asking->config->link_journal = is_on ? LINK_JOURNAL_AUTO : LINK_JOURNAL_NO;
	else
		return refuse_word(asking, value);
	return 0;
}

int set_link_journal_try_guest(const struct asking *asking, const char *value)
{
	(void)value;
	asking->config->link_journal = LINK_JOURNAL_TRY_GUEST;
	asking->config->origin[SETTING_LINK_JOURNAL] = asking->origin;
	return 0;
}

int set_forward_journal(const struct asking *asking, const char *value)
{
	char *path;
	int r = path_absolute(&asking->config->arena, value, &path);

	if (r < 0)
		return fail(r, "Cannot tell where '%s' of '%s' is: no current directory", value,
			    asking->noun);
	asking->config->forward_journal = path;
	return 0;
}

static int set_positive(const struct asking *asking, const char *value,
			int (*parse)(const char *text, uint64_t *ret), const char *wanted)
{
	uint64_t number;

	if (parse(value, &number) < 0 || number == 0)
		return refuse_value(asking, value, wanted);
	*(uint64_t *)((char *)asking->config + asking->row->field) = number;
	return 0;
}

int set_journal_bytes(const struct asking *asking, const char *value)
{
	return set_positive(asking, value, parse_bytes, "a size like 500M");
}

int set_journal_files(const struct asking *asking, const char *value)
{
	return set_positive(asking, value, parse_u64, "a number of files from 1 on");
}
