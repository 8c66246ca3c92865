/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: whose ids the payload has, and how the owners of the tree's files follow them; and what
 * that is decided by.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "ids/id-map.h"
#include "ids/newidmap.h"
#include "ids/range.h"
#include "ids/restrictions.h"
#include "ids/subid.h"

struct arena;
struct config;

/* Who may write the maps of the payload's user namespace. */
enum ids_writer {
	IDS_WRITER_NONE,     /* no user namespace: the host's ids */
	IDS_WRITER_SELF,     /* we have the rights */
	IDS_WRITER_PROGRAMS, /* newuidmap(1) and newgidmap(1), within /etc/subuid */
	IDS_WRITER_SINGLE,   /* we have no rights: one id, our own (setgroups is denied) */
	IDS_WRITER_MANAGER,  /* systemd-nsresourced has written them beforehand */
};

/* How files on disk come to belong to the payload's ids. */
enum ids_ownership {
	IDS_OWNERSHIP_OFF,   /* the ids on disk are what they are, mapped or not */
	IDS_OWNERSHIP_MAP,   /* a mapped mount: id 'tree_base' on disk is id 0 inside */
	IDS_OWNERSHIP_CHOWN, /* rewritten on disk */
};

/* Whether the tree's mount can be mapped (mount_setattr(2), MOUNT_ATTR_IDMAP). */
enum ids_mapping {
	IDS_MAPPING_UNKNOWN, /* not looked at: taken as possible */
	IDS_MAPPING_POSSIBLE,
	IDS_MAPPING_IMPOSSIBLE,
};

struct ids_facts {
	uint32_t uid, gid;                     /* our own */
	const char *user;                      /* our name, or NULL */
	bool may_map;                          /* we may write any map */
	struct id_map own;                     /* the ids we have ourselves; none: all */
	const struct restriction *restriction; /* NULL: user namespaces can be made */
	bool tree_is_known;
	uint32_t tree_uid, tree_gid; /* of the tree's root directory */
	enum ids_mapping tree_mapping;
	const char *tree_file_system; /* its name, for messages */
	struct subid_ranges subuids, subgids;
	uint32_t subid_free; /* where a range could be added to subuid(5) */
	const char *programs[_NEWIDMAP_COUNT];
	const char *programs_obstacle; /* why they would get no rights of us, NULL: they would */
	bool has_manager; /* nsresourced and mountfsd are there, and mount directories */

	/* For ids_wants_lease(), filled by the caller with lease_take(). */
	bool has_lease;
	struct id_maps lease;
	const char *lease_refusal; /* why there is none, NULL: nobody tried */

	/* For ids_wants_range(), filled by the caller with range_pick() or range_look(). */
	bool has_range;
	struct range range, further; /* for the machine, for containers inside */
	uint32_t further_count;      /* ids */
};

struct ids {
	enum ids_writer writer;
	struct id_maps maps;   /* empty for IDS_WRITER_MANAGER as long as nobody has asked it */
	uint32_t shift, count; /* where the range begins outside, for messages and chown */
	enum ids_ownership ownership;
	uint32_t tree_base;

	/* For people: half sentences, the last two NULL where there is nothing to say. */
	const char *reason;      /* why this writer and these ids */
	const char *owners;      /* why the owners follow in this way */
	const char *lost;        /* what the machine goes without */
	const char *improvement; /* what would change that */
};

/*
 * Looks at all that is to be known but the range. 'tree_fd' is the tree's root, or -EBADF where it
 * is not known. Little is looked at where no user namespace is wanted. Silent.
 */
int ids_facts_gather(struct arena *arena, const struct config *config, int tree_fd,
		     struct ids_facts *ret);

/* What a range for the machine is asked for by, as far as these facts know. Pure. */
struct range_request ids_range_request(const struct ids_facts *facts, const char *machine);

/* True if who manages ids is to mount the tree as well; else its owners are ours to map. */
bool ids_lends_tree(const struct ids_facts *facts);

/* True if a range is to be picked before ids_decide(). */
bool ids_wants_range(const struct config *config, const struct ids_facts *facts);

/*
 * True if the services are to be asked for ids before ids_decide(). '*ret_is_vital' is false if
 * there is another way: the refusal is then noted in the facts.
 */
bool ids_wants_lease(const struct config *config, const struct ids_facts *facts,
		     bool *ret_is_vital);

/*
 * Decides. Pure, texts and maps are in the arena. Complains itself about what cannot be had; a
 * range that is wanted and not there (a dry run's) gives the ids from 0 on.
 */
int ids_decide(struct arena *arena, const struct config *config, const struct ids_facts *facts,
	       struct ids *ret);

/*
 * The maps by which the tree's mounts are mapped (IDS_OWNERSHIP_MAP), as a user namespace for
 * mount_setattr(2) has them: the ids on disk in the place of those inside. What the host's root
 * makes through such a mount, as machinectl copy-to does before it gives it away, has the owner
 * ID_ROOT_OF_HOST on disk. The same items as ids->maps where there is no difference. In the arena.
 */
struct id_maps ids_tree_maps(struct arena *arena, const struct ids *ids);

/*
 * Tells the user, in one line and perhaps a hint, on which way down from 'managed' his machine has
 * its ids, and what is lost by it. Says nothing where nobody needs to know.
 */
void ids_mention(const struct ids *ids, const struct ids_facts *facts);

/*
 * Has the maps of the user namespace that 'pid' lives in written by whoever may. Complains itself.
 * For all writers but IDS_WRITER_NONE and IDS_WRITER_MANAGER.
 */
int ids_write(const struct ids *ids, const struct ids_facts *facts, pid_t pid);

/*
 * True if the maps are written when the payload's first process is there, so that it has to wait:
 * by IDS_WRITER_PROGRAMS and IDS_WRITER_SINGLE.
 */
bool ids_are_written_late(const struct ids *ids);

/* "root", "newuidmap", … for --dry-run. */
const char *ids_writer_name(enum ids_writer writer);
