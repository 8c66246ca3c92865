/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes, flags and attaches detached mounts.
 * Zone: any.
 */
#include "mount/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/scope.h"
#include "mount/mount-plan.h"

/* clang-format off */
static const struct {
	unsigned int flag;
	uint64_t attribute;
} attributes[] = {
	{MOUNT_FLAG_READ_ONLY, MOUNT_ATTR_RDONLY},     {MOUNT_FLAG_NOSUID, MOUNT_ATTR_NOSUID},
	{MOUNT_FLAG_NODEV, MOUNT_ATTR_NODEV},	       {MOUNT_FLAG_NOEXEC, MOUNT_ATTR_NOEXEC},
	{MOUNT_FLAG_STRICTATIME, MOUNT_ATTR_STRICTATIME}, {MOUNT_FLAG_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
};
/* clang-format on */

static uint64_t attributes_of(unsigned int flags)
{
	uint64_t result = 0;

	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (flags & attributes[i].flag)
			result |= attributes[i].attribute;
	return result;
}

int detached_set_flags(int mount_fd, unsigned int flags, bool recursive)
{
	struct mount_attr attr = {
		.attr_set = attributes_of(flags),
		.attr_clr = flags & MOUNT_FLAG_WRITABLE ? MOUNT_ATTR_RDONLY : 0,
		.propagation = flags & MOUNT_FLAG_SLAVE ? MS_SLAVE : MS_PRIVATE,
	};

	return mount_setattr(mount_fd, "",
			     AT_EMPTY_PATH | (unsigned int)(recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

int detached_map(int mount_fd, int map_fd, bool recursive)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)map_fd,
	};

	return mount_setattr(mount_fd, "",
			     AT_EMPTY_PATH | (unsigned int)(recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

int detached_attach(int mount_fd, int target_fd)
{
	return move_mount(mount_fd, "", target_fd, "",
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

/* Feeds "key=value,flag,…" to a file system context; 'options' is the plan's and stays as it is. */
static int configure(int context_fd, const char *options)
{
	while (options && *options) {
		size_t length = strcspn(options, ",");
		char option[256], *value;

		if (length >= sizeof(option))
			return -E2BIG;
		memcpy(option, options, length);
		option[length] = '\0';
		value = strchr(option, '=');
		if (value)
			*value++ = '\0';
		if (fsconfig(context_fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option,
			     value, 0) < 0)
			return -errno;
		options += length + (options[length] == ',');
	}
	return fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

/* A message of the context reads "e tmpfs: Unknown parameter 'x'": its level, and the sentence. */
void detached_complaint(int context_fd, char *complaint, size_t bytes)
{
	char text[256];
	ssize_t length = read(context_fd, text, sizeof(text) - 1);

	if (!complaint)
		return;
	complaint[0] = '\0';
	if (length <= 2)
		return;
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(complaint, bytes, "%s", text + 2);
}

int detached_new(const char *type, const char *options, unsigned int flags, char *complaint,
		 size_t bytes)
{
	return detached_new_labelled(type, options, NULL, flags, complaint, bytes);
}

int detached_new_labelled(const char *type, const char *options, const char *context,
			  unsigned int flags, char *complaint, size_t bytes)
{
	auto_close int context_fd = fsopen(type, FSOPEN_CLOEXEC);
	int fd, r = 0;

	if (complaint)
		complaint[0] = '\0';
	if (context_fd < 0)
		return -errno;
	/* What df(1) and mount(8) show as the device. */
	(void)fsconfig(context_fd, FSCONFIG_SET_STRING, "source", type, 0);
	if (context && fsconfig(context_fd, FSCONFIG_SET_STRING, "context", context, 0) < 0)
		r = -errno;
	if (r == 0)
		r = configure(context_fd, options);
	if (r < 0) {
		detached_complaint(context_fd, complaint, bytes);
		return r;
	}
	fd = fsmount(context_fd, FSMOUNT_CLOEXEC, (unsigned int)attributes_of(flags));
	return fd < 0 ? -errno : fd;
}

int detached_clone(int fd, bool recursive)
{
	int clone = open_tree(fd, "",
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
				      (unsigned int)(recursive ? AT_RECURSIVE : 0));

	return clone < 0 ? -errno : clone;
}
