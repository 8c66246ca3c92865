/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of device nodes and links under /dev. Nodes are made, never bound from the host's /dev
 * nor taken from the tree's, so that nothing there can redirect or be chowned.
 * Zone: doomed.
 */
#include "mount/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/scope.h"

struct device {
	const char *name;
	unsigned int major, minor; /* Documentation/admin-guide/devices.txt */
	mode_t mode;               /* unless the host's node has another */
	bool is_probed;            /* made only if this process may open the host's */
};

static const struct device devices[] = {
	{.name = "null", .major = 1, .minor = 3, .mode = 0666},
	{.name = "zero", .major = 1, .minor = 5, .mode = 0666},
	{.name = "full", .major = 1, .minor = 7, .mode = 0666},
	{.name = "random", .major = 1, .minor = 8, .mode = 0666},
	{.name = "urandom", .major = 1, .minor = 9, .mode = 0666},
	{.name = "tty", .major = 5, .minor = 0, .mode = 0666},
	{.name = "fuse", .major = 10, .minor = 229, .mode = 0666, .is_probed = true},
	{.name = "net/tun", .major = 10, .minor = 200, .mode = 0666, .is_probed = true},
};

/* clang-format off */
static const struct {
	const char *name, *target;
} links[] = {
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
};
/* clang-format on */

static const char *const directories[] = {"shm", "pts", "mqueue", "net", "char"};

/* 1 if the host has this very device and we may open it, else 0; takes over the host's mode. */
static int look_at_host(const struct device *device, mode_t *mode)
{
	char path[64];
	struct stat status;
	auto_close int fd = -EBADF;

	(void)snprintf(path, sizeof(path), "/dev/%s", device->name);
	if (stat(path, &status) < 0 || !S_ISCHR(status.st_mode) ||
	    status.st_rdev != makedev(device->major, device->minor))
		return 0;
	*mode = status.st_mode & 0777;
	if (!device->is_probed)
		return 1;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd >= 0;
}

static int make_node(int dev_fd, const struct device *device)
{
	char name[64], target[64];
	mode_t mode = device->mode;

	if (!look_at_host(device, &mode) && device->is_probed)
		return 0;
	if (mknodat(dev_fd, device->name, S_IFCHR | mode, makedev(device->major, device->minor)) <
	    0)
		return fail(-errno, "Cannot make the device node '/dev/%s' in the tree",
			    device->name);
	(void)snprintf(name, sizeof(name), "char/%u:%u", device->major, device->minor);
	(void)snprintf(target, sizeof(target), "../%s", device->name);
	/* A convenience for udev-like tools; the node itself is there. */
	(void)symlinkat(target, dev_fd, name);
	return 0;
}

int devices_make(int dev_fd)
{
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		if (mkdirat(dev_fd, directories[i], 0755) < 0)
			return fail(-errno, "Cannot make the directory '/dev/%s' in the tree",
				    directories[i]);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		TRY(make_node(dev_fd, &devices[i]));
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlinkat(links[i].target, dev_fd, links[i].name) < 0)
			return fail(-errno, "Cannot make the link '/dev/%s' in the tree",
				    links[i].name);
	if (access("/proc/kcore", F_OK) == 0)
		(void)symlinkat("/proc/kcore", dev_fd, "core");
	return 0;
}
