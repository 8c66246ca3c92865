/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar of owners: owner=HOST>GUEST, each side USER, USER:GROUP or :GROUP, each of these a
 * name, an id, or a range of ids FIRST-LAST; and users of the host that are known inside.
 * Zone: free.
 */
#include "config/owner-values.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

#define OWNER_PREFIX "owner="

enum mount_word {
	WORD_RECURSIVE,
	WORD_FLAT,
	_WORD_IDS, /* what follows is this and an enum id_rule */
};

/* clang-format off */
static const struct name mount_word_table[] = {
	{"rbind", WORD_RECURSIVE},
	{"norbind", WORD_FLAT},
	{"noidmap", _WORD_IDS + ID_RULE_PLAIN},
	{"idmap", _WORD_IDS + ID_RULE_SAME},
	{"rootidmap", _WORD_IDS + ID_RULE_ROOT},
	{"owneridmap", _WORD_IDS + ID_RULE_OWNER},
};
/* clang-format on */
static const struct names mount_words = NAMES(mount_word_table);

static int refuse_owner(const struct asking *asking, const char *word)
{
	int r = refuse_value(asking, word, OWNER_PREFIX "HOST>GUEST");

	if (!strchr(word, '>'))
		hint("In a shell the '>' needs quotes around it");
	else
		hint("HOST and GUEST are USER, USER:GROUP or :GROUP, each a name, an id or as many "
		     "ids, like 1000-1999");
	return r;
}

bool owner_range(const char *text, uint32_t *ret_first, uint32_t *ret_count)
{
	size_t digits = strspn(text, "0123456789");
	uint32_t first, last;
	char number[16];

	if (digits == 0 || digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (parse_uid(number, &first) < 0)
		return false;
	last = first;
	if (text[digits] && (text[digits] != '-' || parse_uid(text + digits + 1, &last) < 0))
		return false;
	if (last < first)
		return false;
	*ret_first = first;
	*ret_count = last - first + 1;
	return true;
}

/* Both sides say it or none does, and they are equally many. */
static bool do_match(const char *host, const char *guest)
{
	uint32_t first, host_count = 1, guest_count = 1;

	if (!host || !guest)
		return host == guest;
	if (!owner_range(host, &first, &host_count) && !text_is_user_name(host))
		return false;
	if (!owner_range(guest, &first, &guest_count) && !text_is_user_name(guest))
		return false;
	return host_count == guest_count;
}

/* "USER", "USER:GROUP", ":GROUP". */
static void split_side(struct arena *arena, const char *text, size_t length, struct owner_side *ret)
{
	char *copy = arena_copy_n(arena, text, length), *colon = strchr(copy, ':');

	if (colon) {
		*colon = '\0';
		ret->group = colon + 1;
	}
	ret->user = *copy ? copy : NULL;
}

static int read_owner(const struct asking *asking, const char *word, struct id_request *ids)
{
	struct arena *arena = &asking->config->arena;
	const char *text = word + strlen(OWNER_PREFIX), *arrow = strchr(text, '>');
	struct owner_request request = {0};

	if (!arrow)
		return refuse_owner(asking, word);
	split_side(arena, text, (size_t)(arrow - text), &request.host);
	split_side(arena, arrow + 1, strlen(arrow + 1), &request.guest);
	if ((!request.host.user && !request.host.group) ||
	    !do_match(request.host.user, request.guest.user) ||
	    !do_match(request.host.group, request.guest.group))
		return refuse_owner(asking, word);
	*ARRAY_ADD(arena, &ids->owners) = request;
	return 0;
}

static int refuse_mount_word(const struct asking *asking, const char *word)
{
	int r = refuse(EINVAL, "%s does not know the mount option '%s'", asking->noun, word);

	/* Which is how other programs spell it. */
	if (strcmp(word, "ro") == 0)
		hint("Read-only mounts are asked for with '--bind-ro', in files with 'BindReadOnly='");
	else
		hint("Known mount options: rbind, norbind, noidmap, idmap, rootidmap, owneridmap, "
		     "owner=HOST>GUEST");
	return r;
}

bool is_about_owners(const char *text)
{
	for (size_t i = 0; i < mount_words.count; i++) {
		const char *word = mount_words.items[i].text;

		if (mount_words.items[i].value >= _WORD_IDS && text_has_prefix(text, word) &&
		    (!text[strlen(word)] || text[strlen(word)] == ','))
			return true;
	}
	return text_has_prefix(text, OWNER_PREFIX);
}

int read_mount_words(const struct asking *asking, const char *text, bool *recursive,
		     struct id_request **ids)
{
	struct arena *arena = &asking->config->arena;
	struct id_request *wanted = arena_allocate(arena, sizeof(*wanted));
	struct strings words = {0};

	text_words(arena, text, ",", &words);
	for (size_t i = 0; i < words.count; i++) {
		const struct name *name = names_find(&mount_words, words.items[i]);

		if (text_has_prefix(words.items[i], OWNER_PREFIX))
			TRY(read_owner(asking, words.items[i], wanted));
		else if (!name || (name->value < _WORD_IDS && !recursive))
			return refuse_mount_word(asking, words.items[i]);
		else if (name->value < _WORD_IDS)
			*recursive = name->value == WORD_RECURSIVE;
		else
			wanted->rule = (enum id_rule)(name->value - _WORD_IDS);
	}
	if (wanted->owners.count > 0 || wanted->rule != ID_RULE_PLAIN)
		*ids = wanted;
	return 0;
}

static int add_names(const struct asking *asking, const char *value, const char *wanted,
		     struct strings *list)
{
	struct arena *arena = &asking->config->arena;
	struct strings words = {0};

	text_words(arena, value, BLANKS, &words);
	for (size_t i = 0; i < words.count; i++) {
		if (!text_is_user_name(words.items[i]))
			return refuse_value(asking, words.items[i], wanted);
		strings_add(arena, list, words.items[i]);
	}
	return 0;
}

int set_bind_user(const struct asking *asking, const char *value)
{
	return add_names(asking, value, "the name of a user of the host",
			 &asking->config->bind_users);
}

int set_bind_user_group(const struct asking *asking, const char *value)
{
	return add_names(asking, value, "the name of a group", &asking->config->bind_user_groups);
}

int set_bind_user_shell(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	bool is_copied = false;

	if (*value != '/' && parse_bool(value, &is_copied) < 0)
		return refuse_value(asking, value, "yes, no or an absolute path in the container");
	if (*value == '/' && !path_is_normalized(value))
		return refuse_value(asking, value, "a path without '..' in it");
	config->bind_user_shell_is_copied = is_copied;
	config->bind_user_shell = *value == '/' ? arena_copy(&config->arena, value) : NULL;
	return 0;
}
