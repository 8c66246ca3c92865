/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Labels of security modules. Their vocabulary is the policy's, which only the kernel knows; here
 * it is looked at whether the text can be one at all. A label reaches the kernel as one write(2) or
 * as the value of one fsconfig(2), never as part of a list, so the commas of SELinux categories
 * (and quotes, if a policy likes them) are nobody's separators and need no escape. Zone: free.
 */
#include "config/label-values.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

/* The kernel takes a page for a label and the word before it (proc_pid_attr(5)). */
#define LABEL_MAX_BYTES 4000

/* A copy: the stub init wipes our command line before it labels itself. */
static int store(const struct asking *asking, const char *value)
{
	*(const char **)((char *)asking->config + asking->row->field) =
		arena_copy(&asking->config->arena, value);
	return 0;
}

/* A line feed would end the label early for whoever reads it back, in logs for a start. */
static bool is_label(const char *value)
{
	return *value && strlen(value) <= LABEL_MAX_BYTES && !text_has_controls(value) &&
	       text_is_utf8(value);
}

int set_selinux_context(const struct asking *asking, const char *value)
{
	const char *role = strchr(value, ':'), *type = role ? strchr(role + 1, ':') : NULL;

	if (!is_label(value) || strchr(value, ' ') || !type || role == value || type == role + 1 ||
	    type[1] == '\0' || type[1] == ':')
		return refuse_value(asking, value, "a context like 'system_u:system_r:svirt_t:s0'");
	return store(asking, value);
}

int set_apparmor_profile(const struct asking *asking, const char *value)
{
	/* The kernel strips blanks at the ends, and so would set another one than was said. */
	if (!is_label(value) || *value == ' ' || value[strlen(value) - 1] == ' ')
		return refuse_value(asking, value, "the name of a profile");
	return store(asking, value);
}

int set_share_system(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;

	(void)value;
	config->share_ipc = config->share_pid = config->share_uts = true;
	return 0;
}
