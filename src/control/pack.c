/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns objects of a tree into entries of an archive.
 * Zone: free.
 */
#include "control/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "control/changes-walk.h"
#include "image/copy.h"

#define BUFFER_BYTES 131072

uint32_t owners_inside(const struct owners *owners, const struct id_map *map, uint32_t id)
{
	uint32_t found = UINT32_MAX;

	if (owners->from < 0)
		found = id_map_to_inside(map, id);
	else if (id >= owners->from &&
		 id_map_to_outside(map, id - (uint32_t)owners->from) != UINT32_MAX)
		found = id - (uint32_t)owners->from;
	return found == UINT32_MAX ? ID_NOBODY : found;
}

static uint32_t user_inside(const struct pack *pack, uint32_t id)
{
	return owners_inside(&pack->owners, &pack->owners.maps.users, id);
}

static uint32_t group_inside(const struct pack *pack, uint32_t id)
{
	return owners_inside(&pack->owners, &pack->owners.maps.groups, id);
}

/* --- Attributes --- */

static void add_access_list(struct pack *pack, int type, size_t size)
{
	static const struct {
		int tag, name;
	} tags[] = {
		{ACL_USER_OBJ, ARCHIVE_ENTRY_ACL_USER_OBJ},   {ACL_USER, ARCHIVE_ENTRY_ACL_USER},
		{ACL_GROUP_OBJ, ARCHIVE_ENTRY_ACL_GROUP_OBJ}, {ACL_GROUP, ARCHIVE_ENTRY_ACL_GROUP},
		{ACL_MASK, ARCHIVE_ENTRY_ACL_MASK},           {ACL_OTHER, ARCHIVE_ENTRY_ACL_OTHER},
	};
	struct posix_acl_xattr_entry entry;

	for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(entry) <= size;
	     at += sizeof(entry)) {
		uint32_t id;
		int tag;

		memcpy(&entry, pack->value + at, sizeof(entry));
		tag = le16toh(entry.e_tag);
		id = le32toh(entry.e_id);
		id = tag == ACL_USER    ? user_inside(pack, id)
		     : tag == ACL_GROUP ? group_inside(pack, id)
					: 0;
		for (size_t i = 0; i < ARRAY_LEN(tags); i++)
			if (tags[i].tag == tag)
				(void)archive_entry_acl_add_entry(pack->entry, type,
								  le16toh(entry.e_perm),
								  tags[i].name, (int)id, NULL);
	}
}

/* Those of a user namespace say whose root they are of; the machine's own needs no saying. */
static size_t convert_capability(const struct pack *pack, size_t size)
{
	struct vfs_ns_cap_data data;
	uint32_t root;

	if (size != XATTR_CAPS_SZ_3)
		return size;
	memcpy(&data, pack->value, sizeof(data));
	root = user_inside(pack, le32toh(data.rootid));
	data.rootid = htole32(root);
	if (root == 0)
		data.magic_etc =
			htole32((le32toh(data.magic_etc) & ~(uint32_t)VFS_CAP_REVISION_MASK) |
				VFS_CAP_REVISION_2);
	memcpy(pack->value, &data, sizeof(data));
	return root == 0 ? XATTR_CAPS_SZ_2 : size;
}

static void add_attribute(struct pack *pack, const char *path, const char *name)
{
	ssize_t size = lgetxattr(path, name, pack->value, XATTR_SIZE_MAX);

	if (size < 0 || copy_is_internal(name) || text_has_prefix(name, "trusted.SGI_ACL_"))
		return;
	if (strcmp(name, "system.posix_acl_access") == 0)
		add_access_list(pack, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, (size_t)size);
	else if (strcmp(name, "system.posix_acl_default") == 0)
		add_access_list(pack, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, (size_t)size);
	else if (!text_has_prefix(name, "system."))
		archive_entry_xattr_add_entry(pack->entry, name, pack->value,
					      strcmp(name, "security.capability") == 0
						      ? convert_capability(pack, (size_t)size)
						      : (size_t)size);
}

static void add_attributes(struct pack *pack, const struct pack_item *item)
{
	char path[NAME_MAX + 40];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", item->directory_fd, item->name);
	length = llistxattr(path, pack->names, XATTR_LIST_MAX);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(pack->names + i) + 1)
		add_attribute(pack, path, pack->names + i);
}

/* --- Content --- */

static void add_stretches(struct pack *pack, int fd, off_t size)
{
	off_t data = 0;

	for (off_t at = 0; at < size;) {
		off_t begin = lseek(fd, at, SEEK_DATA);

		begin = begin < 0 || begin > size ? size : begin;
		at = begin == size ? size : lseek(fd, begin, SEEK_HOLE);
		at = at < begin || at > size ? size : at;
		if (data == 0 && begin == 0 && at == size)
			return; /* no hole at all */
		if (at > begin || begin == size)
			archive_entry_sparse_add_entry(pack->entry, begin, at - begin);
		data += at - begin;
	}
}

