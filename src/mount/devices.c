/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of device nodes and links under /dev. Nodes are made, or the host's mounted where that
 * is not possible, but never taken from the tree's /dev; and none of the host's gets another owner
 * or mode. Zone: doomed.
 */
#include "mount/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/scope.h"
#include "ids/id-map.h"
#include "mount/detached.h"
#include "mount/device-facts.h"
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

/*
 * Where nodes cannot be made, in a user namespace or for want of rights, the host's is mounted:
 * read-only, which keeps its owner and mode from change and not its device from use.
 */
static int bind_node(int dev_fd, const char *name, const char *host, dev_t number)
{
	auto_close int target_fd =
			       openat(dev_fd, name,
				      O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0644),
		       fd = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct stat status;

	if (target_fd < 0 || fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) || status.st_rdev != number)
		return -ENODEV;
	TRY(detached_set_flags(fd, MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC,
			       /* recursive= */ false));
	return detached_attach(fd, target_fd);
}

static int make_or_bind(int dev_fd, const char *name, const char *host, mode_t mode, dev_t number)
{
	if (mknodat(dev_fd, name, mode, number) == 0)
		return 0;
	return errno == EPERM ? bind_node(dev_fd, name, host, number) : -errno;
}

bool devices_can_be_made(int dev_fd)
{
	return mknodat(dev_fd, "null", S_IFCHR, makedev(1, 3)) == 0 &&
	       unlinkat(dev_fd, "null", 0) == 0;
}

static int make_node(int dev_fd, const struct device *device, bool is_for_users)
{
	const char *name = device->host + strlen(DEV);
	mode_t mode = device->mode;
	int r;

	if (!look_at_host(device, &mode) && device->is_probed)
		return 0;
	/* Our own node: what its mode opens, root inside could open just as well. */
	if (is_for_users)
		mode = device->mode;
	r = make_or_bind(dev_fd, name, device->host, S_IFCHR | mode,
			 makedev(device->major, device->minor));
	if (r < 0)
		return fail(r, "Cannot make the device node '%s' in the tree", device->host);
	/* A convenience; the node itself is there. */
	(void)symlinkat(device->target, dev_fd, device->by_number);
	return 0;
}

/* Whatever stands in 'path' before its last component becomes a directory. */
static int make_parents(int dev_fd, const char *path)
{
	char parent[PATH_MAX];

	for (const char *end = strchr(path, '/'); end; end = strchr(end + 1, '/')) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(end - path), path);
		if (mkdirat(dev_fd, parent, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* A link by the number of a node, as udev has it. A convenience, left out where it cannot be. */
static void link_by_number(int dev_fd, const struct device_node *node)
{
	const char *kind = S_ISBLK(node->mode) ? "block" : "char";
	char path[64], target[PATH_MAX + 4];

	(void)snprintf(path, sizeof(path), "%s/%u:%u", kind, node->major, node->minor);
	(void)snprintf(target, sizeof(target), "../%s", node->inside);
	(void)mkdirat(dev_fd, kind, 0755);
	(void)symlinkat(target, dev_fd, path);
}

/* It takes the place of a node that everybody gets. */
static int make_given(int dev_fd, const struct device_node *node)
{
	int r = make_parents(dev_fd, node->inside);

	if (r == 0 && unlinkat(dev_fd, node->inside, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = make_or_bind(dev_fd, node->inside, node->host, node->mode,
				 makedev(node->major, node->minor));
	if (r < 0)
		return fail(r, "Cannot make the device node '/dev/%s' for '%s' of the host",
			    node->inside, node->host);
	link_by_number(dev_fd, node);
	return 0;
}

/* A group by the number it has on the host; one that is not mapped would be nobody's. */
static gid_t group_of(const struct device_node *node, const struct device_owner *owner)
{
	uint32_t group =
		owner->groups ? id_map_to_outside(owner->groups, node->group) : node->group;

	return group == UINT32_MAX ? owner->root : group;
}

/* Gives away what we made as ourselves: everything in there, which is little. */
static int give_away(int directory_fd, uid_t root)
{
	auto_closedir DIR *directory = fdopendir(fcntl(directory_fd, F_DUPFD_CLOEXEC, 3));
	const struct dirent *entry;

	if (!directory || fchown(directory_fd, root, root) < 0)
		return -errno;
	while ((entry = readdir(directory))) {
		auto_close int fd = -EBADF;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fchownat(directory_fd, entry->d_name, root, root, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (entry->d_type != DT_DIR)
			continue;
		fd = openat(directory_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		TRY(fd < 0 ? -errno : give_away(fd, root));
	}
	return 0;
}

static int set_owners(int dev_fd, const struct device_facts *given,
		      const struct device_owner *owner)
{
	auto_close int fd = openat(dev_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : owner->root == 0 ? 0 : give_away(fd, owner->root);

	for (size_t i = 0; i < given->nodes.count && r == 0; i++)
		if (fchownat(dev_fd, given->nodes.items[i].inside, (uid_t)-1,
			     group_of(&given->nodes.items[i], owner), AT_SYMLINK_NOFOLLOW) < 0)
			r = -errno;
	return r < 0 ? fail(r, "Cannot give the device nodes to the payload's root") : 0;
}

int devices_make(int dev_fd, const struct device_facts *given, const struct device_owner *owner)
{
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		if (mkdirat(dev_fd, directories[i], 0755) < 0)
			return fail(-errno, "Cannot make the directory '/dev/%s' in the tree",
				    directories[i]);
	for (size_t i = 0; i < device_count; i++)
		TRY(make_node(dev_fd, &devices[i], given->are_for_users));
	for (size_t i = 0; i < device_link_count; i++)
		if (symlinkat(device_links[i].target, dev_fd, device_links[i].name) < 0)
			return fail(-errno, "Cannot make the link '/dev/%s' in the tree",
				    device_links[i].name);
	for (size_t i = 0; i < given->nodes.count; i++)
		TRY(make_given(dev_fd, &given->nodes.items[i]));
	if (access("/proc/kcore", F_OK) == 0)
		(void)symlinkat("/proc/kcore", dev_fd, "core");
	return owner ? set_owners(dev_fd, given, owner) : 0;
}
