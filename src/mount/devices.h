/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands in the payload's /dev.
 * Zone: doomed; any for device_is_on_host().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Paths are spelled out rather than printed: formatting a dozen of them costs a start more than
 * making the nodes.
 */
struct device {
	const char *host;          /* the host's node */
	unsigned int major, minor; /* Documentation/admin-guide/devices.txt */
	const char *by_number;     /* a link below /dev for tools that look for numbers */
	const char *target;        /* of that link */
	mode_t mode;               /* unless the host's node has another */
	bool is_probed;            /* made only if this process may open the host's */
};

struct device_link {
	const char *name, *target; /* below /dev; text of the link */
};

extern const struct device devices[];
extern const size_t device_count;
extern const struct device_link device_links[];
extern const size_t device_link_count;

/* True if the host has this very device, then *ret_mode is its mode. */
bool device_is_on_host(const struct device *device, mode_t *ret_mode);

/* True if nodes can be made in the empty 'dev_fd', and not only be bound. */
bool devices_can_be_made(int dev_fd);

struct device_facts;
struct id_map;

/* Whose the nodes are. */
struct device_owner {
	uid_t root;                  /* the payload's, on the host */
	const struct id_map *groups; /* the payload's, NULL: the host's */
};

/*
 * Fills the empty tmpfs 'dev_fd' with nodes, links and directories owned by root, and with the
 * nodes of devices that it was given, which keep the number of their group. Owners need not be told
 * (NULL) by who makes files as the payload's root, and was given no devices. Messages go through
 * base/log.
 */
int devices_make(int dev_fd, const struct device_facts *given, const struct device_owner *owner);