/* The library takes holes out again; what is in them need not be read. */
static int put_content(struct pack *pack, int fd, off_t size)
{
	for (off_t at = 0; at < size;) {
		off_t data = lseek(fd, at, SEEK_DATA), end = data < 0 ? size : data;
		ssize_t length, written;

		if (end > at) {
			memset(pack->buffer, 0, BUFFER_BYTES);
			length = end - at < BUFFER_BYTES ? (ssize_t)(end - at) : BUFFER_BYTES;
		} else {
			length = pread(fd, pack->buffer, BUFFER_BYTES, at);
		}
		if (length < 0)
			return -errno;
		if (length == 0)
			break; /* shorter meanwhile */
		written = archive_write_data(pack->archive, pack->buffer, (size_t)length);
		if (written < 0)
			return -archive_errno(pack->archive);
		if (written == 0)
			break; /* longer meanwhile */
		at += length;
	}
	return 0;
}

/* --- Entries --- */

static int put_entry(struct pack *pack, const struct stat *status, int fd)
{
	if (archive_write_header(pack->archive, pack->entry) < ARCHIVE_WARN)
		return -archive_errno(pack->archive);
	if (fd >= 0)
		TRY(put_content(pack, fd, status->st_size));
	/* Fills up what is missing. */
	return archive_write_finish_entry(pack->archive) < ARCHIVE_WARN
		       ? -archive_errno(pack->archive)
		       : 0;
}

/* A file is opened, and looked at once more: it may be something else by now. */
static int look(const struct pack_item *item, struct stat *ret_status, int *ret_fd)
{
	auto_close int fd = -EBADF;

	if (fstatat(item->directory_fd, item->name, ret_status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	if (!S_ISREG(ret_status->st_mode))
		return 0;
	fd = changes_open_at(item->directory_fd, item->name, 0);
	if (fd < 0 || fstat(fd, ret_status) < 0 || !S_ISREG(ret_status->st_mode))
		return fd < 0 ? -fd : ESTALE;
	*ret_fd = steal_fd(fd);
	return 0;
}

static int set_link(struct pack *pack, const struct pack_item *item)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(item->directory_fd, item->name, text, sizeof(text) - 1);

	if (length < 0)
		return errno;
	text[length] = '\0';
	archive_entry_set_symlink(pack->entry, text);
	return 0;
}

int pack_add(struct pack *pack, const struct pack_item *item)
{
	auto_close int fd = -EBADF;
	struct stat status;
	int r = look(item, &status, &fd);

	if (r != 0 || S_ISSOCK(status.st_mode))
		return r;
	archive_entry_clear(pack->entry);
	archive_entry_set_pathname(pack->entry, item->path);
	archive_entry_copy_stat(pack->entry, &status);
	archive_entry_unset_ctime(pack->entry);
	archive_entry_unset_atime(pack->entry);
	archive_entry_set_uid(pack->entry, user_inside(pack, status.st_uid));
	archive_entry_set_gid(pack->entry, group_inside(pack, status.st_gid));
	if (item->hard_link) {
		archive_entry_set_hardlink(pack->entry, item->hard_link);
		archive_entry_set_size(pack->entry, 0);
		return put_entry(pack, &status, -EBADF);
	}
	if (S_ISLNK(status.st_mode)) {
		r = set_link(pack, item);
		if (r != 0)
			return r;
	}
	if (!S_ISREG(status.st_mode))
		archive_entry_set_size(pack->entry, 0);
	else
		add_stretches(pack, fd, status.st_size);
	add_attributes(pack, item);
	return put_entry(pack, &status, fd);
}

/* --- The archive --- */

int pack_open(struct pack *pack, int fd)
{
	/* So that names are taken as they are, and only those that are no UTF-8 are marked. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	pack->archive = archive_write_new();
	pack->entry = archive_entry_new();
	pack->names = malloc(XATTR_LIST_MAX);
	pack->value = malloc(XATTR_SIZE_MAX);
	pack->buffer = malloc(BUFFER_BYTES);
	if (!pack->archive || !pack->entry || !pack->names || !pack->value || !pack->buffer)
		return -ENOMEM;
	(void)archive_write_set_format_pax(pack->archive);
	(void)archive_write_set_bytes_per_block(pack->archive, BUFFER_BYTES);
	(void)archive_write_set_bytes_in_last_block(pack->archive, 1);
	/* Each attribute once, in the words that both tars read. */
	if (archive_write_set_options(pack->archive, "xattrheader=SCHILY") < ARCHIVE_WARN ||
	    archive_write_open_fd(pack->archive, fd) < ARCHIVE_WARN)
		return -archive_errno(pack->archive);
	return 0;
}

int pack_finish(struct pack *pack)
{
	return archive_write_close(pack->archive) < ARCHIVE_WARN ? -archive_errno(pack->archive)
								 : 0;
}

void pack_done(struct pack *pack)
{
	archive_entry_free(pack->entry);
	(void)archive_write_free(pack->archive);
	free(pack->names);
	free(pack->value);
	free(pack->buffer);
}
