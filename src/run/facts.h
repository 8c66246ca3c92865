/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: what a start depends on besides what was asked: the tree, the host, our own process.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "image/os-release.h"
#include "image/os-tree.h"
#include "mount/host-files.h"

struct facts {
	const char *directory; /* absolute path of the tree, for messages */
	const char *machine;   /* valid machine name */
	struct os_tree tree;
	struct os_identity host;     /* the host's os-release */
	const char *host_os_release; /* its path, or NULL */
	struct host_file_facts host_files;
	bool is_terminal[3];
	const char *term, *colorterm, *no_color; /* of the caller's environment, or NULL */
	uint64_t capabilities;                   /* our own, which are all that can be passed on */
	unsigned int activation_fds; /* sockets passed by a service manager, from descriptor 3 on */
	uint8_t random[32];          /* for the ids of this start */
};

/*
 * Where the tree is and what the machine is called, which is what settings files are found by:
 * from --directory=, --machine= and the current directory. The tree itself is not touched. May set
 * config->read_only, as an image found by name can be. Messages are printed on failure.
 */
int facts_locate(struct config *config, struct facts *facts);

/*
 * Looks at all the rest, after facts_locate() and when the configuration is complete.
 * *ret_directory_fd is the tree, for the caller to close. Messages are printed on failure.
 */
int facts_gather(struct config *config, struct facts *facts, int *ret_directory_fd);
