/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: what a start depends on besides what was asked: the tree, the host, our own process.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "confine/labels.h"
#include "confine/limits.h"
#include "host/places.h"
#include "ids/ids.h"
#include "image/os-release.h"
#include "image/os-tree.h"
#include "mount/bind-user.h"
#include "mount/device-facts.h"
#include "mount/host-files.h"
#include "mount/journal.h"
#include "net/net-plan.h"

struct facts {
	struct places places;
	const char *directory; /* absolute path of the tree, for messages */
	const char *machine;   /* valid machine name */
	/* What the tree, which is not there yet, is still to be made of; NULL: it is there. */
	const char *template;
	bool template_is_snapshot; /* and not copied */
	/* An image found by name can be: whatever was asked, it stays so. */
	bool image_is_read_only;
	bool is_host_root; /* the tree is the root of the running host, see machine_id below */
	/* Where a snapshot of the tree can be, if it is a subvolume; else NULL. */
	const char *snapshot_directory;
	struct os_tree tree;
	struct os_identity host;     /* the host's os-release */
	const char *host_os_release; /* its path, or NULL */
	struct host_file_facts host_files;
	struct device_facts devices;
	struct journal_facts journal;
	struct bound_users bound_users;
	struct net_facts net;
	struct limit_facts limits;
	struct label_facts labels;
	bool network_is_anothers;  /* host_network_is_anothers() */
	bool is_in_user_namespace; /* host_is_in_user_namespace() */
	struct ids_facts ids;      /* its range is filled by who may take one */
	bool is_terminal[3];
	bool colours_are_wanted;                 /* for a background that was asked for */
	const char *term, *colorterm, *no_color; /* of the caller's environment, or NULL */
	uint64_t capabilities;                   /* our own, which are all that can be passed on */
	unsigned int activation_fds; /* sockets passed by a service manager, from descriptor 3 on */
	uint8_t random[32];          /* for the ids of this start */
};

/*
 * Where the tree is and what the machine is called, which is what settings files are found by:
 * from --directory=, --machine= and the current directory. The tree itself is not touched.
 * Messages are printed on failure.
 */
int facts_locate(struct config *config, struct facts *facts);

/*
 * Looks at all the rest, after facts_locate() and when the configuration is complete. May set
 * config->read_only, as an image found by name can be.
 * *ret_directory_fd is the tree, for the caller to close. Messages are printed on failure.
 */
int facts_gather(struct config *config, struct facts *facts, int *ret_directory_fd);

/*
 * The same without having to start afterwards: a tree that may not be looked at leaves its facts
 * empty, everything else is looked at all the same, and nothing is random. *ret_directory_fd may be
 * -EBADF. Returns what would have ended facts_gather(), after its messages.
 */
int facts_look(struct config *config, struct facts *facts, int *ret_directory_fd);
