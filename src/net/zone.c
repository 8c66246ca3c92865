/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock is of the open file description (fcntl(2), F_OFD_SETLK), so the kernel drops it with its
 * holder; the file goes with the last of them.
 * Zone: owing.
 */
#include "net/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "net/link.h"

#define WAIT_MSEC 10
#define WAITS_MAX 1000
#define WAITS_BEFORE_WORD 100

/* Of a bridge that has nothing plugged in yet; there is one at a time, under the lock. */
#define NAME_BEFORE "nspawn-zone"

/* -EAGAIN: somebody else holds it, or has just removed the file that we opened. */
static int try_lock(int *ret_fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	auto_close int fd =
		open(ZONE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (status.st_nlink == 0)
		return -EAGAIN;
	*ret_fd = steal_fd(fd);
	return 0;
}

int zone_lock(int *ret_lock_fd)
{
	const struct timespec pause = {.tv_nsec = WAIT_MSEC * 1000000L};
	int r = try_lock(ret_lock_fd);

	if (r == -ENOENT && mkdir("/run/systemd", 0755) == 0)
		r = try_lock(ret_lock_fd);
	for (int i = 0; r == -EAGAIN && i < WAITS_MAX; i++) {
		if (i == WAITS_BEFORE_WORD)
			note("Waiting for another machine to be done with the zones: '%s' is locked",
			     ZONE_LOCK);
		(void)nanosleep(&pause, NULL);
		r = try_lock(ret_lock_fd);
	}
	return r;
}

void zone_unlock(int *lock_fd)
{
	if (*lock_fd >= 0)
		(void)unlink(ZONE_LOCK);
	scope_close(lock_fd);
	*lock_fd = -EBADF;
}

/* One is left over where somebody was killed who had the lock. */
static int make(struct netlink_socket *socket, const uint8_t mac[LINK_MAC_BYTES], struct link *ret)
{
	if (link_find(socket, NAME_BEFORE, NULL, ret) == 0 && strcmp(ret->kind, "bridge") == 0)
		TRY(link_remove(socket, ret->index, LINK_WAIT));
	TRY(link_make_bridge(socket, NAME_BEFORE, mac));
	return link_find(socket, NAME_BEFORE, NULL, ret);
}

static int find_or_make(struct netlink_socket *socket, const uint8_t mac[LINK_MAC_BYTES],
			struct zone_entry *entry)
{
	struct link link;
	int r = link_find(socket, entry->name, NULL, &link);

	entry->is_new = r == -ENODEV;
	if (entry->is_new)
		r = make(socket, mac, &link);
	if (r < 0)
		return fail(r, "Cannot make the bridge '%s' of the zone", entry->name);
	if (strcmp(link.kind, "bridge") != 0)
		return refuse(EEXIST, "The interface '%s' of the host is no bridge of a zone",
			      entry->name);
	entry->bridge = link.index;
	return 0;
}

int zone_enter(struct netlink_socket *socket, const char *name, const uint8_t mac[LINK_MAC_BYTES],
	       struct zone_entry *ret)
{
	int r;

	*ret = (struct zone_entry){.name = name, .lock_fd = -EBADF};
	r = zone_lock(&ret->lock_fd);
	if (r < 0)
		return fail(r, "Cannot lock the zones of the host by '%s'", ZONE_LOCK);
	r = find_or_make(socket, mac, ret);
	if (r < 0)
		zone_unlock(&ret->lock_fd);
	return r;
}

/* Before it is up: its own addresses of IPv6 are nobody else's. */
static int name_it(struct netlink_socket *socket, const struct zone_entry *entry)
{
	int r = link_rename(socket, entry->bridge, entry->name);

	if (r < 0)
		return fail(r, "Cannot make the bridge '%s' of the zone", entry->name);
	link_trust_addresses(entry->name);
	return 0;
}

int zone_finish(struct netlink_socket *socket, struct zone_entry *entry, int r)
{
	int up = 0;

	if (r == 0 && entry->is_new)
		r = name_it(socket, entry);
	if (r == 0) /* systemd-nspawn makes them down, for a network manager to set up. */
		up = link_set_up(socket, entry->bridge);
	else if (entry->is_new)
		(void)link_remove(socket, entry->bridge, LINK_WAIT);
	zone_unlock(&entry->lock_fd);
	if (up < 0)
		warn(up, "Cannot set up the bridge '%s' of the zone, leaving it down", entry->name);
	return r;
}

static int remove_empty(struct netlink_socket *socket, const char *bridge,
			enum link_farewell farewell)
{
	bool has_ports;
	struct link link;
	int r = link_find(socket, bridge, NULL, &link);

	if (r == -ENODEV || (r == 0 && strcmp(link.kind, "bridge") != 0))
		return 0;
	TRY(r);
	TRY(link_has_ports(socket, link.index, &has_ports));
	if (has_ports)
		return 0;
	r = link_remove(socket, link.index, farewell);
	return r < 0 ? r : 1;
}

int zone_leave(struct netlink_socket *socket, const char *bridge, enum link_farewell farewell)
{
	int lock_fd = -EBADF, r = zone_lock(&lock_fd);

	r = r < 0 ? r : remove_empty(socket, bridge, farewell);
	zone_unlock(&lock_fd);
	if (r < 0)
		warn(r, "Cannot remove the bridge '%s' of the zone, leaving it", bridge);
	return r > 0;
}
