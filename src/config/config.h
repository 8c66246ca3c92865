/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ASKED: what the user wants, validated, defaults resolved. Filled by the command line (and later
 * by settings files), const afterwards. Every pointer lives in the arena.
 * Zone: free.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "config/settings.h"

enum start_mode {
	START_COMMAND, /* the words are PID 1; no words: a login-style shell */
	START_PID2,    /* a stub init is PID 1, the words are PID 2 */
	START_BOOT,    /* the tree's init is PID 1, the words are its arguments */
};

enum console_mode {
	CONSOLE_DEFAULT, /* interactive if stdin and stdout are terminals, else read-only */
	CONSOLE_INTERACTIVE,
	CONSOLE_READ_ONLY,
	CONSOLE_PASSIVE,
	CONSOLE_PIPE,
	CONSOLE_AUTOPIPE, /* interactive under the same test, else pipe */
};

/* When the machine is ready, for whoever waits for that. */
enum ready_when {
	READY_DEFAULT, /* nobody said: our manager hears at once, others as the init says itself */
	READY_SPAWNED, /* its first program runs */
	READY_GUEST,   /* its first program says so (sd_notify(3)) */
	READY_EXEC,    /* a command inside has succeeded */
	READY_PORT,    /* something inside takes connections */
};

struct ready_request {
	const char *command; /* of READY_EXEC, for a shell */
	uint32_t port;       /* of READY_PORT, TCP */
	enum ready_when when;
};

/* How a file of the host gets into the tree. */
enum host_file_how {
	HOW_AUTO,
	HOW_OFF,
	HOW_COPY,    /* write through an existing file */
	HOW_REPLACE, /* a new file under the name */
	HOW_BIND,    /* read-only bind mount */
	HOW_SYMLINK, /* timezone only */
	HOW_DELETE,
};

/* Which resolv.conf of the host. */
enum resolv_source {
	RESOLV_HOST,   /* /etc/resolv.conf */
	RESOLV_STATIC, /* /usr/lib/systemd/resolv.conf */
	RESOLV_UPLINK, /* /run/systemd/resolve/resolv.conf */
	RESOLV_STUB,   /* /run/systemd/resolve/stub-resolv.conf */
};

/* Which settings files count, and against what. */
enum settings_mode {
	SETTINGS_YES,      /* what an option said hides what a file says */
	SETTINGS_NO,       /* none is read */
	SETTINGS_OVERRIDE, /* what a file says hides what an option said */
	SETTINGS_TRUSTED,  /* as yes, and every file may say anything */
};

/* --link-journal: where the machine's journal is kept, and from where else it can be read. */
enum link_journal {
	LINK_JOURNAL_AUTO, /* as host, if the host has a directory for it already */
	LINK_JOURNAL_NO,
	LINK_JOURNAL_HOST, /* kept on the host, seen inside */
	LINK_JOURNAL_TRY_HOST,
	LINK_JOURNAL_GUEST, /* kept in the tree, seen on the host */
	LINK_JOURNAL_TRY_GUEST,
};

/* Whose ids the payload runs with. */
enum private_users {
	PRIVATE_USERS_DEFAULT, /* nobody said: the host's for root, else as 'pick' */
	PRIVATE_USERS_NO,
	PRIVATE_USERS_YES, /* a range that begins where the owner of the tree says */
	PRIVATE_USERS_PICK,
	PRIVATE_USERS_IDENTITY, /* the host's first 65536 ids, with no rights outside */
	PRIVATE_USERS_MANAGED,  /* a range of systemd-nsresourced */
	PRIVATE_USERS_RANGE,
};

/* How the owners of the tree's files follow the ids of its machine. */
enum users_ownership {
	OWNERSHIP_DEFAULT, /* nobody said; config_check() decides */
	OWNERSHIP_OFF,
	OWNERSHIP_CHOWN,
	OWNERSHIP_MAP,
	OWNERSHIP_FOREIGN,
	OWNERSHIP_AUTO,
};

/* Ids that a system needs, and what one allocation of nsresourced holds. */
#define USERS_RANGE 65536u
/* The first id of the last range that owners on disk can be moved to (ids/shift.h). */
#define USERS_SHIFT_LAST 0xFFFD0000u

enum dry_run {
	DRY_RUN_NO,
	DRY_RUN_TEXT,
	DRY_RUN_JSON,
};

