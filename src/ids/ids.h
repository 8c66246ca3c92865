/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: whose ids the payload has, and how the owners of the tree's files follow them.
 * Zone: free.
 */
#pragma once

#include "ids/id-map.h"

/* Who may write the maps of the payload's user namespace. */
enum ids_writer {
	IDS_WRITER_NONE,     /* no user namespace: the host's ids */
	IDS_WRITER_SELF,     /* we have the rights */
	IDS_WRITER_PROGRAMS, /* newuidmap(1) and newgidmap(1), within /etc/subuid */
	IDS_WRITER_SINGLE,   /* we have no rights: one id, our own (setgroups is denied) */
	IDS_WRITER_MANAGER,  /* systemd-nsresourced has made the namespace */
};

/* How files on disk come to belong to the payload's ids. */
enum ids_ownership {
	IDS_OWNERSHIP_OFF,   /* the ids on disk are what they are, mapped or not */
	IDS_OWNERSHIP_MAP,   /* a mapped mount: id 'tree_base' on disk is id 0 inside */
	IDS_OWNERSHIP_CHOWN, /* rewritten on disk */
};

struct ids {
	enum ids_writer writer;
	struct id_maps maps;
	uint32_t shift, count; /* where the range begins outside, for messages and chown */
	enum ids_ownership ownership;
	uint32_t tree_base;
	const char *reason; /* for --dry-run: why this writer and ownership, and what is lost */
};
