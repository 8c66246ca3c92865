/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the whole machine may use: options of ours and the properties of a unit that mean the same,
 * as properties for whoever manages the group, or as files of the group itself (the kernel's
 * Documentation/admin-guide/cgroup-v2.rst).
 * Zone: free for the tables and what is wanted, owing for resources_apply().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct bus_writer;
struct undo;

struct resource_kind {
	const char *name;       /* "memory" */
	const char *setting;    /* "--memory" */
	const char *property;   /* "MemoryMax", as users write it */
	const char *on_bus;     /* what the bus calls it */
	const char *controller; /* of the cgroup, */
	const char *file;       /* and its file */
	const char *current;    /* the file that says what is used */
};

extern const struct resource_kind resource_kinds[_RESOURCE_COUNT];

struct resource_wish {
	bool is_set;
	bool is_property; /* it was said as --property= */
	uint64_t value;
};

/* What holds in the end: a property is said to the manager after the options, so it wins. Pure. */
void resources_wanted(const struct config *config, struct resource_wish ret[_RESOURCE_COUNT]);

/* The controllers that this takes, as a cgroup has them: "memory cpu"; NULL for none. */
const char *resources_controllers(struct arena *arena, const struct config *config);

/* The properties of the options, each as one (sv). */
void resources_put_properties(const struct config *config, struct bus_writer *writer);

/* A value as the file has it, and back; 64 bytes. Parsing returns -EINVAL for what is none. */
#define RESOURCE_TEXT_MAX 64
void resource_format(enum resource resource, uint64_t value, char ret[RESOURCE_TEXT_MAX]);
int resource_parse(enum resource resource, const char *text, uint64_t *ret);

/* The attribute of the machine's group that says which limits came from us: "memory=1024 tasks=9".
 */
#define RESOURCES_ATTRIBUTE "user.nspawn.limits"

struct resources_request {
	const struct config *config;
	const char *machine, *directory; /* for messages */
	int group_fd;                    /* the machine's group, above the payload's */
	int parent_fd;   /* the group above, where it is ours to hand controllers down; or -EBADF */
	bool is_managed; /* a manager was told of the limits and has only to be checked */
	bool is_kept;    /* the group is there after the machine, so old values come back */
};

/*
 * Sets the limits before anybody is in the group. A limit asked for by an option that cannot be set
 * is refused with what to do about it; by a property it is noted. Owes to 'undo' where the group is
 * kept. Complains itself.
 */
int resources_apply(struct arena *arena, const struct resources_request *request,
		    struct undo *undo);

/* Of properties only: whether all are such as resources_apply() takes, DeviceAllow= aside. Pure. */
bool resources_are_all_properties(const struct config *config);
