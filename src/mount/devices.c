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
#include "mount/detached.h"
#include "mount/mount-plan.h"

#define DEV "/dev/"

/* clang-format off */
const struct device devices[] = {
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
const size_t device_count = ARRAY_LEN(devices);

/* clang-format off */
const struct device_link device_links[] = {
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
};
/* clang-format on */
const size_t device_link_count = ARRAY_LEN(device_links);

static const char *const directories[] = {"shm", "pts", "mqueue", "net", "char"};

bool device_is_on_host(const struct device *device, mode_t *ret_mode)
{
	struct stat status;

	if (stat(device->host, &status) < 0 || !S_ISCHR(status.st_mode) ||
	    status.st_rdev != makedev(device->major, device->minor))
		return false;
	*ret_mode = status.st_mode & 0777;
	return true;
}

/* True if the host has this very device and we may open it; takes over the host's mode. */
static bool look_at_host(const struct device *device, mode_t *mode)
{
	auto_close int fd = -EBADF;

	if (!device_is_on_host(device, mode))
		return false;
	if (!device->is_probed)
		return true;
	fd = open(device->host, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd >= 0;
}

/* An ordinary user makes no nodes, and so sees the host's: they stay whose they are. */
static int bind_node(int dev_fd, const char *name, const char *host)
{
	auto_close int host_fd = open(host, O_PATH | O_NOFOLLOW | O_CLOEXEC), target_fd = -EBADF,
		       mount_fd = -EBADF;

	if (host_fd < 0)
		return -errno;
	target_fd = openat(dev_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	mount_fd = detached_clone(host_fd, /* recursive= */ false);
	if (target_fd < 0)
		return -errno;
	if (mount_fd < 0)
		return mount_fd;
	TRY(detached_set_flags(mount_fd, MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC, false));
	return detached_attach(mount_fd, target_fd);
}

static int make_node(int dev_fd, const struct device *device)
{
	const char *name = device->host + strlen(DEV);
	mode_t mode = device->mode;
	int r = 0;

	if (!look_at_host(device, &mode) && device->is_probed)
		return 0;
	if (mknodat(dev_fd, name, S_IFCHR | mode, makedev(device->major, device->minor)) < 0)
		r = errno == EPERM ? bind_node(dev_fd, name, device->host) : -errno;
	if (r < 0)
		return fail(r, "Cannot make the device node '%s' in the tree", device->host);
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
	for (size_t i = 0; i < device_count; i++)
		TRY(make_node(dev_fd, &devices[i]));
	for (size_t i = 0; i < device_link_count; i++)
		if (symlinkat(device_links[i].target, dev_fd, device_links[i].name) < 0)
			return fail(-errno, "Cannot make the link '/dev/%s' in the tree",
				    device_links[i].name);
	if (access("/proc/kcore", F_OK) == 0)
		(void)symlinkat("/proc/kcore", dev_fd, "core");
	return 0;
}
