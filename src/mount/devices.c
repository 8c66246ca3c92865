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
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/scope.h"

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

#define DEV "/dev/"

/* clang-format off */
static const struct device devices[] = {
	{DEV "null",    1, 3,    "char/1:3",    "../null",    0666, false},
	{DEV "zero",    1, 5,    "char/1:5",    "../zero",    0666, false},
	{DEV "full",    1, 7,    "char/1:7",    "../full",    0666, false},
	{DEV "random",  1, 8,    "char/1:8",    "../random",  0666, false},
	{DEV "urandom", 1, 9,    "char/1:9",    "../urandom", 0666, false},
	{DEV "tty",     5, 0,    "char/5:0",    "../tty",     0666, false},
	{DEV "fuse",    10, 229, "char/10:229", "../fuse",    0666, true},
	{DEV "net/tun", 10, 200, "char/10:200", "../net/tun", 0666, true},
};
/* clang-format on */

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

/* True if the host has this very device and we may open it; takes over the host's mode. */
static bool look_at_host(const struct device *device, mode_t *mode)
{
	struct stat status;
	auto_close int fd = -EBADF;

	if (stat(device->host, &status) < 0 || !S_ISCHR(status.st_mode) ||
	    status.st_rdev != makedev(device->major, device->minor))
		return false;
	*mode = status.st_mode & 0777;
	if (!device->is_probed)
		return true;
	fd = open(device->host, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd >= 0;
}

static int make_node(int dev_fd, const struct device *device)
{
	const char *name = device->host + strlen(DEV);
	mode_t mode = device->mode;

	if (!look_at_host(device, &mode) && device->is_probed)
		return 0;
	if (mknodat(dev_fd, name, S_IFCHR | mode, makedev(device->major, device->minor)) < 0)
		return fail(-errno, "Cannot make the device node '%s' in the tree", device->host);
	/* A convenience; the node itself is there. */
	(void)symlinkat(device->target, dev_fd, device->by_number);
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
