/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for values of everyday kinds, the tables of their words, and how
 * they complain. All parsers have the type and the contract of 'setting_parser' (settings.h).
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "config/settings.h"

struct arena;

/* Words that options accept. */
extern const struct names console_names;     /* enum console_mode */
extern const struct names resolv_conf_names; /* RESOLV_CONF_VALUE() */
extern const struct names timezone_names;    /* enum host_file_how */
extern const struct names register_names;    /* enum tristate */
extern const struct names settings_names;
extern const struct names dry_run_names; /* enum dry_run */
extern const struct names volatile_names;
extern const struct names link_journal_names;

/* 'how' is an enum host_file_how, 'source' an enum resolv_source. */
#define RESOLV_CONF_VALUE(how, source) ((int)(how) << 8 | (int)(source))

/*
 * Complaints: "Option '--x' takes 'wanted', not 'value'"; an unknown word, with the known ones as a
 * hint; not yet.
 */
int refuse_value(const struct asking *asking, const char *value, const char *wanted);
int refuse_word(const struct asking *asking, const char *value);
int refuse_for_now(const struct asking *asking, const char *value);

/* Accepts the option and changes nothing: it asks for what we do anyway. */
int set_accepted(const struct asking *asking, const char *value);

/* What concerns a unit of the service manager, kept for when there is one. */
int set_slice(const struct asking *asking, const char *value);
int set_property(const struct asking *asking, const char *value);

int set_settings(const struct asking *asking, const char *value);

/* Without a value, text. */
int set_dry_run(const struct asking *asking, const char *value);
int set_volatile(const struct asking *asking, const char *value);

/* A bool field: true without a value, else what the value says. */
int set_flag(const struct asking *asking, const char *value);

/* An enum field by the row's choices. */
int set_choice(const struct asking *asking, const char *value);

/* A path field, made absolute and simplified; empty resets. */
int set_directory(const struct asking *asking, const char *value);

/* A host or machine name field; empty resets. */
int set_hostname(const struct asking *asking, const char *value);

int set_uuid(const struct asking *asking, const char *value);
int set_register(const struct asking *asking, const char *value);
int set_resolv_conf(const struct asking *asking, const char *value);
int set_timezone(const struct asking *asking, const char *value);
int set_pipe(const struct asking *asking, const char *value);
int set_background(const struct asking *asking, const char *value);

/*
 * The name of a machine whose root is 'path' (absolute, simplified): its last component, or the
 * host's name for "/", without what cannot be part of a host name. In the arena; NULL if nothing is
 * left.
 */
char *machine_name_from_path(struct arena *arena, const char *path);