/* Whose directories, and whose manager. */
enum scope {
	SCOPE_AUTO, /* the system's for root, else the user's */
	SCOPE_SYSTEM,
	SCOPE_USER,
};

enum tristate {
	TRISTATE_NO,
	TRISTATE_YES,
	TRISTATE_AUTO,
};

enum mount_kind {
	MOUNT_BIND,
	MOUNT_TMPFS,
	MOUNT_INACCESSIBLE,
	MOUNT_OVERLAY,
};

/* Whose the files of a mount are inside. */
enum id_rule {
	ID_RULE_PLAIN, /* noidmap: whose they would be without a word about it */
	ID_RULE_SAME,  /* idmap: an id on disk is the same id inside */
	ID_RULE_ROOT,  /* rootidmap: who owns the source is root inside, all others nobody */
	ID_RULE_OWNER, /* owneridmap: who owns the source is who owns the destination */
	ID_RULE_ONLY,  /* nobody but whom the pairs name */
};

/* Users and groups of one side, each a name, an id or a range "FIRST-LAST"; NULL: not said. */
struct owner_side {
	const char *user, *group;
};

/* owner=HOST>GUEST, as typed. */
struct owner_request {
	struct owner_side host, guest;
};

struct owner_requests {
	struct owner_request *items;
	size_t count, room;
};

/* The same as numbers, once the names are looked up: 'count' ids each. */
struct owner_pair {
	uint32_t host, guest, count;
	bool is_group;
};

struct owner_pairs {
	struct owner_pair *items;
	size_t count, room;
};

struct id_request {
	enum id_rule rule;
	struct owner_requests owners;
	struct owner_pairs pairs; /* filled by owners_find() */
};

/* One directory of an overlay. */
struct layer_request {
	const char *path;     /* absolute; NULL: a new empty directory, for the top only */
	bool path_is_in_tree; /* the '+' prefix */
};

/* One --bind, --bind-ro, --tmpfs, --inaccessible, --overlay or --overlay-ro. */
struct mount_request {
	enum mount_kind kind;
	const char *source;      /* bind: an absolute path; NULL: a new empty directory */
	bool source_is_in_tree;  /* bind: the '+' prefix */
	const char *destination; /* absolute, simplified, as the guest sees it */
	const char *options;     /* tmpfs: mount options, NULL for the default */
	bool read_only;
	bool recursive;                     /* bind: rbind, the default */
	const struct layer_request *layers; /* overlay: the lowest first, at least two */
	size_t layer_count;
	struct id_request *ids; /* bind, overlay: NULL for nothing special */
	size_t position;        /* order of mention, keeps sorting stable */
};

struct mount_requests {
	struct mount_request *items;
	size_t count, room;
};

/* One --set-credential or --load-credential; one of the three is set. */
struct credential_request {
	const char *id;
	const char *text;      /* the value as it was typed, with escapes: a secret */
	const char *path;      /* absolute, on the host */
	const char *inherited; /* the name of one in our own $CREDENTIALS_DIRECTORY */
};

/* How a journald inside learns where its entries are wanted (systemd.system-credentials(7)). */
#define JOURNAL_SOCKET_CREDENTIAL "journal.forward_to_socket"
#define JOURNAL_SOCKET_INSIDE "/run/host/journal/socket"

struct credential_requests {
	struct credential_request *items;
	size_t count, room;
};

/* What may be done with a device, as the kernel counts it (BPF_DEVCG_ACC_*). */
enum device_access {
	DEVICE_MAKE = 1 << 0, /* its node, by mknod(2) */
	DEVICE_READ = 1 << 1,
	DEVICE_WRITE = 1 << 2,
};

struct device_kind;

/* One --device. */
struct device_request {
	const struct device_kind *kind; /* of a short name; NULL: a path */
	const char *name;               /* that short name, or NULL */
	const char *path;               /* absolute on the host, or NULL */
	const char *inside;             /* below /dev, NULL: where a short name has it */
	unsigned int access;            /* enum device_access */
	bool access_is_said;
};

struct device_requests {
	struct device_request *items;
	size_t count, room;
};

/* What the whole machine may use, by its cgroup. */
enum resource {
	RESOURCE_MEMORY,    /* bytes */
	RESOURCE_CPUS,      /* microseconds of processor time in a second */
	RESOURCE_TASKS,     /* processes and threads */
	RESOURCE_IO_WEIGHT, /* against others, 100 as they have it */
	_RESOURCE_COUNT,
};

