/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads which host this is: two of them give machines of one name different addresses.
 * Zone: free.
 */
#include "net/net-find.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/check.h"

void net_facts_gather(const struct config *config, struct net_facts *ret)
{
	auto_free char *text = NULL;

	if (!config_has_links(config) ||
	    file_read(AT_FDCWD, "/etc/machine-id", 64, &text, NULL) < 0)
		return;
	text[strcspn(text, BLANKS)] = '\0';
	/* What is no id leaves the zeros of none. */
	(void)parse_id128(text, ret->host_id);
}
