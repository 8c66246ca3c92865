/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of owners and rights on the way into a machine and out of it.
 */
#include <endian.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "control/copy-owners.h"

static const struct id_extent extents[] = {{.inside = 0, .outside = 0x80000, .count = 65536}};
static const struct id_maps maps = {.users = {extents, 1}, .groups = {extents, 1}};

static const struct copy_owners into = {.machine = "lab", .maps = &maps, .is_into = true};
static const struct copy_owners out_of = {.machine = "lab", .maps = &maps};
static const struct copy_owners out_of_host_ids = {.machine = "lab"};
static const struct copy_owners into_of_user = {
	.machine = "lab", .is_into = true, .all_to_root = true};

static unsigned int map(const struct copy_owners *owners, mode_t mode, uid_t uid, gid_t gid,
			struct stat *ret)
{
	*ret = (struct stat){.st_mode = mode, .st_uid = uid, .st_gid = gid};
	return copy_owners_map(owners, ret);
}

static void test_owners(void)
{
	struct stat status;

	CHECK(map(&into, S_IFREG | 04755, 33, 0, &status) == 0);
	CHECK(status.st_uid == 0x80000 + 33 && status.st_gid == 0x80000);
	CHECK(status.st_mode == (S_IFREG | 04755));
	CHECK(map(&out_of, S_IFREG | 0644, 0x80000 + 33, 0x8FFFF, &status) == 0);
	CHECK(status.st_uid == 33 && status.st_gid == 65535);
	CHECK(map(&out_of_host_ids, S_IFREG | 0644, 33, 70000, &status) == 0);
	CHECK(status.st_uid == 33 && status.st_gid == 70000);
}

/* Root of the other side gets what nobody there has, without being able to run it as somebody. */
static void test_nobody(void)
{
	struct stat status;

	CHECK(map(&into, S_IFREG | 04755, 65536, 5, &status) ==
	      (COPY_CHANGE_OWNER | COPY_CHANGE_RIGHTS));
	CHECK(status.st_uid == 0x80000 && status.st_gid == 0x80000 + 5);
	CHECK(status.st_mode == (S_IFREG | 0755));
	CHECK(map(&out_of, S_IFREG | 0600, 0, 0x80000, &status) == COPY_CHANGE_OWNER);
	CHECK(status.st_uid == 0 && status.st_gid == 0);
	CHECK(map(&out_of, S_IFREG | 0600, 0x7FFFF, 0x90000, &status) == COPY_CHANGE_OWNER);
	CHECK(map(&into_of_user, S_IFREG | 0600, 0, 65534, &status) == COPY_CHANGE_OWNER);
	CHECK(status.st_uid == 0 && status.st_gid == 0);
	CHECK(map(&into_of_user, S_IFREG | 04700, 0, 0, &status) == 0);
}

static void test_rights(void)
{
	struct stat status;

	CHECK(map(&out_of_host_ids, S_IFREG | 06755, 0, 0, &status) == COPY_CHANGE_RIGHTS);
	CHECK(status.st_mode == (S_IFREG | 0755));
	/* Of a directory they say who its files belong to, and who may remove them. */
	CHECK(map(&out_of, S_IFDIR | 03777, 0x80000, 0x80000, &status) == 0);
	CHECK(status.st_mode == (S_IFDIR | 03777));
	CHECK(map(&out_of, S_IFBLK | 0666, 0x80000, 0x80000, &status) == COPY_CHANGE_DEVICE);
	CHECK(map(&out_of_host_ids, S_IFCHR | 0666, 0, 0, &status) == COPY_CHANGE_DEVICE);
	CHECK(map(&into, S_IFCHR | 0666, 0, 0, &status) == 0);
}

static bool keeps(const struct copy_owners *owners, const char *name, void *value, size_t *size,
		  unsigned int expected)
{
	unsigned int change = 77;
	bool kept = copy_owners_map_attribute(owners, name, value, size, &change);

	CHECK(change == expected);
	return kept;
}

#define ENTRY(tag, id) \
	{ \
		htole16(tag), htole16(7), htole32(id) \
	}

static void test_lists(void)
{
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[5];
	} list = {{htole32(POSIX_ACL_XATTR_VERSION)},
		  {ENTRY(ACL_USER_OBJ, UINT32_MAX), ENTRY(ACL_USER, 12), ENTRY(ACL_USER, 70000),
		   ENTRY(ACL_GROUP, 13), ENTRY(ACL_OTHER, UINT32_MAX)}};
	size_t size = sizeof(list);

	CHECK(keeps(&into, "system.posix_acl_access", &list, &size, 0));
	CHECK(size == sizeof(list) - sizeof(list.entries[0]));
	CHECK(le32toh(list.entries[0].e_id) == UINT32_MAX);
	CHECK(le32toh(list.entries[1].e_id) == 0x80000 + 12);
	CHECK(le32toh(list.entries[2].e_id) == 0x80000 + 13);
	CHECK(le16toh(list.entries[3].e_tag) == ACL_OTHER);
	CHECK(keeps(&out_of, "system.posix_acl_default", &list, &size, 0));
	CHECK(le32toh(list.entries[1].e_id) == 12 && le32toh(list.entries[2].e_id) == 13);
	/* What is none. */
	for (size_t length = 0; length < size; length++) {
		size_t cut = length;

		if (length < sizeof(list.header) ||
		    (length - sizeof(list.header)) % sizeof(list.entries[0]) != 0)
			CHECK(!keeps(&into, "system.posix_acl_access", &list, &cut, 0));
	}
	list.header.a_version = htole32(9);
	CHECK(!keeps(&into, "system.posix_acl_access", &list, &size, 0));
}

static void test_capabilities(void)
{
	struct vfs_ns_cap_data data = {.magic_etc = htole32(VFS_CAP_REVISION_2 | 1)};
	size_t size = sizeof(struct vfs_cap_data);

	CHECK(keeps(&into, "security.capability", &data, &size, 0));
	CHECK(size == sizeof(data) && le32toh(data.rootid) == 0x80000);
	CHECK(le32toh(data.magic_etc) == (VFS_CAP_REVISION_3 | 1));
	/* Those of somebody else's namespace, and all that come out. */
	CHECK(!keeps(&into, "security.capability", &data, &size, COPY_CHANGE_RIGHTS));
	CHECK(!keeps(&out_of, "security.capability", &data, &size, COPY_CHANGE_RIGHTS));
	CHECK(!keeps(&out_of_host_ids, "security.capability", &data, &size, COPY_CHANGE_RIGHTS));
	size = 3;
	CHECK(!keeps(&into, "security.capability", &data, &size, COPY_CHANGE_RIGHTS));
}

static void test_other_attributes(void)
{
	char value[] = "x";
	size_t size = 1;

	CHECK(keeps(&out_of, "user.test", value, &size, 0) && size == 1);
	CHECK(!keeps(&out_of, "security.selinux", value, &size, 0));
	CHECK(!keeps(&into, "trusted.test", value, &size, 0));
}

int main(void)
{
	test_owners();
	test_nobody();
	test_rights();
	test_lists();
	test_capabilities();
	test_other_attributes();
	return check_result();
}
