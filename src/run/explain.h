/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plan as something to read: sections of rows in the order in which it would happen, each row
 * with its value, its origin and its reason. Made out of what is asked, found and decided, with no
 * policy of its own; printed as text and as JSON out of the same rows.
 * Zone: free. Pure, but for the two that print.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "run/plan.h"

/* Where something comes from. */
enum explain_source {
	EXPLAIN_DEFAULT,
	EXPLAIN_FOUND, /* in the tree or on the host */
	EXPLAIN_OPTION,
	EXPLAIN_FILE,
	EXPLAIN_ENVIRONMENT,
};

struct explain_origin {
	enum explain_source source;
	const char *name;  /* "--bind", "Files.Bind", "$SYSTEMD_SECCOMP"; NULL for the first two */
	const char *file;  /* EXPLAIN_FILE: its path, */
	unsigned int line; /* and where in it */
};

enum explain_kind {
	EXPLAIN_TEXT,
	EXPLAIN_NUMBER,
	EXPLAIN_FLAG,
	EXPLAIN_LIST,
};

/* A detail of a row that programs may want apart: in JSON only. */
struct explain_field {
	const char *key;
	enum explain_kind kind;
	const char *text; /* NULL is null */
	int64_t number;
	bool flag;
	struct strings list;
};

struct explain_row {
	const char *name;
	const char *value;
	struct explain_origin origin;
	const char *reason; /* a few words, or NULL */
	bool is_usual;      /* text lists only the names of such rows */
	struct {
		struct explain_field *items;
		size_t count, room;
	} fields;
};

struct explain_section {
	const char *key, *title;
	const char *empty; /* what text says when there are no rows; NULL: no such section then */
	struct {
		struct explain_row *items;
		size_t count, room;
	} rows;
};

/* What a start would say. */
struct explain_message {
	const char *sentence;
	const char *advice;   /* what the user can do about it, or NULL */
	unsigned int failure; /* its number in base/failures.h, 0 unless --json-errors wants it */
};

struct explain_messages {
	struct explain_message *items;
	size_t count, room;
};

/* What --dry-run looks at besides the facts, because a start finds it out by doing it. */
struct explain_found {
	bool is_root;
	bool has_manager;                               /* there are managers to be told */
	bool has_scope;                                 /* a manager would be asked for one */
	bool tree_is_unseen;                            /* its facts are empty */
	const char *cgroup;                             /* directory of our own group, NULL: none */
	int cgroup_obstacle;                            /* enum cgroup_obstacle, or 0 */
	const char *name_lock, *tree_lock, *inode_lock; /* files, NULL: no such lock */
	uint32_t devices_missing;                       /* bit n: the host lacks devices[n] */
	struct explain_messages unseen, warnings, failures;
};

struct explanation {
	struct arena *arena;
	const struct config *config;
	const struct facts *facts;
	const struct plan *plan;
	const struct explain_found *found;
	const char *random_id; /* a machine id that is another at each start, or NULL */
	struct {
		struct explain_section *items;
		size_t count, room;
	} sections;
};

/* Everything points into the arena or into the arguments. */
void explain_make(struct arena *arena, const struct plan *plan, const struct explain_found *found,
		  struct explanation *ret);

/* Lines of at most 'columns' columns, unless a single word is longer. */
void explain_print_text(const struct explanation *explanation, unsigned int columns, FILE *file);

/* The schema is in nspawn-plan(7). 0 or -ENOMEM. */
int explain_print_json(const struct explanation *explanation, FILE *file);

#define EXPLAIN_JSON_VERSION 1
