/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: which devices of the host the payload was given: their nodes, and what it may do with
 * them. Zone: free. Nothing is opened but what opening does not change, and nothing of the host's
 * is ever given another owner or mode.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

/* A node to be made in the payload's /dev. */
struct device_node {
	const char *host;   /* path of the host's */
	const char *inside; /* below /dev */
	mode_t mode;        /* the host's: its type and its permissions */
	gid_t group;        /* the host's */
	unsigned int major, minor;
	unsigned int access; /* enum device_access */
	size_t request;      /* index into config->devices */
};

#define DEVICE_ANY (-1)

/* What may be done with devices of these numbers. */
struct device_rule {
	bool is_block;
	unsigned int major_first, major_last;
	int minor;           /* DEVICE_ANY: any */
	unsigned int access; /* enum device_access */
};

struct device_rules {
	struct device_rule *items;
	size_t count, room;
};

#define DEVICE_MAJOR_MAX 4095u /* the kernel's MINORBITS leave twelve */

struct device_facts {
	struct {
		struct device_node *items;
		size_t count, room;
	} nodes;
	bool are_for_users;        /* who works in containers inside needs fuse and tun, too */
	struct device_rules rules; /* besides those of the nodes: bound nodes and DeviceAllow= */
};

/*
 * Looks at what --device=, --bind= and --property=DeviceAllow= name. Goes on after a failure, so
 * that a plan shows the rest. Messages are printed; returns the first failure.
 */
int device_facts_gather(const struct config *config, struct arena *arena, struct device_facts *ret);

/*
 * The rules of one DeviceAllow= property of systemd.resource-control(5); 'table' is the text of
 * /proc/devices. Returns false for what it does not understand; true also for a path that is not
 * there.
 */
bool device_rules_from_property(struct arena *arena, const char *value, const char *table,
				struct device_rules *rules);
