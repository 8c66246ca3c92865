/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives in the pax format, by libarchive: with holes, hard links, extended attributes, access
 * lists and file capabilities, owners as they are called inside of a machine. Names are bytes.
 * Zone: free.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "ids/id-map.h"

struct archive;
struct archive_entry;

/* How what stands on disk is called inside. */
struct owners {
	struct id_maps maps; /* of the machine's user namespace */
	int64_t from; /* the id on disk that is 0 inside, or -1: those on disk are the host's */
};

struct pack {
	struct owners owners;
	struct archive *archive;
	struct archive_entry *entry;
	char *names, *value, *buffer;
};

/* The object 'name' in 'directory_fd', which becomes 'path' in the archive. */
struct pack_item {
	int directory_fd;
	const char *name;
	const char *path;      /* relative */
	const char *hard_link; /* path of the entry that it is another name of, or NULL */
};

/* Writes to 'fd', which stays the caller's. All of these: 0 or a negative errno, and silent. */
int pack_open(struct pack *pack, int fd);

/*
 * Appends an entry. What shrinks meanwhile is filled up with zeros. Whatever is positive says that
 * the object could not be read (an errno), and nothing was written. A socket is left out.
 */
int pack_add(struct pack *pack, const struct pack_item *item);

/* The end of the archive; everything is written then. */
int pack_finish(struct pack *pack);
void pack_done(struct pack *pack);

/* What an id on disk is inside; ID_NOBODY if it is nobody's there. Pure. */
uint32_t owners_inside(const struct owners *owners, const struct id_map *map, uint32_t id);
