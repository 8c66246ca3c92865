/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The services that give ranges of ids to users' machines: systemd-nsresourced(8), which fills the
 * map of a user namespace and says what may be mounted in it, and systemd-mountfsd(8), which
 * mounts. Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NSRESOURCE_SOCKET "/run/systemd/io.systemd.NamespaceResource"
#define MOUNTFS_SOCKET "/run/systemd/io.systemd.MountFileSystem"

/* Where they listen; for tests. */
struct nsresource_sockets {
	const char *resources, *mounts;
	unsigned int patience_msec; /* 0: as long as usual */
};

/*
 * True if both answer and the second mounts directories, as it does from systemd 258 on: earlier
 * ones know images only. 'sockets' is NULL for the host's, here and below.
 */
bool nsresource_is_there(const struct nsresource_sockets *sockets);

/*
 * Has the maps of 'users_fd', a user namespace without any, filled with 65536 ids of their own and
 * 'delegated' further ranges. The range is given back when the namespace is gone. Complains itself.
 */
int nsresource_allocate(const struct nsresource_sockets *sockets, const char *machine,
			unsigned int delegated, int users_fd);

/* Lets what lives in the namespace write to a mount, or a cgroup. Complain themselves. */
int nsresource_add_mount(const struct nsresource_sockets *sockets, int users_fd, int mount_fd);
int nsresource_add_cgroup(const struct nsresource_sockets *sockets, int users_fd, int cgroup_fd);

/*
 * Has the directory mounted with the namespace's ids. Returns the detached mount, a descriptor of
 * the caller's, or a negative errno after messages.
 */
int nsresource_mount_directory(const struct nsresource_sockets *sockets, int directory_fd,
			       int users_fd, bool read_only);
