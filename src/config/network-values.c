/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values about the links of a machine to the host.
 * Zone: free.
 */
#include "config/network-values.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

#define NAME_MAX_KERNEL 15       /* IFNAMSIZ without its end */
#define NAME_MAX_ALTERNATIVE 127 /* ALTIFNAMSIZ without its end */

bool is_link_name(const char *text, size_t max)
{
	/* Directories of /proc/sys/net/ipv4/conf that are no interface, and those of all. */
	static const char *const taken[] = {".", "..", "all", "default"};
	size_t length = strlen(text);

	if (length == 0 || length > max || strspn(text, "0123456789") == length)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (strcmp(text, taken[i]) == 0)
			return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 127 || strchr("/:%", *text))
			return false;
	return true;
}

static const struct name network_setup_table[] = {
	{"auto", NETWORK_SETUP_AUTO},
	{"host", NETWORK_SETUP_HOST},
	{"guest", NETWORK_SETUP_GUEST},
	{"none", NETWORK_SETUP_NONE},
};
const struct names network_setup_names = NAMES(network_setup_table);

/* What can stand in a hint beside any refused name. */
static int refuse_name(const struct asking *asking, const char *value, const char *wanted)
{
	int r = refuse_value(asking, value, wanted);

	hint("A new name of an interface has at most 15 characters, no blank and none of "
	     "'/', ':', '%%', and is no number, 'all' or 'default'");
	return r;
}

static int read_link(const struct asking *asking, const char *word, size_t host_max,
		     struct link_requests *list)
{
	struct arena *arena = &asking->config->arena;
	const char *colon = strchr(word, ':');
	struct link_request request = {
		.host = colon ? arena_copy_n(arena, word, (size_t)(colon - word)) : word,
		.inside = colon ? colon + 1 : NULL,
	};

	if (!is_link_name(request.host, host_max) ||
	    (request.inside && !is_link_name(request.inside, NAME_MAX_KERNEL)))
		return refuse_name(asking, word, "interfaces as HOSTIF[:NAME]");
	*ARRAY_ADD(arena, list) = request;
	return 0;
}

static struct link_requests *field_of(const struct asking *asking)
{
	return (struct link_requests *)((char *)asking->config + asking->row->field);
}

int set_links(const struct asking *asking, const char *value)
{
	struct link_requests *list = field_of(asking);
	struct strings words = {0};

	text_words(&asking->config->arena, value, BLANKS, &words);
	if (words.count == 0)
		return refuse_name(asking, value, "interfaces as HOSTIF[:NAME]");
	for (size_t i = 0; i < words.count; i++)
		TRY(read_link(asking, words.items[i], NAME_MAX_ALTERNATIVE, list));
	return 0;
}

int set_veth_extra(const struct asking *asking, const char *value)
{
	return read_link(asking, value, NAME_MAX_KERNEL, field_of(asking));
}

int set_network_veth_name(const struct asking *asking, const char *value)
{
	if (!is_link_name(value, NAME_MAX_KERNEL))
		return refuse_name(asking, value, "a name of an interface");
	asking->config->network_veth_name = value;
	return 0;
}

int set_network_zone(const struct asking *asking, const char *value)
{
	if (!is_link_name(arena_format(&asking->config->arena, "vz-%s", value), NAME_MAX_KERNEL)) {
		int r = refuse_value(asking, value, "a name of at most 12 characters");

		hint("The bridge of the zone has this name, with 'vz-' before it");
		return r;
	}
	asking->config->network_zone = value;
	return 0;
}

int set_network_namespace(const struct asking *asking, const char *value)
{
	if (asking->origin == ORIGIN_FILE && *value && *value != '/')
		return refuse(EINVAL,
			      "%s needs an absolute path in a file, as '%s' could be anywhere",
			      asking->noun, value);
	return set_directory(asking, value);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return found ? (int)(found - digits) : -1;
}

int parse_mac(const char *text, uint8_t ret[6])
{
	uint8_t mac[6], any = 0;
	char separator = text[0] && text[1] ? text[2] : '\0';

	if (strlen(text) != 17 || (separator != ':' && separator != '-'))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac); i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != separator))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		any |= mac[i];
	}
	if (!any || mac[0] & 1)
		return -EINVAL;
	memcpy(ret, mac, sizeof(mac));
	return 0;
}
