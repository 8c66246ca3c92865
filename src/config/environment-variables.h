/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The variables of our own environment that say how containers are to be run. They exist for people
 * who cannot change the command line and for tools that always set them.
 * Zone: free.
 */
#pragma once

struct config;

/*
 * Applies all of them but SYSTEMD_LOG_LEVEL. What an option said already stays. Returns 0, or a
 * negative errno after one refusal. The configuration keeps pointers into the environment.
 */
int config_from_environment(struct config *config);

/* Sets the log level from SYSTEMD_LOG_LEVEL; a value it cannot read is warned of and ignored. */
void log_level_from_environment(void);
