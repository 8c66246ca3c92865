/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds out what a decision about ids depends on: our rights, the tree's owner, what the host's
 * files give us.
 * Zone: free.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/config.h"
#include "ids/ids.h"
#include "ids/nsresource.h"

#define PASSWD_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* --- Ourselves --- */

/* What the kernel asks of who writes maps, and maps mounts. */
static bool may_map(void)
{
	static const unsigned int wanted[] = {CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!(data[wanted[i] / 32].effective & 1u << wanted[i] % 32))
			return false;
	return true;
}

/* None if we have all ids, as in the host's own namespace. */
static void read_own_map(struct arena *arena, struct id_map *ret)
{
	struct id_map map;

	if (id_map_read(arena, "/proc/self/uid_map", &map) == 0 &&
	    !(map.count == 1 && map.items[0].count == UINT32_MAX))
		*ret = map;
}

/*
 * Our name, by which subuid(5) mostly knows us: out of passwd(5), or of who logged us in where a
 * server knows it. It need not be true: newuidmap(1) asks for itself.
 */
static const char *find_name(struct arena *arena, const char *passwd, uint32_t uid)
{
	for (const char *line = passwd; line && *line;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		size_t name = strcspn(line, ":\n");
		const char *field = line + name;
		char number[16] = "";
		uint32_t found;

		if (*field == ':')
			field += 1 + strcspn(field + 1, ":\n");
		if (*field != ':' || strcspn(field + 1, ":\n") >= sizeof(number))
			continue;
		memcpy(number, field + 1, strcspn(field + 1, ":\n"));
		if (parse_uid(number, &found) == 0 && found == uid)
			return arena_copy_n(arena, line, name);
	}
	return arena_copy(arena, getenv("USER"));
}

/* Where no line of either file has that many ids yet, from where distributions begin. */
static uint32_t find_free_subids(const char *subuid, const char *subgid, uint32_t count)
{
	uint32_t first = 100000;

	while (first < RANGE_LAST && ((subuid && subid_overlaps(subuid, first, count)) ||
				      (subgid && subid_overlaps(subgid, first, count))))
		first += USERS_RANGE;
	return first;
}

static void find_subids(struct arena *arena, bool nests, struct ids_facts *ret)
{
	auto_free char *passwd = NULL, *subuid = NULL, *subgid = NULL;

	(void)file_read(AT_FDCWD, "/etc/passwd", PASSWD_MAX_BYTES, &passwd, NULL);
	(void)file_read(AT_FDCWD, "/etc/subuid", PASSWD_MAX_BYTES, &subuid, NULL);
	(void)file_read(AT_FDCWD, "/etc/subgid", PASSWD_MAX_BYTES, &subgid, NULL);
	ret->user = find_name(arena, passwd, ret->uid);
	if (subuid)
		subid_parse(arena, subuid, ret->user, ret->uid, &ret->subuids);
	if (subgid)
		subid_parse(arena, subgid, ret->user, ret->uid, &ret->subgids);
	ret->subid_free =
		find_free_subids(subuid, subgid, (nests ? RANGES_FURTHER : 1) * USERS_RANGE);
	for (int i = 0; i < _NEWIDMAP_COUNT; i++)
		ret->programs[i] = newidmap_find(arena, (enum newidmap_program)i, NULL);
	ret->programs_obstacle = newidmap_obstacle();
}

/* --- The tree --- */

/*
 * File systems whose mounts the baseline's kernel can map are not tried, as trying costs a process;
 * the others have a name only, for messages.
 */
/* clang-format off */
static const struct {
	unsigned long magic;
	const char *name;
	bool can_be_mapped;
} file_systems[] = {
	{EXT4_SUPER_MAGIC, "ext4", true},
	{0x58465342, "xfs", true},
	{BTRFS_SUPER_MAGIC, "btrfs", true},
	{F2FS_SUPER_MAGIC, "f2fs", true},
	{0xE0F5E1E2, "erofs", true},
	{TMPFS_MAGIC, "tmpfs", false}, /* from Linux 6.3 on */
	{OVERLAYFS_SUPER_MAGIC, "overlay", false},
	{NFS_SUPER_MAGIC, "nfs", false},
	{SQUASHFS_MAGIC, "squashfs", false}, /* 6.2 */
	{FUSE_SUPER_MAGIC, "fuse", false},
	{0x2FC12FC1, "zfs", false},
	{0x01021997, "9p", false},
	{0x6A656A63, "virtiofs", false},
};
/* clang-format on */

/*
 * What the kernel checks of a mount is the same for all maps. One of a single id can be had in any
 * namespace: more of them may be in several pieces of the map above.
 */
static enum ids_mapping try_mapping(int tree_fd)
{
	static const struct id_extent extent = {0, 0, 1};
	static const struct id_maps maps = {{&extent, 1}, {&extent, 1}};
	auto_close int clone_fd =
		open_tree(tree_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	auto_close int users_fd = clone_fd < 0 ? -EBADF : id_maps_open_namespace(&maps);
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)users_fd,
	};

	if (clone_fd < 0 || users_fd < 0)
		return IDS_MAPPING_UNKNOWN;
	return mount_setattr(clone_fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0
		       ? IDS_MAPPING_IMPOSSIBLE
		       : IDS_MAPPING_POSSIBLE;
}

static void look_at_file_system(int tree_fd, const struct config *config, struct ids_facts *ret)
{
	bool is_wanted = ret->may_map && config->private_users_ownership != OWNERSHIP_OFF;
	struct statfs status;

	if (fstatfs(tree_fd, &status) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(file_systems); i++)
		if (file_systems[i].magic == (unsigned long)status.f_type) {
			ret->tree_file_system = file_systems[i].name;
			/* In a user namespace the host's file systems are not ours to map. */
			if (file_systems[i].can_be_mapped && ret->own.count == 0)
				ret->tree_mapping = IDS_MAPPING_POSSIBLE;
		}
	if (is_wanted && ret->tree_mapping == IDS_MAPPING_UNKNOWN)
		ret->tree_mapping = try_mapping(tree_fd);
}

int ids_facts_gather(struct arena *arena, const struct config *config, int tree_fd,
		     struct ids_facts *ret)
{
	struct ids_facts facts = {.uid = geteuid(), .gid = getegid(), .may_map = may_map()};
	struct stat status;

	if (tree_fd >= 0) {
		if (fstat(tree_fd, &status) < 0)
			return -errno;
		facts.tree_is_known = true;
		facts.tree_uid = status.st_uid;
		facts.tree_gid = status.st_gid;
	}
	/* The start that takes no user namespace pays for none. */
	if (facts.may_map && config->private_users <= PRIVATE_USERS_NO) {
		*ret = facts;
		return 0;
	}
	facts.restriction = restriction_find("/proc", !facts.may_map);
	read_own_map(arena, &facts.own);
	if (tree_fd >= 0)
		look_at_file_system(tree_fd, config, &facts);
	if (!facts.may_map)
		find_subids(arena, config->nesting, &facts);
	if (config->private_users == PRIVATE_USERS_MANAGED ||
	    (!facts.may_map && config->private_network))
		facts.has_manager = nsresource_is_there(NULL);
	*ret = facts;
	return 0;
}

struct range_request ids_range_request(const struct ids_facts *facts, const char *machine)
{
	return (struct range_request){
		.machine = machine,
		.tree_is_known = facts->tree_is_known,
		.tree_uid = facts->tree_uid,
		.tree_gid = facts->tree_gid,
		.own = facts->own.count > 0 ? &facts->own : NULL,
	};
}
