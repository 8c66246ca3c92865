/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of ids when a tree is shifted.
 * Zone: any. Pure.
 */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>

#include "ids/shift.h"

#define UPPER 0xFFFF0000u
#define LOWER 0x0000FFFFu

enum shift_state shift_state(uid_t uid, gid_t gid, uint32_t *ret_shift)
{
	*ret_shift = 0;
	/* The two are changed together, so one of them says it. */
	if ((uid & UPPER) == SHIFT_BUSY || (gid & UPPER) == SHIFT_BUSY)
		return SHIFT_STATE_BUSY;
	if ((uid & UPPER) != (gid & UPPER))
		return SHIFT_STATE_DIFFERENT;
	*ret_shift = uid & UPPER;
	return *ret_shift == 0 ? SHIFT_STATE_PLAIN : SHIFT_STATE_SHIFTED;
}

bool shift_is_valid(uint32_t shift)
{
	/* The last range has the id that means none (chown(2)). */
	return (shift & LOWER) == 0 && shift < SHIFT_BUSY;
}

uint32_t shift_id(uint32_t shift, uint32_t id)
{
	return shift | (id & LOWER);
}

static bool has_id(const struct posix_acl_xattr_entry *entry)
{
	return le16toh(entry->e_tag) == ACL_USER || le16toh(entry->e_tag) == ACL_GROUP;
}

int shift_acl(uint32_t shift, void *value, size_t size)
{
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry;
	int changed = 0;

	if (size < sizeof(header) || (size - sizeof(header)) % sizeof(entry) != 0)
		return -EINVAL;
	memcpy(&header, value, sizeof(header));
	if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	for (size_t at = sizeof(header); at < size; at += sizeof(entry)) {
		uint32_t id;

		memcpy(&entry, (char *)value + at, sizeof(entry));
		id = shift_id(shift, le32toh(entry.e_id));
		if (!has_id(&entry) || id == le32toh(entry.e_id))
			continue;
		entry.e_id = htole32(id);
		memcpy((char *)value + at, &entry, sizeof(entry));
		changed = 1;
	}
	return changed;
}

int shift_file_capabilities(uint32_t shift, void *value, size_t *size)
{
	struct vfs_ns_cap_data data = {0};
	uint32_t id, revision;

	if (*size < sizeof(data.magic_etc) || *size > sizeof(data))
		return -EINVAL;
	memcpy(&data, value, *size);
	revision = le32toh(data.magic_etc) & VFS_CAP_REVISION_MASK;
	/* Older ones count for root of the host and so everywhere: nothing in them is an id. */
	if (revision != VFS_CAP_REVISION_3)
		return 0;
	if (*size != sizeof(data))
		return -EINVAL;
	id = shift_id(shift, le32toh(data.rootid));
	if (id == le32toh(data.rootid))
		return 0;
	data.rootid = htole32(id);
	if (id == 0) {
		data.magic_etc =
			htole32((le32toh(data.magic_etc) & ~(uint32_t)VFS_CAP_REVISION_MASK) |
				VFS_CAP_REVISION_2);
		*size = sizeof(struct vfs_cap_data);
	}
	memcpy(value, &data, *size);
	return 1;
}
