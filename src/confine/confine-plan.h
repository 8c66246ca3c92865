/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: from what is asked to capabilities and to a request for a system call filter.
 * Zone: free. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "confine/syscalls.h"

/*
 * Those that are asked for in vain: ports below 1024 are a matter of the network's user namespace
 * (capabilities(7)), which is the host's if the network is.
 */
uint64_t confine_vain_capabilities(const struct config *config, bool has_user_namespace);

/* The capabilities that a payload is to keep, if whoever starts it has them. */
uint64_t confine_capabilities(const struct config *config, bool has_user_namespace);

/* What is asked of the filter of a payload that keeps 'capabilities'. Borrows from 'config'. */
struct syscall_request confine_request(const struct config *config, uint64_t capabilities);

/* The first word of the lists that is neither a system call nor a group, or NULL. */
const char *confine_unknown_word(const struct config *config);
