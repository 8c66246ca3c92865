/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps owners between a machine and the host.
 * Zone: any.
 */
#include "control/copy-owners.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#define CAPABILITIES "security.capability"
#define NO_ID UINT32_MAX

static uint32_t map_id(const struct copy_owners *owners, bool is_group, uint32_t id)
{
	const struct id_map *map;

	if (!owners->maps)
		return id;
	map = is_group ? &owners->maps->groups : &owners->maps->users;
	return owners->is_into ? id_map_to_outside(map, id) : id_map_to_inside(map, id);
}

/* The id that root of the other side has out here. */
static uint32_t root_id(const struct copy_owners *owners, bool is_group)
{
	uint32_t id = owners->is_into ? map_id(owners, is_group, 0) : 0;

	return id == NO_ID ? 0 : id;
}

/* True if it became somebody else's. */
static bool map_owner(const struct copy_owners *owners, bool is_group, uint32_t *id)
{
	uint32_t mapped =
		owners->all_to_root ? (*id == 0 ? 0 : NO_ID) : map_id(owners, is_group, *id);

	*id = mapped == NO_ID ? root_id(owners, is_group) : mapped;
	return mapped == NO_ID;
}

unsigned int copy_owners_map(const struct copy_owners *owners, struct stat *status)
{
	unsigned int change = 0;
	bool is_lost = map_owner(owners, /* is_group= */ false, &status->st_uid);

	if (map_owner(owners, /* is_group= */ true, &status->st_gid) || is_lost) {
		change |= COPY_CHANGE_OWNER;
		is_lost = true;
	}
	if (!owners->is_into && (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode)))
		change |= COPY_CHANGE_DEVICE;
	/* Of a directory these bits are no rights of whoever runs it. */
	if (S_ISREG(status->st_mode) && (status->st_mode & (S_ISUID | S_ISGID)) &&
	    (!owners->is_into || is_lost)) {
		status->st_mode &= ~(mode_t)(S_ISUID | S_ISGID);
		change |= COPY_CHANGE_RIGHTS;
	}
	return change;
}

/* --- Attributes --- */

/* False: it is no access list. */
static bool map_list(const struct copy_owners *owners, char *value, size_t *size)
{
	struct posix_acl_xattr_header header;
	size_t to = sizeof(header);

	if (*size < sizeof(header) ||
	    (*size - sizeof(header)) % sizeof(struct posix_acl_xattr_entry) != 0)
		return false;
	memcpy(&header, value, sizeof(header));
	if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
		return false;
	for (size_t at = to; at < *size; at += sizeof(struct posix_acl_xattr_entry)) {
		struct posix_acl_xattr_entry entry;
		uint16_t tag;

		memcpy(&entry, value + at, sizeof(entry));
		tag = le16toh(entry.e_tag);
		if (tag == ACL_USER || tag == ACL_GROUP) {
			uint32_t id = le32toh(entry.e_id);

			if (map_owner(owners, tag == ACL_GROUP, &id))
				continue;
			entry.e_id = htole32(id);
		}
		memcpy(value + to, &entry, sizeof(entry));
		to += sizeof(entry);
	}
	*size = to;
	return true;
}

/* They count for root of one user namespace and of those in it: here, the machine's. */
static bool map_capabilities(const struct copy_owners *owners, char *value, size_t *size)
{
	struct vfs_ns_cap_data data = {0};
	uint32_t magic;

	if (!owners->maps || *size < sizeof(struct vfs_cap_data) || *size > sizeof(data))
		return !owners->maps;
	memcpy(&data, value, *size);
	magic = le32toh(data.magic_etc);
	/* Somebody else's root is nobody there. */
	if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_2)
		return false;
	data.magic_etc = htole32((magic & ~(uint32_t)VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_3);
	data.rootid = htole32(root_id(owners, /* is_group= */ false));
	*size = sizeof(data);
	memcpy(value, &data, sizeof(data));
	return true;
}

bool copy_owners_map_attribute(const struct copy_owners *owners, const char *name, char *value,
			       size_t *size, unsigned int *ret_change)
{
	*ret_change = 0;
	if (strcmp(name, CAPABILITIES) == 0) {
		if (owners->is_into && map_capabilities(owners, value, size))
			return true;
		*ret_change = COPY_CHANGE_RIGHTS;
		return false;
	}
	if (text_has_prefix(name, "system.posix_acl_"))
		return map_list(owners, value, size);
	/* Labels are the other side's policy's, and what is trusted is so by one side alone. */
	return !text_has_prefix(name, "security.") && !text_has_prefix(name, "trusted.");
}

/* --- Told once --- */

static void tell_object(struct copy_owners *owners, int fd, unsigned int change)
{
	char path[PATH_MAX];

	if (!(change & (COPY_CHANGE_DEVICE | COPY_CHANGE_OWNER)) || fd_path(fd, path) < 0)
		return;
	if ((change & COPY_CHANGE_DEVICE) && !owners->devices_told) {
		warn(0,
		     "Device nodes of machine '%s', such as '%s', are not copied, going on without",
		     owners->machine, path);
		owners->devices_told = true;
	}
	/* An ordinary user expects nothing else. */
	if ((change & COPY_CHANGE_OWNER) && !owners->owners_told && !owners->all_to_root) {
		warn(0, "The owner of '%s' has no id %s machine '%s', giving such files to root",
		     path, owners->is_into ? "in" : "of", owners->machine);
		owners->owners_told = true;
	}
}

static void tell_rights(struct copy_owners *owners, unsigned int change)
{
	if (!(change & COPY_CHANGE_RIGHTS) || owners->rights_told)
		return;
	warn(0,
	     "Set-user-id bits and file capabilities do not cross the border of machine '%s', copying files without",
	     owners->machine);
	owners->rights_told = true;
}

static bool leaves_out(void *argument, int fd, struct stat *status)
{
	struct copy_owners *owners = argument;
	unsigned int change = copy_owners_map(owners, status);

	tell_object(owners, fd, change);
	tell_rights(owners, change);
	return change & COPY_CHANGE_DEVICE;
}

static bool keeps(void *argument, const char *name, char *value, size_t *size)
{
	struct copy_owners *owners = argument;
	unsigned int change;
	bool is_kept = copy_owners_map_attribute(owners, name, value, size, &change);

	tell_rights(owners, change);
	return is_kept;
}

void copy_owners_rules(struct copy_owners *owners, struct copy_rules *ret)
{
	*ret = (struct copy_rules){.argument = owners, .leaves_out = leaves_out, .keeps = keeps};
}
