/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the payload may do, as asked.
 * Zone: free.
 */
#include "confine/confine-plan.h"

#include "base/scope.h"
#include "confine/capabilities.h"

uint64_t confine_vain_capabilities(const struct config *config, bool has_user_namespace)
{
	return has_user_namespace && !config->private_network ? CAPABILITY(NET_BIND_SERVICE) : 0;
}

uint64_t confine_capabilities(const struct config *config, bool has_user_namespace)
{
	uint64_t wanted = CAPABILITIES_DEFAULT | config->capabilities_added |
			  /* The network of a container inside is administered from inside. */
			  (config->private_network || config->nesting ? CAPABILITY(NET_ADMIN) : 0);

	/*
	 * Among the host's processes reboot(2) is the host's, and whoever may trace any of them is
	 * outside: both only for who asks by name.
	 */
	if (config->share_pid)
		wanted &= config->capabilities_added |
			  ~(CAPABILITY(SYS_BOOT) | CAPABILITY(SYS_PTRACE));
	return wanted & ~config->capabilities_dropped &
	       ~confine_vain_capabilities(config, has_user_namespace);
}

struct syscall_request confine_request(const struct config *config, uint64_t capabilities)
{
	static const enum family_mode modes[] = {
		[FAMILIES_UNRESTRICTED] = FAMILIES_ANY,
		[FAMILIES_ALLOW] = FAMILIES_ONLY,
		[FAMILIES_DENY] = FAMILIES_EXCEPT,
	};

	return (struct syscall_request){
		.capabilities = capabilities,
		.allow = (char *const *)config->syscalls_allowed.items,
		.deny = (char *const *)config->syscalls_denied.items,
		.sync_suppressed = config->suppress_sync,
		.family_mode = modes[config->families.policy],
		.families = config->families.items,
		.family_count = config->families.count,
	};
}

const char *confine_unknown_word(const struct config *config)
{
	const struct strings *lists[] = {&config->syscalls_allowed, &config->syscalls_denied};

	for (size_t list = 0; list < ARRAY_LEN(lists); list++)
		for (size_t i = 0; i < lists[list]->count; i++)
			if (!syscalls_word_is_known(lists[list]->items[i]))
				return lists[list]->items[i];
	return NULL;
}
