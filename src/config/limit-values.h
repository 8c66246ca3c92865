/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for the payload's share of the machine: limits, processors, memory
 * pressure, personality (type and contract: setting_parser in settings.h).
 * Zone: free.
 */
#pragma once

#include <stdint.h>

#include "config/settings.h"

extern const struct names limit_names;       /* "CPU" and so on to RLIMIT_* */
extern const struct names personality_names; /* names of architectures to PER_* */

/* What the whole machine may use, of the row's kind. */
int set_resource(const struct asking *asking, const char *value);

/* "1.5" or "150%" as microseconds in a second; not 0. -EINVAL or -ERANGE. */
int parse_cpus(const char *text, uint64_t *ret_usec);

/* NAME=SOFT[:HARD] of --rlimit. */
int set_rlimit(const struct asking *asking, const char *value);

/* SOFT[:HARD] of the key that the row names. */
int set_limit(const struct asking *asking, const char *value);

int set_oom_score_adjust(const struct asking *asking, const char *value);
int set_cpu_affinity(const struct asking *asking, const char *value);
int set_personality(const struct asking *asking, const char *value);
