/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The settings table: one row for everything a user can ask for. The command line, the settings
 * files, --help and the tests of bad values are all made out of these rows.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct config;
struct names;

/* In the order of --help. Options of one meaning with two spellings are two settings. */
enum setting {
	SETTING_HELP,
	SETTING_VERSION,
	SETTING_NO_PAGER,
	SETTING_QUIET,
	SETTING_DRY_RUN,
	SETTING_JSON_ERRORS,
	SETTING_SETTINGS,
	SETTING_CLEANUP,
	SETTING_NO_ASK_PASSWORD,
	SETTING_SYSTEM,
	SETTING_USER,
	SETTING_SHARE_SYSTEM,

	SETTING_DIRECTORY,
	SETTING_TEMPLATE,
	SETTING_EPHEMERAL,
	SETTING_EPHEMERAL_DIR,
	SETTING_IMAGE,
	SETTING_MSTACK,
	SETTING_IMAGE_POLICY,
	SETTING_OCI_BUNDLE,
	SETTING_READ_ONLY,
	SETTING_VOLATILE,
	SETTING_ROOT_HASH,
	SETTING_ROOT_HASH_SIG,
	SETTING_VERITY_DATA,
	SETTING_PIVOT_ROOT,

	SETTING_AS_PID2,
	SETTING_BOOT,
	SETTING_PARAMETERS,
	SETTING_CHDIR,
	SETTING_SETENV,
	SETTING_UID,
	SETTING_KILL_SIGNAL,
	SETTING_NOTIFY_READY,
	SETTING_READY,
	SETTING_SUPPRESS_SYNC,

	SETTING_MACHINE,
	SETTING_HOSTNAME,
	SETTING_UUID,
	SETTING_NO_OS_CHECK,

	SETTING_SLICE,
	SETTING_PROPERTY,
	SETTING_REGISTER,
	SETTING_KEEP_UNIT,

	SETTING_PRIVATE_USERS,
	SETTING_PRIVATE_USERS_PICK,
	SETTING_PRIVATE_USERS_OWNERSHIP,
	SETTING_PRIVATE_USERS_CHOWN,
	SETTING_PRIVATE_USERS_DELEGATE,
	SETTING_NESTING,

	SETTING_PRIVATE_NETWORK,
	SETTING_NETWORK_INTERFACE,
	SETTING_NETWORK_MACVLAN,
	SETTING_NETWORK_IPVLAN,
	SETTING_NETWORK_VETH,
	SETTING_NETWORK_VETH_NAME,
	SETTING_NETWORK_VETH_EXTRA,
	SETTING_NETWORK_BRIDGE,
	SETTING_NETWORK_TAP,
	SETTING_NETWORK_ZONE,
	SETTING_NETWORK_SETUP,
	SETTING_NETWORK_NAMESPACE_PATH,
	SETTING_PORT,
	SETTING_HOST_PORT,

	SETTING_CAPABILITY,
	SETTING_DROP_CAPABILITY,
	SETTING_AMBIENT_CAPABILITY,
	SETTING_NO_NEW_PRIVILEGES,
	SETTING_SYSTEM_CALL_FILTER,
	SETTING_RESTRICT_ADDRESS_FAMILIES,
	SETTING_SELINUX_CONTEXT,
	SETTING_SELINUX_APIFS_CONTEXT,
	SETTING_APPARMOR_PROFILE,

	SETTING_MEMORY, /* these four in the order of enum resource */
	SETTING_CPUS,
	SETTING_TASKS,
	SETTING_IO_WEIGHT,
	SETTING_RLIMIT,
	SETTING_LIMIT_CPU, /* the sixteen keys, in the order of 'limit_names' */
	SETTING_LIMIT_FSIZE,
	SETTING_LIMIT_DATA,
	SETTING_LIMIT_STACK,
	SETTING_LIMIT_CORE,
	SETTING_LIMIT_RSS,
	SETTING_LIMIT_NOFILE,
	SETTING_LIMIT_AS,
	SETTING_LIMIT_NPROC,
	SETTING_LIMIT_MEMLOCK,
	SETTING_LIMIT_LOCKS,
	SETTING_LIMIT_SIGPENDING,
	SETTING_LIMIT_MSGQUEUE,
	SETTING_LIMIT_NICE,
	SETTING_LIMIT_RTPRIO,
	SETTING_LIMIT_RTTIME,
	SETTING_OOM_SCORE_ADJUST,
	SETTING_CPU_AFFINITY,
	SETTING_PERSONALITY,

	SETTING_RESOLV_CONF,
	SETTING_TIMEZONE,
	SETTING_LINK_JOURNAL,
	SETTING_LINK_JOURNAL_TRY_GUEST,
	SETTING_FORWARD_JOURNAL,
	SETTING_FORWARD_JOURNAL_MAX_USE,
	SETTING_FORWARD_JOURNAL_KEEP_FREE,
	SETTING_FORWARD_JOURNAL_MAX_FILE_SIZE,
	SETTING_FORWARD_JOURNAL_MAX_FILES,

