/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks that keep two machines from booting one tree, or from bearing one name. They are locks of
 * open file descriptions (fcntl(2), F_OFD_SETLK): the kernel drops them with the process, so files
 * left behind never block.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct places;
struct undo;

struct lock_request {
	const char *tree;             /* absolute path of the directory, NULL: no tree locks */
	bool tree_is_shared;          /* read-only: any number of readers, no writer */
	const char *machine;          /* valid machine name, NULL: no name lock */
	bool machine_may_be_numbered; /* nobody asked for this very name: "web-2" will do */
	bool is_quiet_if_busy;        /* the caller has words of its own for -EBUSY */
	const struct places *places;  /* where the last two are; a user's do without the first */
};

#define LOCK_DIRECTORIES_MAX 4

struct lock {
	int fd;
	char *path; /* malloc'ed */
	/*
	 * Directories made for the file, as lengths of prefixes of 'path'; removed again when
	 * empty.
	 */
	size_t made[LOCK_DIRECTORIES_MAX];
	size_t made_count;
	/* The innermost one is this file's alone: others may enter it, and it goes in any case. */
	bool has_directory;
};

/* Two of the tree, the name, the range of ids and those of containers inside, the addresses. */
#define LOCKS_MAX 8

#define LOCKS_NAME_MAX 64

struct locks {
	char machine[LOCKS_NAME_MAX + 1]; /* the name that was locked */
	struct lock items[LOCKS_MAX];
	size_t count;
	const struct lock *name; /* of the name, or NULL */
};

/* In the directory of a machine: the lock of its name, and what registry.h writes. */
#define LOCKS_NAME_FILE "state.json"

/* Whether a supervisor that was killed had the name last. No system call. */
bool locks_name_was_left(const struct locks *locks);

/* The lock file of the name, or -EBADF. */
int locks_name_fd(const struct locks *locks);

/*
 * The directory of the machine whose name is locked, or NULL. It is there as long as the lock; who
 * puts something into it takes that away before, and what a killed one left there is gone.
 */
const char *locks_name_directory(struct arena *arena, const struct locks *locks);

/*
 * Takes, without waiting: a lock beside the tree (DIRECTORY/.#NAME.lck), one on the tree's inode
 * however it is reached, and one on the machine's name. '*locks' starts zeroed; what was taken is
 * pushed on 'undo', which releases it and removes the files. Trees below /dev are not locked. On a
 * read-only file system, or without the right to write beside the tree, a shared lock is done
 * without. Complains itself; -EBUSY if someone else holds one.
 */
int locks_take(struct locks *locks, const struct lock_request *request, struct undo *undo);

/*
 * One more exclusive lock, on the file 'path', whose missing directories are made. Silent: -EBUSY
 * if someone else holds it.
 */
int locks_take_file(struct locks *locks, const char *path, struct undo *undo);

/* Looks whether that could be had: 0, -EBUSY, or what open(2) says. */
int locks_look_file(const char *path);

/* What locks_take() would find. */
struct locks_found {
	char machine[LOCKS_NAME_MAX + 1];         /* the name that is free */
	char *tree_path, *inode_path, *name_path; /* of the lock files, malloc'ed; NULL: no lock */
};

/*
 * Looks, and neither takes nor makes anything. Complains as locks_take() does about a lock that
 * somebody holds (-EBUSY), and about one that it may not look at; what can be told is in '*ret',
 * which starts zeroed, all the same.
 */
int locks_look(const struct lock_request *request, struct locks_found *ret);
void locks_found_done(struct locks_found *found);
