/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What who writes the registry and who reads it have to agree about.
 * Zone: any.
 */
#pragma once

#include "host/registry.h"

#define REGISTRY_VERSION 2

#define REGISTRY_CHANGES_COUNT (REGISTRY_CHANGES_LOST + 1)

/* "tree", "overlay", "snapshot" … */
extern const char *const registry_changes_words[REGISTRY_CHANGES_COUNT];
