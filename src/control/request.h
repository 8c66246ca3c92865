/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ASKED of a verb: names of machines, and options that mean the same for all verbs. Options may
 * stand before and behind the names.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/config.h"
#include "control/output.h"

/* Whom 'kill' means. */
enum kill_whom {
	KILL_ALL,
	KILL_LEADER,
	KILL_SUPERVISOR,
};

/* What a verb takes, as bits. */
enum request_option {
	REQUEST_FORM = 1 << 0,       /* --json, --output= */
	REQUEST_LEGEND = 1 << 1,     /* --no-legend */
	REQUEST_ALL = 1 << 2,        /* --all */
	REQUEST_ADDRESSES = 1 << 3,  /* --max-addresses= */
	REQUEST_PROPERTIES = 1 << 4, /* --property=, --value, -P */
	REQUEST_LINES = 1 << 5,      /* --lines= */
	REQUEST_KILL = 1 << 6,       /* --kill-whom=, --signal= */
	REQUEST_WAIT = 1 << 7,       /* --no-wait, --timeout= */
	REQUEST_TOP = 1 << 8,        /* --once, --delay= */
	REQUEST_EVERYTHING = 1 << 9, /* as machinectl: whatever has a row, and is of no use here */
};

#define ADDRESSES_ALL UINT32_MAX

/*
 * What a verb's name begins with for callers of machinectl(1): options that are of no use to the
 * verb are passed over as there, and nothing is waited for that is not waited for there.
 */
#define REQUEST_OF_MACHINECTL "machinectl "

struct request {
	const char *verb; /* in messages */
	struct strings names;

	enum output_form form;
	bool has_no_legend, is_quiet, shows_all, values_only;
	uint32_t addresses_max, lines;
	struct strings properties; /* names; none: all of them */
	enum kill_whom whom;
	int signal;
	bool waits_not, is_once;
	uint64_t timeout_usec, delay_usec;
	enum scope scope;
};

/*
 * Reads 'argv' behind its first word, which is the verb. 'takes' is made of enum request_option.
 * Texts are argv's or in the arena. Complains itself; -EINVAL.
 */
int request_read(struct arena *arena, int argc, char **argv, unsigned int takes,
		 struct request *ret);

/* True with the option that 'word' is: how many words it takes, itself included. */
bool request_is_option(const char *word, int *ret_words);

/* request_read() for a verb that takes no names. */
int request_read_no_names(struct arena *arena, int argc, char **argv, unsigned int takes,
			  struct request *ret);

/* The same, and complains where no name is given. */
int request_read_names(struct arena *arena, int argc, char **argv, unsigned int takes,
		       struct request *ret);
