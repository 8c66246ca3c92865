/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar of credentials. Values are only checked here; they are read when the machine is about
 * to start, so that they are in memory once and not longer than needed.
 * Zone: free.
 */
#include "config/credential-values.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"

bool credential_id_is_valid(const char *id)
{
	size_t length = strlen(id);

	if (length == 0 || length > NAME_MAX || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return false;
	for (; *id; id++)
		if (*id < ' ' || *id > '~' || *id == '/' || *id == ':')
			return false;
	return true;
}

/* Splits at the first colon. *ret_rest points into 'value'. */
static int read_id(const struct asking *asking, const char *value, const char **ret_id,
		   const char **ret_rest)
{
	const char *colon = strchr(value, ':');
	char *id;
	int r;

	/* Whoever forgot the name may have typed the secret alone. */
	if (!colon)
		return refuse(EINVAL, "%s takes %s, and there is no colon in what it was given",
			      asking->noun, asking->row->metavar);
	id = arena_copy_n(&asking->config->arena, value, (size_t)(colon - value));
	if (!credential_id_is_valid(id)) {
		r = refuse(EINVAL, "%s cannot call a credential '%.300s'", asking->noun, id);
		hint("The name is that of a file: 1 to 255 printable ASCII characters without slash");
		return r;
	}
	for (size_t i = 0; i < asking->config->credentials.count; i++)
		if (strcmp(asking->config->credentials.items[i].id, id) == 0)
			return refuse(EEXIST, "%s names the credential '%s' a second time",
				      asking->noun, id);
	*ret_id = id;
	*ret_rest = colon + 1;
	return 0;
}

static bool can_be_unescaped(const char *text)
{
	auto_arena struct arena scratch = {0};
	size_t length;
	char *bytes;

	if (text_unescape(&scratch, text, &bytes, &length) < 0)
		return false;
	explicit_bzero(bytes, length);
	return true;
}

int set_credential(const struct asking *asking, const char *value)
{
	struct credential_request request = {0};
	int r;

	TRY(read_id(asking, value, &request.id, &request.text));
	if (!can_be_unescaped(request.text)) {
		r = refuse(EINVAL, "%s has an unknown escape in the value of '%s'", asking->noun,
			   request.id);
		hint("Write a backslash as \\\\, other bytes as \\n or \\x00");
		return r;
	}
	*ARRAY_ADD(&asking->config->arena, &asking->config->credentials) = request;
	return 0;
}

int load_credential(const struct asking *asking, const char *value)
{
	struct credential_request request = {0};
	const char *text;
	char *path;

	TRY(read_id(asking, value, &request.id, &text));
	if (!strchr(text, '/')) {
		if (!credential_id_is_valid(text))
			return refuse(
				EINVAL,
				"%s takes a path with a slash or the name of a credential of our own, not '%s'",
				asking->noun, text);
		request.inherited = arena_copy(&asking->config->arena, text);
	} else {
		int r = path_absolute(&asking->config->arena, text, &path);

		if (r < 0)
			return fail(r, "Cannot tell where '%s' of '%s' is: no current directory",
				    text, asking->noun);
		request.path = path;
	}
	*ARRAY_ADD(&asking->config->arena, &asking->config->credentials) = request;
	return 0;
}
