/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of kernel file systems and protections that every payload gets.
 * Zone: free.
 */
#pragma once

#include <stddef.h>

#include "mount/mount-plan.h"

/* When a row applies; all bits of a row must hold. */
enum api_condition {
	API_ALWAYS = 0,
	API_TMP = 1 << 0,            /* $SYSTEMD_NSPAWN_TMPFS_TMP is not 0 */
	API_SYSFS_WHOLE = 1 << 1,    /* the host's network: all of sysfs, read-only */
	API_SYSFS_SKELETON = 1 << 2, /* a private network: only what concerns it */
	API_NET_SYSCTL = 1 << 3,     /* /proc/sys/net stays writable */
	API_PROTECTED = 1 << 4,      /* protections of /proc and /sys are not switched off */
	API_SYSFS_WRITABLE = 1 << 5, /* they are */
	API_OWN_IDS = 1 << 6,        /* a user namespace */
};

/* "tty" of every distribution. */
#define API_TTY_GROUP 5
#define API_PTS_OPTIONS_WITHOUT_GROUP "newinstance,ptmxmode=0666,mode=0600"

struct api_mount {
	struct mount_operation operation;
	unsigned int condition;
};

/* In order of mounting. */
extern const struct api_mount api_mounts[];
extern const size_t api_mount_count;

/* The last one, in the payload's own cgroup namespace. */
extern const struct mount_operation api_cgroup_mount;
