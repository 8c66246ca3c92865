/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of capabilities, system calls and address families.
 * Zone: free.
 */
#include "config/confine-values.h"

#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/capability-names.h"
#include "config/config.h"
#include "config/values.h"

int set_capabilities(const struct asking *asking, const char *value)
{
	uint64_t *set = (uint64_t *)((char *)asking->config + asking->row->field);
	struct strings words = {0};
	uint64_t added = 0;

	/* The option wants commas and the file key blanks; either is clear in both. */
	text_words(&asking->config->arena, value, "," BLANKS, &words);
	for (size_t i = 0; i < words.count; i++) {
		bool is_all = strcasecmp(words.items[i], "all") == 0;
		int number = is_all ? 0 : capability_from_text(words.items[i]);

		if (is_all && asking->setting == SETTING_AMBIENT_CAPABILITY)
			return refuse(EINVAL, "%s does not take 'all': name the capabilities",
				      asking->noun);
		if (number < 0) {
			int r = refuse(EINVAL, "%s does not know the capability '%s'", asking->noun,
				       words.items[i]);

			/* A file may be for other kernels as well; what it got right counts. */
			if (asking->origin == ORIGIN_FILE)
				continue;
			hint("Capabilities have names like CAP_NET_ADMIN; '--capability=help' "
			     "lists them");
			return r;
		}
		added |= is_all ? UINT64_MAX : UINT64_C(1) << number;
	}
	*set |= added;
	return 0;
}

/* "mount", "@mount"; groups have hyphens, calls have underscores. */
static bool is_system_call_word(const char *word)
{
	word += *word == '@';
	return *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

int set_system_call_filter(const struct asking *asking, const char *value)
{
	struct config *config = asking->config;
	bool denies = *value == '~';
	struct strings *list = denies ? &config->syscalls_denied : &config->syscalls_allowed;
	struct strings words = {0};

	text_words(&config->arena, value + denies, BLANKS, &words);
	for (size_t i = 0; i < words.count; i++)
		if (!is_system_call_word(words.items[i]))
			return refuse(EINVAL,
				      "%s takes names of system calls and @groups between blanks, "
				      "not '%s'",
				      asking->noun, words.items[i]);
	for (size_t i = 0; i < words.count; i++)
		strings_add(&config->arena, list, words.items[i]);
	return 0;
}

#define ROW(name) \
	{ \
#name, name \
	}

/* All that the C library's header knows, but AF_UNSPEC, which is no family. */
/* clang-format off */
static const struct name family_table[] = {
	ROW(AF_UNIX), ROW(AF_LOCAL), ROW(AF_INET), ROW(AF_AX25), ROW(AF_IPX), ROW(AF_APPLETALK),
	ROW(AF_NETROM), ROW(AF_BRIDGE), ROW(AF_ATMPVC), ROW(AF_X25), ROW(AF_INET6), ROW(AF_ROSE),
	ROW(AF_DECnet), ROW(AF_NETBEUI), ROW(AF_SECURITY), ROW(AF_KEY), ROW(AF_NETLINK),
	ROW(AF_ROUTE), ROW(AF_PACKET), ROW(AF_ASH), ROW(AF_ECONET), ROW(AF_ATMSVC), ROW(AF_RDS),
	ROW(AF_SNA), ROW(AF_IRDA), ROW(AF_PPPOX), ROW(AF_WANPIPE), ROW(AF_LLC), ROW(AF_IB),
	ROW(AF_MPLS), ROW(AF_CAN), ROW(AF_TIPC), ROW(AF_BLUETOOTH), ROW(AF_IUCV), ROW(AF_RXRPC),
	ROW(AF_ISDN), ROW(AF_PHONET), ROW(AF_IEEE802154), ROW(AF_CAIF), ROW(AF_ALG), ROW(AF_NFC),
	ROW(AF_VSOCK), ROW(AF_KCM), ROW(AF_QIPCRTR), ROW(AF_SMC), ROW(AF_XDP), ROW(AF_MCTP),
};
/* clang-format on */
const struct names family_names = NAMES(family_table);

static void add_family(struct config *config, int family)
{
	struct families *list = &config->families;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == family)
			return;
	*ARRAY_ADD(&config->arena, list) = family;
}

static void remove_family(struct families *list, int family)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == family)
			list->items[i--] = list->items[--list->count];
}

int set_address_families(const struct asking *asking, const char *value)
{
	struct families *families = &asking->config->families;
	enum family_policy policy = *value == '~' ? FAMILIES_DENY : FAMILIES_ALLOW;
	bool is_none = strcmp(value, "none") == 0;
	struct strings words = {0};

	text_words(&asking->config->arena, value + (*value == '~'), BLANKS, &words);
	for (size_t i = 0; !is_none && i < words.count; i++)
		if (!names_find(&family_names, words.items[i])) {
			int r = refuse(EINVAL, "%s does not know the address family '%s'",
				       asking->noun, words.items[i]);

			hint("Families have names like AF_INET6 and are separated by blanks");
			return r;
		}
	if (words.count == 0 || is_none) {
		/* "none" allows nothing; nothing at all lifts all restrictions, on purpose. */
		families->policy = is_none ? FAMILIES_ALLOW : FAMILIES_UNRESTRICTED;
		families->count = 0;
		return 0;
	}
	if (families->policy == FAMILIES_UNRESTRICTED)
		families->policy = policy;
	for (size_t i = 0; i < words.count; i++) {
		int family = names_find(&family_names, words.items[i])->value;

		if (families->policy == policy)
			add_family(asking->config, family);
		else
			remove_family(families, family);
	}
	return 0;
}
