/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits for an interface, and for the device manager that may still be renaming it.
 * Zone: free.
 */
#include "net/link-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/scope.h"

#define WAIT_MSEC 50
#define WAITS_MAX 60 /* three seconds */
#define WAITS_BEFORE_WORD 4

/* It knows only the interfaces of the network that it lives in. */
static bool udev_is_here(void)
{
	return access("/run/udev/control", F_OK) == 0 && process_shares_namespace(1, "net") == 1;
}

/* udev notes each device that it has dealt with, network interfaces by their number. */
static bool udev_is_done(const struct link *link)
{
	char path[48];
	auto_free char *text = NULL;

	(void)snprintf(path, sizeof(path), "/run/udev/data/n%d", link->index);
	return file_read(AT_FDCWD, path, (size_t)64 * 1024, &text, NULL) == 0 &&
	       !strstr(text, "E:ID_RENAMING=1");
}

/* 0, -ENODEV: not there yet, -EBUSY: not ready yet. */
static int look(struct netlink_socket *socket, const struct link_want *want, struct link *ret)
{
	TRY(link_find(socket, want->name, want->also, ret));
	return want->may_wait && udev_is_here() && !udev_is_done(ret) ? -EBUSY : 0;
}

int link_wait(struct netlink_socket *socket, const struct link_want *want, struct link *ret)
{
	const struct timespec pause = {.tv_nsec = WAIT_MSEC * 1000000L};
	const char *name = want->name;
	int r = look(socket, want, ret), waits = want->may_wait ? WAITS_MAX : 0;

	for (int i = 0; (r == -ENODEV || r == -EBUSY) && i < waits; i++) {
		if (i == WAITS_BEFORE_WORD && r == -ENODEV)
			note("Waiting for the interface '%s' of the host to appear", name);
		else if (i == WAITS_BEFORE_WORD)
			note("Waiting for udev to be done with the interface '%s'", name);
		(void)nanosleep(&pause, NULL);
		r = look(socket, want, ret);
	}
	if (r == -ENODEV) {
		(void)refuse(ENODEV, "The host has no interface '%s'", name);
		hint("'ip link' shows those that it has");
	} else if (r == -EBUSY) {
		(void)refuse(EBUSY, "The interface '%s' is not ready: udev is not done with it",
			     name);
	} else if (r < 0) {
		return fail(r, "Cannot look for the interface '%s' of the host", name);
	}
	return r;
}
