/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the parts of the explanation write their rows.
 * Zone: free. Pure.
 */
#pragma once

#include "run/explain.h"

struct explain_section *explain_section(struct explanation *e, const char *key, const char *title,
					const char *empty);

/* A row of the newest section; 'value' and 'reason' may be NULL. The origin is the default. */
struct explain_row *explain_row(struct explanation *e, const char *name, const char *value,
				const char *reason);

/* The same with a value that is formatted. */
__attribute__((format(printf, 4, 5))) struct explain_row *
explain_rowf(struct explanation *e, const char *name, const char *reason, const char *format, ...);

void explain_text(struct explanation *e, struct explain_row *row, const char *key,
		  const char *text);
void explain_number(struct explanation *e, struct explain_row *row, const char *key,
		    int64_t number);
void explain_flag(struct explanation *e, struct explain_row *row, const char *key, bool flag);
/*
 * What is random is shown as such, so that a plan is the same each time that it is asked for.
 * Names, values and texts of rows need not ask, items of lists do.
 */
const char *explain_hide_random(const struct explanation *e, const char *text);

/* Returns an empty list to be filled. */
struct strings *explain_list(struct explanation *e, struct explain_row *row, const char *key);

/* "a, b, c" in the arena; "" for none. */
const char *explain_join(struct explanation *e, const struct strings *list, const char *separator);

/* --- Origins --- */

struct explain_origin explain_origin_of(const struct explanation *e, const struct said *said);

/* Of the value of a setting: what said it last, or the default. */
struct explain_origin explain_origin(const struct explanation *e, enum setting setting);

/* Of one item of a list: the last that said it, by 'has'. */
typedef bool (*explain_has)(const struct said *said, const void *item);
struct explain_origin explain_origin_in(const struct explanation *e, enum setting setting,
					explain_has has, const void *item);

/* True if 'item' is one of the words of what was said. */
bool explain_has_word(const struct said *said, const void *item);

/* A variable of nspawn's environment. */
struct explain_origin explain_origin_variable(const char *name);

/* Why the network is the machine's own: asked for, or implied by a link. */
struct explain_origin explain_network_origin(const struct explanation *e);

#define EXPLAIN_FOUND_ORIGIN ((struct explain_origin){.source = EXPLAIN_FOUND})

/* --- Ids, for more than one part --- */

bool explain_has_user_namespace(const struct explanation *e);

/* Of there being a user namespace or none. */
struct explain_origin explain_origin_of_ids(const struct explanation *e);

/* Whose the files of a mount are: half sentences. */
void explain_owners(struct explanation *e, const struct mount_operation *operation,
		    struct strings *list);

/* What that means where nothing was said of it, or NULL. */
const char *explain_lost_owners(const struct explanation *e,
				const struct mount_operation *operation);

/* True if device nodes are the host's, mounted, and not nodes of the payload's own. */
bool explain_nodes_are_bound(const struct explanation *e);

/* The bound user that --uid= means, or NULL: it is looked up in the tree. */
const struct bound_user *explain_bound_user(const struct explanation *e);

/* --- The parts, in order --- */

void explain_machine(struct explanation *e); /* explain-machine.c */
void explain_places(struct explanation *e);  /* locks, cgroup, namespaces */
void explain_ids(struct explanation *e);     /* explain-ids.c */
void explain_network(struct explanation *e); /* explain-network.c */
void explain_mounts(struct explanation *e);  /* explain-mounts.c */
void explain_devices(struct explanation *e); /* explain-files.c */
void explain_files(struct explanation *e);
void explain_environment(struct explanation *e); /* explain-confine.c */
void explain_capabilities(struct explanation *e);
void explain_limits(struct explanation *e);
void explain_filter(struct explanation *e); /* explain-filter.c */
void explain_labels(struct explanation *e); /* explain-extras.c */
void explain_journal(struct explanation *e);
void explain_credentials(struct explanation *e);
void explain_unheeded(struct explanation *e);
void explain_program(struct explanation *e); /* explain-program.c */
void explain_console(struct explanation *e);
void explain_end(struct explanation *e);
void explain_messages(struct explanation *e);