#define RESOURCE_UNLIMITED UINT64_MAX

struct resource_request {
	bool is_set;
	uint64_t value;
};

struct limit_request {
	bool is_set;
	struct rlimit value;
};

/* An interface of the host, existing or to be made, and what it is called inside. */
struct link_request {
	const char *host;
	const char *inside; /* NULL: the default for its kind */
};

struct link_requests {
	struct link_request *items;
	size_t count, room;
};

/* An address with the length of its network's prefix; of IPv4 the first four bytes count. */
struct address_request {
	int family; /* AF_INET, AF_INET6 */
	uint8_t bytes[16];
	unsigned int length; /* in bits */
};

struct address_requests {
	struct address_request *items;
	size_t count, room;
};

struct vlan_request {
	uint16_t first, last;
};

struct vlan_requests {
	struct vlan_request *items;
	size_t count, room;
};

/* An interface that is made for the machine, with what is said about it between commas. */
struct new_link_request {
	const char *bridge;                /* of the host, NULL: it is not plugged in */
	const char *inside;                /* NULL: host0, host1 … */
	struct vlan_requests vlans;        /* of its port of the bridge, with tags */
	uint16_t pvid;                     /* the one without a tag; 0: none, or the bridge's own */
	struct address_requests addresses; /* of the end inside */
	bool mac_is_set, user_is_set;
	uint8_t mac[6]; /* likewise */
	uint32_t user;  /* of the machine, who may use a tap */
};

struct new_link_requests {
	struct new_link_request *items;
	size_t count, room;
};

/* A port of one side that leads to one of the other; ranges are taken apart. */
struct port_request {
	uint8_t protocol;    /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t family;      /* of 'address'; AF_UNSPEC: every address of the host */
	uint8_t address[16]; /* of IPv4 the first four bytes count */
	uint16_t host, inside;
};

#define PORTS_MAX 4096u /* each is a socket */

struct port_requests {
	struct port_request *items;
	size_t count, room;
};

enum family_policy {
	FAMILIES_UNRESTRICTED,
	FAMILIES_ALLOW, /* only the listed ones; an empty list allows none */
	FAMILIES_DENY,
};

struct families {
	enum family_policy policy;
	int *items; /* AF_* numbers */
	size_t count, room;
};

/* What of the tree is kept in memory only. */
enum volatile_mode {
	VOLATILE_NO,
	VOLATILE_YES,     /* all but /usr, which is the tree's, and everything else starts empty */
	VOLATILE_STATE,   /* /var, which starts empty; the rest is read-only */
	VOLATILE_OVERLAY, /* all changes */
};

/* Which ends of the cable of --network-veth get addresses from us. */
enum network_setup {
	NETWORK_SETUP_AUTO, /* both, unless a network manager of the host does it */
	NETWORK_SETUP_HOST,
	NETWORK_SETUP_GUEST,
	NETWORK_SETUP_NONE,
};

/* $SYSTEMD_NSPAWN_API_VFS_WRITABLE */
enum api_vfs_mode {
	API_VFS_READ_ONLY,
	API_VFS_NETWORK,
	API_VFS_WRITABLE,
};

struct config {
	struct arena arena;
	enum origin origin[_SETTING_COUNT]; /* where each setting's value comes from */
	struct said_list said;              /* everything that counts, in order */
	struct said_list unheeded;          /* what was said in vain; see config_merge() */
	bool has_resets;                    /* config_merge() is needed even without files */

	/* The program itself */
	bool quiet;
	bool no_pager;
	enum dry_run dry_run; /* only say what would be done */
	bool cleanup;         /* only tidy up after the machine */
	enum settings_mode settings;
	enum scope scope;
	bool user_is_old_name; /* --user with a name: an old spelling of --uid */
	const char *program;   /* argv[0]'s last component, for messages that cite the call */

	/* The tree */
	const char *directory; /* absolute; NULL: look up 'machine', else the current directory */
	const char *template;  /* absolute: makes 'directory' if it is not there; NULL: none */
	bool read_only;
	enum volatile_mode volatile_mode;
	bool ephemeral;                    /* changes are thrown away at the end */
	const char *ephemeral_directory;   /* absolute; NULL: the default */
	const char *pivot_new, *pivot_old; /* absolute in the tree, or NULL */