	SETTING_BIND,
	SETTING_BIND_RO,
	SETTING_INACCESSIBLE,
	SETTING_TMPFS,
	SETTING_OVERLAY,
	SETTING_OVERLAY_RO,
	SETTING_DEVICE,
	SETTING_BIND_USER,
	SETTING_BIND_USER_SHELL,
	SETTING_BIND_USER_GROUP,

	SETTING_CONSOLE,
	SETTING_PIPE,
	SETTING_BACKGROUND,

	SETTING_SET_CREDENTIAL,
	SETTING_LOAD_CREDENTIAL,

	_SETTING_COUNT
};

/* Where a value comes from. */
enum origin {
	ORIGIN_DEFAULT,
	ORIGIN_FILE,
	ORIGIN_OPTION,
	ORIGIN_ENVIRONMENT,
};

enum setting_argument {
	ARGUMENT_NONE,
	ARGUMENT_SWITCH,   /* --option or --option=BOOL; shown without the value */
	ARGUMENT_REQUIRED, /* --option=VALUE or --option VALUE */
	ARGUMENT_OPTIONAL, /* --option or --option=VALUE */
};

enum setting_group {
	GROUP_GENERAL,
	GROUP_IMAGE,
	GROUP_EXECUTION,
	GROUP_IDENTITY,
	GROUP_PROPERTIES,
	GROUP_USERS,
	GROUP_NETWORK,
	GROUP_SECURITY,
	GROUP_RESOURCES,
	GROUP_INTEGRATION,
	GROUP_MOUNTS,
	GROUP_CONSOLE,
	GROUP_CREDENTIALS,
	_GROUP_COUNT
};

enum setting_flags {
	SETTING_IS_REPEATABLE = 1 << 0, /* values add up; else the last one wins */
	SETTING_IS_HARMLESS = 1 << 1,   /* its key counts even in a file that is not trusted */
	SETTING_CONFINES = 1 << 2,      /* an untrusted file never beats an option here */
	SETTING_IS_OBSOLETE = 1 << 3,   /* accepted for old callers */
	SETTING_IS_HIDDEN = 1 << 4,     /* not in --help */
	SETTING_IS_LATER = 1 << 5,      /* known, but not available yet */
	SETTING_MAY_BE_EMPTY = 1 << 6,  /* an empty value has a meaning, mostly to unset */
	SETTING_TAKES_WORD = 1 << 7,    /* takes the next word, unless it begins with a dash */
	SETTING_IS_PATH = 1 << 8,       /* completion offers files */
	SETTING_IS_SECRET = 1 << 9,     /* its value is never shown to anybody */
};

/* One thing that somebody said, as text, before it is looked at. */
struct said {
	enum setting setting;
	const char *value; /* NULL: an option without one */
	enum origin origin;
	const char *file;  /* ORIGIN_FILE: its path, */
	unsigned int line; /* and where in it, from 1 */
	bool is_trusted;   /* ORIGIN_FILE: the file may say anything */
	bool adds;         /* "+=": joins what others say instead of replacing it */
	/* In config->unheeded: why it does not count. */
	const char *why_not;
};

struct said_list {
	struct said *items;
	size_t count, room;
};

/* True for an empty value, not behind "+=", that takes back what was said of a list so far. */
bool said_is_reset(const struct said *said);

/* One value on its way into the configuration. */
struct asking {
	struct config *config;
	const struct setting_row *row;
	enum setting setting;
	enum origin origin;
	const char *noun; /* begins complaints: "Option '--bind'" */
};

/*
 * Validates 'value' (NULL for an option without one) and stores it. Returns 0, 1 when it printed
 * the list of values to standard output instead, or a negative errno after exactly one refusal.
 */
typedef int (*setting_parser)(const struct asking *asking, const char *value);

struct setting_row {
	const char *option; /* long option without dashes, or NULL */
	char letter;        /* short option, or 0 */
	enum setting_argument argument;
	const char *metavar; /* NULL exactly for ARGUMENT_NONE and ARGUMENT_SWITCH */
	const char *key;     /* "Section.Key" of the settings file, or NULL */
	enum setting_group group;
	unsigned int flags; /* enum setting_flags */
	setting_parser parse;
	size_t field;                /* offset into struct config, where the parser wants one */
	const struct names *choices; /* the words accepted, if they are fixed; enables 'help' */
	const char *help; /* one line or more without full stop; NULL for what --help never shows */
};

extern const struct setting_row setting_rows[_SETTING_COUNT];

/* "--bind", or "-U" for what has only a letter, or "Exec.Parameters" for what has only a key. */
#define SETTING_NAME_MAX 48
const char *setting_name(enum setting setting, char buffer[SETTING_NAME_MAX]);

/* Return the setting or -ENOENT. A key is "Section.Key", case matters. */
int setting_from_letter(char letter);
int setting_from_key(const char *key);

/*
 * Parses what was said by the row's parser and remembers it in config->said and config->origin.
 * This is the only way in for the command line and for files. Returns as a setting_parser does.
 */
int setting_apply(struct config *config, const struct said *said);
