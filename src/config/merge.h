/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts together what several sources say.
 * Zone: free.
 */
#pragma once

struct config;
struct said_list;

/*
 * Decides, by config->settings, what counts of config->said (the options) and of 'files', and fills
 * '*config' anew from it in that order; the variables of the environment come last. The rules:
 *
 * - A source hides what the weaker one says of the same setting or the same group of settings.
 *   "+=" hides nothing and is not hidden.
 * - Files add up. An empty value takes back what they said of that setting so far and never means
 *   more than that: not even an overriding file takes back an option with it.
 * - A file that is not trusted says what is harmless only, nothing of what a trusted one speaks of,
 *   joins no option, and never beats one that confines.
 *
 * What a file may not say, or says wrong, is warned of and left out; config->unheeded remembers
 * what did not count and why. With no files this is cheap. To be called once. Returns 0 or a
 * negative errno after one refusal.
 */
int config_merge(struct config *config, const struct said_list *files);