	/* What runs */
	enum start_mode start;
	bool has_two_starts;  /* --boot and --as-pid2, neither taken back */
	struct strings words; /* command and arguments, or init's arguments */
	const char *working_directory;
	struct strings environment; /* NAME=VALUE of --setenv, in order */
	const char *user;           /* name or number, resolved inside; NULL: root */
	int kill_signal;            /* 0: the default of the start mode */
	enum setting ready_by;      /* which of its two settings said it last */
	struct ready_request ready;

	/* Identity */
	const char *machine;  /* NULL: derived from the directory */
	const char *hostname; /* NULL: the machine name */
	bool uuid_is_set;
	uint8_t uuid[16];

	/* Manager */
	enum tristate register_machine;
	bool keep_unit;
	const char *slice;         /* NULL: the default */
	struct strings properties; /* NAME=VALUE of --property, in order */

	/* User namespace */
	enum private_users private_users;
	bool private_users_if_possible;                   /* -U: not on a kernel without them */
	uint32_t private_users_base, private_users_count; /* of a range, and of identity */
	enum users_ownership private_users_ownership;
	bool nesting;                    /* containers inside are to work */
	uint32_t private_users_delegate; /* further ranges of USERS_RANGE ids */

	/* Network */
	bool private_network; /* asked for, or implied by a link */
	struct link_requests network_interfaces, network_macvlans, network_ipvlans,
		network_veths_extra;
	bool network_veth;
	const char *network_veth_name; /* of its outer end, NULL: made from the machine's */
	struct new_link_requests network_bridges; /* the first is what that cable is plugged into */
	struct new_link_requests network_taps;
	const char *network_zone; /* without the "vz-" of its bridge, or NULL */
	enum network_setup network_setup;
	const char *network_namespace_path; /* absolute, to be joined, or NULL */
	bool network_mac_is_set;
	uint8_t network_mac[6];          /* of its inner end */
	struct port_requests ports;      /* of the host, that lead inside */
	struct port_requests host_ports; /* inside, that lead to the host */

	/* Confinement */
	uint64_t capabilities_added, capabilities_dropped,
		capabilities_ambient; /* bit n = capability n */
	bool no_new_privileges;
	struct strings syscalls_allowed, syscalls_denied; /* names and @groups as typed */
	bool suppress_sync;
	struct families families;
	const char *selinux_context;       /* of the processes, NULL: the kernel decides */
	const char *selinux_apifs_context; /* of file systems in memory, NULL: the kernel decides */
	const char *apparmor_profile;      /* NULL: the kernel decides */
	bool share_ipc, share_pid, share_uts; /* namespaces that stay the host's */

	/* Limits */
	struct resource_request resources[_RESOURCE_COUNT];
	struct limit_request limits[RLIM_NLIMITS];
	bool oom_score_adjust_is_set;
	int oom_score_adjust;
	cpu_set_t cpu_affinity; /* empty: unchanged */
	bool personality_is_set;
	unsigned long personality; /* PER_LINUX or PER_LINUX32 */

	/* Host files */
	enum host_file_how resolv_conf;
	enum resolv_source resolv_source; /* meaningful for copy, replace, bind */
	enum host_file_how timezone;

	/* Journal and credentials */
	enum link_journal link_journal;
	const char *forward_journal; /* absolute; NULL: not forwarded */
	uint64_t forward_journal_max_use, forward_journal_keep_free, forward_journal_max_file_size,
		forward_journal_max_files; /* 0: not limited */
	struct credential_requests credentials;

	/* Mounts */
	struct mount_requests mounts;   /* in order of mention */
	struct device_requests devices; /* likewise */

	/* Users of the host */
	struct strings bind_users;
	bool bind_user_shell_is_copied; /* the host's shell, else */
	const char *bind_user_shell;    /* absolute, or NULL: the guest's default */
	struct strings bind_user_groups;

	/* Console */
	enum console_mode console;
	const char *background; /* parameters of SGR, NULL: no tint */

	/* From $SYSTEMD_NSPAWN_* and $SYSTEMD_* */
	const char *container_service; /* "systemd-nspawn" */
	bool tmpfs_on_tmp;
	enum api_vfs_mode api_vfs;
	bool cgroup_namespace;
	bool locks;
	bool check_os_release;
	bool no_os_check;    /* the option; either of the two ends the check */
	bool syscall_filter; /* $SYSTEMD_SECCOMP */
	bool tint;           /* $SYSTEMD_TINT_BACKGROUND */
};
