/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of the settings table, and the one way from a text into the configuration.
 * Zone: free.
 */
#include "config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/scope.h"
#include "config/capability-names.h"
#include "config/config.h"
#include "config/confine-values.h"
#include "config/credential-values.h"
#include "config/device-values.h"
#include "config/help.h"
#include "config/journal-values.h"
#include "config/label-values.h"
#include "config/limit-values.h"
#include "config/mount-values.h"
#include "config/network-values.h"
#include "config/new-link-values.h"
#include "config/owner-values.h"
#include "config/port-values.h"
#include "config/program-values.h"
#include "config/user-values.h"
#include "config/values.h"

#define NONE ARGUMENT_NONE
#define ONE ARGUMENT_REQUIRED
#define SWITCH ARGUMENT_SWITCH
#define OPT ARGUMENT_OPTIONAL
#define MANY SETTING_IS_REPEATABLE
#define SAFE SETTING_IS_HARMLESS
#define WALL SETTING_CONFINES
#define FILES SETTING_IS_PATH
#define OLD SETTING_IS_OBSOLETE
#define HIDE SETTING_IS_HIDDEN
#define LATER SETTING_IS_LATER
#define EMPTY SETTING_MAY_BE_EMPTY
#define WORD SETTING_TAKES_WORD
#define SECRET SETTING_IS_SECRET
#define AT(member) offsetof(struct config, member)

/* clang-format off */
const struct setting_row setting_rows[_SETTING_COUNT] = {
#define GROUP GROUP_GENERAL
	/* Each row: how it is spelled, and below it what it means. */
	[SETTING_HELP] = {"help", 'h', NONE, NULL, NULL,
		GROUP, 0, help_show, 0, NULL, "Show this help"},
	[SETTING_VERSION] = {"version", 0, NONE, NULL, NULL,
		GROUP, 0, version_show, 0, NULL, "Show the version"},
	[SETTING_NO_PAGER] = {"no-pager", 0, NONE, NULL, NULL,
		GROUP, 0, set_flag, AT(no_pager), NULL, "Do not pipe output into a pager"},
	[SETTING_QUIET] = {"quiet", 'q', SWITCH, NULL, NULL,
		GROUP, 0, set_flag, AT(quiet), NULL, "Say nothing but warnings and errors"},
	[SETTING_DRY_RUN] = {"dry-run", 0, OPT, "FORMAT", NULL,
		GROUP, 0, set_dry_run, AT(dry_run), &dry_run_names,
		"Show what would be done and why, and do nothing: text, json"},
	[SETTING_JSON_ERRORS] = {"json-errors", 0, NONE, NULL, NULL,
		GROUP, 0, set_accepted, 0, NULL, "Print messages as JSON, errors with their stable identifiers"},
	[SETTING_SETTINGS] = {"settings", 0, ONE, "MODE", NULL,
		GROUP, 0, set_settings, AT(settings), &settings_names,
		"Use of settings files: yes, no, override, trusted"},
	[SETTING_CLEANUP] = {"cleanup", 0, NONE, NULL, NULL,
		GROUP, 0, set_flag, AT(cleanup), NULL, "Remove what a crashed instance left behind"},
	[SETTING_NO_ASK_PASSWORD] = {"no-ask-password", 0, NONE, NULL, NULL,
		GROUP, 0, set_accepted, 0, NULL, "Do not ask the user for passwords"},
	[SETTING_SYSTEM] = {"system", 0, NONE, NULL, NULL,
		GROUP, 0, set_system_scope, AT(scope), NULL, "Run in system scope"},
	[SETTING_USER] = {"user", 0, OPT, "NAME", NULL,
		GROUP, HIDE | WORD, set_user_scope, AT(user), NULL, "Run in user scope"},
	[SETTING_SHARE_SYSTEM] = {"share-system", 0, NONE, NULL, NULL,
		GROUP, HIDE | OLD, set_share_system, 0, NULL, NULL},
#undef GROUP
#define GROUP GROUP_IMAGE
	[SETTING_DIRECTORY] = {"directory", 'D', ONE, "PATH", NULL,
		GROUP, FILES | EMPTY, set_directory, AT(directory), NULL, "Root directory of the container"},
	[SETTING_TEMPLATE] = {"template", 0, ONE, "PATH", NULL,
		GROUP, FILES | EMPTY, set_directory, AT(template), NULL, "Make the root directory from this tree if it is missing"},
	[SETTING_EPHEMERAL] = {"ephemeral", 'x', SWITCH, NULL, "Exec.Ephemeral",
		GROUP, 0, set_flag, AT(ephemeral), NULL, "Throw all changes to the tree away at the end"},
	[SETTING_EPHEMERAL_DIR] = {"ephemeral-dir", 0, ONE, "PATH", NULL,
		GROUP, FILES | EMPTY, set_directory, AT(ephemeral_directory), NULL,
		"Where those changes lie until then, instead of /var/tmp"},
	[SETTING_IMAGE] = {"image", 'i', ONE, "PATH", NULL,
		GROUP, FILES | LATER, NULL, 0, NULL, "Disk image or block device of the container"},
	[SETTING_MSTACK] = {"mstack", 0, ONE, "PATH", NULL,
		GROUP, LATER | HIDE, NULL, 0, NULL, NULL},
	[SETTING_IMAGE_POLICY] = {"image-policy", 0, ONE, "POLICY", NULL,
		GROUP, LATER, NULL, 0, NULL, "Which partitions of an image to use, and how"},
	[SETTING_OCI_BUNDLE] = {"oci-bundle", 0, ONE, "PATH", NULL,
		GROUP, FILES | LATER, NULL, 0, NULL, "OCI runtime bundle"},
	[SETTING_READ_ONLY] = {"read-only", 0, SWITCH, NULL, "Files.ReadOnly",
		GROUP, SAFE | WALL, set_flag, AT(read_only), NULL, "Make the root directory read-only"},
	[SETTING_VOLATILE] = {"volatile", 0, OPT, "MODE", "Files.Volatile",
		GROUP, SAFE | WALL, set_volatile, AT(volatile_mode), &volatile_names,
		"Keep changes in memory only: no, yes, state, overlay"},
	[SETTING_ROOT_HASH] = {"root-hash", 0, ONE, "HASH", NULL,
		GROUP, LATER, NULL, 0, NULL, "Verity root hash of the image"},
	[SETTING_ROOT_HASH_SIG] = {"root-hash-sig", 0, ONE, "SIGNATURE", NULL,
		GROUP, LATER, NULL, 0, NULL, "Signature of the root hash: a file, or 'base64:' and text"},
	[SETTING_VERITY_DATA] = {"verity-data", 0, ONE, "PATH", NULL,
		GROUP, LATER, NULL, 0, NULL, "Verity hash file or device of the image"},
	[SETTING_PIVOT_ROOT] = {"pivot-root", 0, ONE, "NEW[:OLD]", "Exec.PivotRoot",
		GROUP, EMPTY, set_pivot_root, 0, NULL, "Use a directory inside the tree as root"},
#undef GROUP
#define GROUP GROUP_EXECUTION
	[SETTING_AS_PID2] = {"as-pid2", 'a', SWITCH, NULL, "Exec.ProcessTwo",
		GROUP, SAFE, set_as_pid2, 0, NULL, "Run the command as PID 2, below a minimal init"},
	[SETTING_BOOT] = {"boot", 'b', SWITCH, NULL, "Exec.Boot",
		GROUP, SAFE, set_boot, 0, NULL, "Boot the tree: run its init, with the words as arguments"},
	[SETTING_PARAMETERS] = {NULL, 0, ONE, "WORDS", "Exec.Parameters",
		GROUP, SAFE | HIDE | MANY | EMPTY, set_parameters, AT(words), NULL, NULL},
	[SETTING_CHDIR] = {"chdir", 0, ONE, "PATH", "Exec.WorkingDirectory",
		GROUP, SAFE | EMPTY, set_chdir, AT(working_directory), NULL, "Working directory inside"},
	[SETTING_SETENV] = {"setenv", 'E', ONE, "NAME[=VALUE]", "Exec.Environment",
		GROUP, SAFE | MANY, set_variable, 0, NULL, "Set a variable in the environment of PID 1, or pass ours on"},
	[SETTING_UID] = {"uid", 'u', ONE, "USER", "Exec.User",
		GROUP, SAFE | WALL, set_user, AT(user), NULL,
		"Run the command as this user of the container, by name or number"},
	[SETTING_KILL_SIGNAL] = {"kill-signal", 0, ONE, "SIGNAL", "Exec.KillSignal",
		GROUP, SAFE, set_kill_signal, AT(kill_signal), NULL, "Signal that asks PID 1 to shut down"},
	[SETTING_NOTIFY_READY] = {"notify-ready", 0, ONE, "BOOL", "Exec.NotifyReady",
		GROUP, SAFE, set_notify_ready, 0, NULL, "Be ready only when PID 1 says that it is"},
	[SETTING_READY] = {"ready", 0, ONE, "WHEN", "Exec.Ready",
		GROUP, SAFE, set_ready, 0, NULL,
		"When the machine is ready: spawned, guest, exec:COMMAND that succeeds inside, port:NUMBER that answers there"},
	[SETTING_SUPPRESS_SYNC] = {"suppress-sync", 0, ONE, "BOOL", "Exec.SuppressSync",
		GROUP, SAFE, set_flag, AT(suppress_sync), NULL, "Make sync(2) and its relatives do nothing"},
#undef GROUP
#define GROUP GROUP_IDENTITY
	[SETTING_MACHINE] = {"machine", 'M', ONE, "NAME", NULL,
		GROUP, EMPTY, set_hostname, AT(machine), NULL, "Name of the machine"},
	[SETTING_HOSTNAME] = {"hostname", 0, ONE, "NAME", "Exec.Hostname",
		GROUP, SAFE | EMPTY, set_hostname, AT(hostname), NULL, "Host name, if not the name of the machine"},
	[SETTING_UUID] = {"uuid", 0, ONE, "UUID", "Exec.MachineID",
		GROUP, 0, set_uuid, 0, NULL, "Machine id, if the tree has none"},
	[SETTING_NO_OS_CHECK] = {"no-os-check", 0, NONE, NULL, NULL,
		GROUP, 0, set_flag, AT(no_os_check), NULL,
		"Start even a tree that does not look like an operating system"},
#undef GROUP
#define GROUP GROUP_PROPERTIES
	[SETTING_SLICE] = {"slice", 'S', ONE, "SLICE", NULL,
		GROUP, 0, set_slice, AT(slice), NULL, "Slice of the scope unit, where there is a manager"},
	[SETTING_PROPERTY] = {"property", 0, ONE, "NAME=VALUE", NULL,
		GROUP, MANY, set_property, AT(properties), NULL,
		"Property of the scope unit, where there is a manager"},
	[SETTING_REGISTER] = {"register", 0, ONE, "BOOL", NULL,
		GROUP, 0, set_register, AT(register_machine), &register_names,
		"Register with the machine manager, where there is one: no, yes, auto"},
	[SETTING_KEEP_UNIT] = {"keep-unit", 0, SWITCH, NULL, NULL,
		GROUP, 0, set_flag, AT(keep_unit), NULL, "Stay in the unit that nspawn runs in"},
#undef GROUP
#define GROUP GROUP_USERS
	[SETTING_PRIVATE_USERS] = {"private-users", 0, OPT, "MODE", "Exec.PrivateUsers",
		GROUP, 0, set_private_users, 0, &private_users_names,
		"Run in a user namespace: no, yes, pick, identity, managed, or the first id of the host and a number of ids, FIRST[:COUNT]"},
	[SETTING_PRIVATE_USERS_PICK] = {NULL, 'U', NONE, NULL, NULL,
		GROUP, 0, set_private_users_pick, 0, NULL,
		"The same as --private-users=pick where the kernel has user namespaces"},
	[SETTING_PRIVATE_USERS_OWNERSHIP] = {"private-users-ownership", 0, ONE, "MODE", "Files.PrivateUsersOwnership",
		GROUP, 0, set_private_users_ownership, AT(private_users_ownership), &ownership_names,
		"How the tree's owners follow: off, chown, map, foreign, auto"},
	[SETTING_PRIVATE_USERS_CHOWN] = {"private-users-chown", 0, OPT, "BOOL", "Files.PrivateUsersChown",
		GROUP, OLD | HIDE, set_private_users_chown, AT(private_users_ownership), NULL, NULL},
	[SETTING_PRIVATE_USERS_DELEGATE] = {"private-users-delegate", 0, ONE, "NUMBER", "Exec.PrivateUsersDelegate",
		GROUP, 0, set_private_users_delegate, AT(private_users_delegate), NULL,
		"Further ranges of 65536 ids for containers inside"},
	[SETTING_NESTING] = {"nesting", 0, SWITCH, NULL, "Exec.Nesting",
		GROUP, 0, set_flag, AT(nesting), NULL, "Make containers inside work, after trying one"},
#undef GROUP
#define GROUP GROUP_NETWORK
	[SETTING_PRIVATE_NETWORK] = {"private-network", 0, SWITCH, NULL, "Network.Private",
		GROUP, 0, set_flag, AT(private_network), NULL,
		"Give the container a network of its own, with nothing but lo"},
	[SETTING_NETWORK_INTERFACE] = {"network-interface", 0, ONE, "HOSTIF[:NAME]", "Network.Interface",
		GROUP, MANY, set_links, AT(network_interfaces), NULL, "Move an interface of the host in"},
	[SETTING_NETWORK_MACVLAN] = {"network-macvlan", 0, ONE, "HOSTIF[:NAME]", "Network.MACVLAN",
		GROUP, MANY, set_links, AT(network_macvlans), NULL, "Make a macvlan interface of one of the host"},
	[SETTING_NETWORK_IPVLAN] = {"network-ipvlan", 0, ONE, "HOSTIF[:NAME]", "Network.IPVLAN",
		GROUP, MANY, set_links, AT(network_ipvlans), NULL, "Make an ipvlan interface of one of the host"},
	[SETTING_NETWORK_VETH] = {"network-veth", 'n', SWITCH, NULL, "Network.VirtualEthernet",
		GROUP, 0, set_flag, AT(network_veth), NULL, "Connect the container to the host by a virtual cable"},
	[SETTING_NETWORK_VETH_NAME] = {"network-veth-name", 0, ONE, "NAME", NULL,
		GROUP, 0, set_network_veth_name, 0, NULL, "Name of that cable's end on the host, instead of ve-MACHINE"},
	[SETTING_NETWORK_VETH_EXTRA] = {"network-veth-extra", 0, ONE, "HOSTIF[:NAME]", "Network.VirtualEthernetExtra",
		GROUP, MANY, set_veth_extra, AT(network_veths_extra), NULL, "Add one more virtual cable"},
	[SETTING_NETWORK_BRIDGE] = {"network-bridge", 0, ONE, "BRIDGE[:NAME][,OPTION...]", "Network.Bridge",
		GROUP, MANY, set_network_bridge, AT(network_bridges), NULL, "Plug a cable into a bridge"},
	[SETTING_NETWORK_TAP] = {"network-tap", 0, ONE, "NAME[,OPTION...]", "Network.Tap",
		GROUP, MANY, set_network_tap, AT(network_taps), NULL,
		"Make a tap interface inside, for a program or a virtual machine there"},
	[SETTING_NETWORK_ZONE] = {"network-zone", 0, ONE, "NAME", "Network.Zone",
		GROUP, 0, set_network_zone, 0, NULL, "Plug the cable into a bridge made for the zone"},
	[SETTING_NETWORK_SETUP] = {"network-setup", 0, ONE, "WHO", "Network.Setup",
		GROUP, 0, set_choice, AT(network_setup), &network_setup_names,
		"Which ends get addresses: auto, host, guest, none"},
	[SETTING_NETWORK_NAMESPACE_PATH] = {"network-namespace-path", 0, ONE, "PATH", "Network.NamespacePath",
		GROUP, FILES | EMPTY, set_network_namespace, AT(network_namespace_path), NULL, "Join an existing network namespace"},
	[SETTING_PORT] = {"port", 'p', ONE, "[ADDR:][PROTOCOL:]PORT[:PORT]", "Network.Port",
		GROUP, MANY, set_port, 0, NULL, "Let a port of the host, or a range, lead to one inside"},
	[SETTING_HOST_PORT] = {"host-port", 0, ONE, "[PROTOCOL:]PORT", "Network.HostPort",
		GROUP, MANY, set_host_port, 0, NULL, "Let a port inside lead to the same one of the host, on 127.0.0.1"},
#undef GROUP
#define GROUP GROUP_SECURITY
	[SETTING_CAPABILITY] = {"capability", 0, ONE, "LIST", "Exec.Capability",
		GROUP, MANY | EMPTY, set_capabilities, AT(capabilities_added), &capability_names,
		"Keep more capabilities than the default, or 'all'"},
	[SETTING_DROP_CAPABILITY] = {"drop-capability", 0, ONE, "LIST", "Exec.DropCapability",
		GROUP, SAFE | WALL | MANY | EMPTY, set_capabilities, AT(capabilities_dropped), &capability_names,
		"Drop capabilities"},
	[SETTING_AMBIENT_CAPABILITY] = {"ambient-capability", 0, ONE, "LIST", "Exec.AmbientCapability",
		GROUP, MANY | EMPTY, set_capabilities, AT(capabilities_ambient), &capability_names,
		"Capabilities of a command that does not run as root"},
	[SETTING_NO_NEW_PRIVILEGES] = {"no-new-privileges", 0, ONE, "BOOL", "Exec.NoNewPrivileges",
		GROUP, SAFE | WALL, set_flag, AT(no_new_privileges), NULL, "No program inside may gain privileges"},
	[SETTING_SYSTEM_CALL_FILTER] = {"system-call-filter", 0, ONE, "[~]LIST", "Exec.SystemCallFilter",
		GROUP, SAFE | WALL | MANY | EMPTY, set_system_call_filter, 0, NULL,
		"Allow, or with '~' deny, system calls and @groups"},
	[SETTING_RESTRICT_ADDRESS_FAMILIES] = {"restrict-address-families", 0, ONE, "[~]LIST",
		"Exec.RestrictAddressFamilies",
		GROUP, SAFE | WALL | MANY | EMPTY, set_address_families, 0, &family_names,
		"Allow only, or with '~' deny, families of sockets, or 'none'"},
	[SETTING_SELINUX_CONTEXT] = {"selinux-context", 'Z', ONE, "LABEL", NULL,
		GROUP, 0, set_selinux_context, AT(selinux_context), NULL, "SELinux label of processes inside"},
	[SETTING_SELINUX_APIFS_CONTEXT] = {"selinux-apifs-context", 'L', ONE, "LABEL", NULL,
		GROUP, 0, set_selinux_context, AT(selinux_apifs_context), NULL,
		"SELinux label of file systems made for the container"},
	[SETTING_APPARMOR_PROFILE] = {"apparmor-profile", 0, ONE, "PROFILE", NULL,
		GROUP, 0, set_apparmor_profile, AT(apparmor_profile), NULL, "AppArmor profile of processes inside"},
#undef GROUP
#define GROUP GROUP_RESOURCES
	[SETTING_MEMORY] = {"memory", 0, ONE, "BYTES", "Exec.Memory",
		GROUP, 0, set_resource, 0, NULL, "Memory of the whole machine, like 512M"},
	[SETTING_CPUS] = {"cpus", 0, ONE, "NUMBER", "Exec.CPUs",
		GROUP, 0, set_resource, 0, NULL, "Processor time of the whole machine, in processors, like 1.5"},
	[SETTING_TASKS] = {"tasks", 0, ONE, "NUMBER", "Exec.Tasks",
		GROUP, 0, set_resource, 0, NULL, "Processes and threads of the whole machine"},
	[SETTING_IO_WEIGHT] = {"io-weight", 0, ONE, "WEIGHT", "Exec.IOWeight",
		GROUP, 0, set_resource, 0, NULL, "Its share of input and output when disks are busy: 1 to 10000"},
	[SETTING_RLIMIT] = {"rlimit", 0, ONE, "NAME=SOFT[:HARD]", NULL,
		GROUP, MANY, set_rlimit, 0, &limit_names, "Limit a resource of the payload, see setrlimit(2)"},
#define LIMIT(name) {NULL, 0, ONE, "SOFT[:HARD]", "Exec.Limit" name, GROUP, HIDE, set_limit, 0, NULL, NULL}
	[SETTING_LIMIT_CPU]             = LIMIT("CPU"),
	[SETTING_LIMIT_FSIZE]           = LIMIT("FSIZE"),
	[SETTING_LIMIT_DATA]            = LIMIT("DATA"),
	[SETTING_LIMIT_STACK]           = LIMIT("STACK"),
	[SETTING_LIMIT_CORE]            = LIMIT("CORE"),
	[SETTING_LIMIT_RSS]             = LIMIT("RSS"),
	[SETTING_LIMIT_NOFILE]          = LIMIT("NOFILE"),
	[SETTING_LIMIT_AS]              = LIMIT("AS"),
	[SETTING_LIMIT_NPROC]           = LIMIT("NPROC"),
	[SETTING_LIMIT_MEMLOCK]         = LIMIT("MEMLOCK"),
	[SETTING_LIMIT_LOCKS]           = LIMIT("LOCKS"),
	[SETTING_LIMIT_SIGPENDING]      = LIMIT("SIGPENDING"),
	[SETTING_LIMIT_MSGQUEUE]        = LIMIT("MSGQUEUE"),
	[SETTING_LIMIT_NICE]            = LIMIT("NICE"),
	[SETTING_LIMIT_RTPRIO]          = LIMIT("RTPRIO"),
	[SETTING_LIMIT_RTTIME]          = LIMIT("RTTIME"),
#undef LIMIT
	[SETTING_OOM_SCORE_ADJUST] = {"oom-score-adjust", 0, ONE, "NUMBER", "Exec.OOMScoreAdjust",
		GROUP, 0, set_oom_score_adjust, 0, NULL, "Who dies first when memory is short: -1000 to 1000"},
	[SETTING_CPU_AFFINITY] = {"cpu-affinity", 0, ONE, "CPUS", "Exec.CPUAffinity",
		GROUP, EMPTY, set_cpu_affinity, 0, NULL, "Run on these processors only, like 0,2-5"},
	[SETTING_PERSONALITY] = {"personality", 0, ONE, "ARCH", "Exec.Personality",
		GROUP, SAFE, set_personality, 0, &personality_names, "Architecture that uname(2) reports"},
#undef GROUP
#define GROUP GROUP_INTEGRATION
	[SETTING_RESOLV_CONF] = {"resolv-conf", 0, ONE, "MODE", "Exec.ResolvConf",
		GROUP, SAFE, set_resolv_conf, 0, &resolv_conf_names, "How /etc/resolv.conf is filled"},
	[SETTING_TIMEZONE] = {"timezone", 0, ONE, "MODE", "Exec.Timezone",
		GROUP, SAFE, set_timezone, AT(timezone), &timezone_names, "How /etc/localtime is filled"},
	[SETTING_LINK_JOURNAL] = {"link-journal", 0, ONE, "MODE", "Exec.LinkJournal",
		GROUP, 0, set_link_journal, AT(link_journal), &link_journal_names,
		"Link the journals of host and container: no, auto, host, guest, try-host, try-guest"},
	[SETTING_LINK_JOURNAL_TRY_GUEST] = {NULL, 'j', NONE, NULL, NULL,
		GROUP, 0, set_link_journal_try_guest, 0, NULL, "The same as --link-journal=try-guest"},
	[SETTING_FORWARD_JOURNAL] = {"forward-journal", 0, ONE, "PATH", NULL,
		GROUP, FILES, set_forward_journal, AT(forward_journal), NULL,
		"Store the container's journal in this file or directory"},
	[SETTING_FORWARD_JOURNAL_MAX_USE] = {"forward-journal-max-use", 0, ONE, "BYTES", NULL,
		GROUP, 0, set_journal_bytes, AT(forward_journal_max_use), NULL, "Space that journal may take"},
	[SETTING_FORWARD_JOURNAL_KEEP_FREE] = {"forward-journal-keep-free", 0, ONE, "BYTES", NULL,
		GROUP, 0, set_journal_bytes, AT(forward_journal_keep_free), NULL, "Space that journal must leave"},
	[SETTING_FORWARD_JOURNAL_MAX_FILE_SIZE] = {"forward-journal-max-file-size", 0, ONE, "BYTES", NULL,
		GROUP, 0, set_journal_bytes, AT(forward_journal_max_file_size), NULL, "Size of one of its files"},
	[SETTING_FORWARD_JOURNAL_MAX_FILES] = {"forward-journal-max-files", 0, ONE, "NUMBER", NULL,
		GROUP, 0, set_journal_files, AT(forward_journal_max_files), NULL, "Number of its files"},
#undef GROUP
#define GROUP GROUP_MOUNTS
	[SETTING_BIND] = {"bind", 0, ONE, "PATH[:PATH[:OPTIONS]]", "Files.Bind",
		GROUP, FILES | MANY, set_bind, 0, NULL,
		"Mount a file or directory of the host, or with '+' of the tree"},
	[SETTING_BIND_RO] = {"bind-ro", 0, ONE, "PATH[:PATH[:OPTIONS]]", "Files.BindReadOnly",
		GROUP, FILES | MANY, set_bind, 0, NULL, "The same, read-only"},
	[SETTING_INACCESSIBLE] = {"inaccessible", 0, ONE, "PATH", "Files.Inaccessible",
		GROUP, MANY, set_inaccessible, 0, NULL,
		"Cover a file or directory with one that nobody can open"},
	[SETTING_TMPFS] = {"tmpfs", 0, ONE, "PATH[:OPTIONS]", "Files.TemporaryFileSystem",
		GROUP, MANY, set_tmpfs, 0, NULL, "Mount an empty file system in memory"},
	[SETTING_OVERLAY] = {"overlay", 0, ONE, "PATH[:PATH…]:PATH", "Files.Overlay",
		GROUP, FILES | MANY, set_overlay, 0, NULL, "Mount directories on top of each other"},
	[SETTING_OVERLAY_RO] = {"overlay-ro", 0, ONE, "PATH[:PATH…]:PATH", "Files.OverlayReadOnly",
		GROUP, FILES | MANY, set_overlay, 0, NULL, "The same, read-only"},
	[SETTING_DEVICE] = {"device", 0, ONE, "NAME|PATH[:PATH][:rwm]", "Files.Device",
		GROUP, FILES | MANY, set_device, 0, &device_names,
		"Give it a device of the host: fuse, tun, kvm, loop, dri, snd, input, or a path"},
	[SETTING_BIND_USER] = {"bind-user", 0, ONE, "NAME", "Files.BindUser",
		GROUP, MANY, set_bind_user, AT(bind_users), NULL, "Make a user of the host known inside, with its home"},
	[SETTING_BIND_USER_SHELL] = {"bind-user-shell", 0, ONE, "BOOL|PATH", "Files.BindUserShell",
		GROUP, 0, set_bind_user_shell, 0, NULL, "Shell of those users: no, yes for the host's, or a path"},
	[SETTING_BIND_USER_GROUP] = {"bind-user-group", 0, ONE, "NAME", NULL,
		GROUP, MANY, set_bind_user_group, AT(bind_user_groups), NULL, "Further group of those users"},
#undef GROUP
#define GROUP GROUP_CONSOLE
	[SETTING_CONSOLE] = {"console", 0, ONE, "MODE", NULL,
		GROUP, 0, set_choice, AT(console), &console_names,
		"How input, output and /dev/console are connected"},
	[SETTING_PIPE] = {"pipe", 'P', NONE, NULL, NULL,
		GROUP, 0, set_pipe, AT(console), NULL, "The same as --console=pipe"},
	[SETTING_BACKGROUND] = {"background", 0, ONE, "COLOR", NULL,
		GROUP, EMPTY, set_background, AT(background), NULL,
		"Background of an interactive console, like 44 or 48;2;0;0;80"},
#undef GROUP
#define GROUP GROUP_CREDENTIALS
	[SETTING_SET_CREDENTIAL] = {"set-credential", 0, ONE, "ID:VALUE", NULL,
		GROUP, MANY | SECRET, set_credential, 0, NULL, "Pass a credential in"},
	[SETTING_LOAD_CREDENTIAL] = {"load-credential", 0, ONE, "ID:PATH", NULL,
		GROUP, MANY, load_credential, 0, NULL, "Pass a credential in from a file or socket"},
#undef GROUP
};
/* clang-format on */
static_assert(ARRAY_LEN(setting_rows) == _SETTING_COUNT, "one row for each setting");

const char *setting_name(enum setting setting, char buffer[SETTING_NAME_MAX])
{
	const struct setting_row *row = &setting_rows[setting];

	if (row->option)
		(void)snprintf(buffer, SETTING_NAME_MAX, "--%s", row->option);
	else if (row->letter)
		(void)snprintf(buffer, SETTING_NAME_MAX, "-%c", row->letter);
	else
		(void)snprintf(buffer, SETTING_NAME_MAX, "%s", row->key);
	return buffer;
}

int setting_from_letter(char letter)
{
	for (int i = 0; i < _SETTING_COUNT; i++)
		if (letter && setting_rows[i].letter == letter)
			return i;
	return -ENOENT;
}

int setting_from_key(const char *key)
{
	for (int i = 0; i < _SETTING_COUNT; i++)
		if (setting_rows[i].key && strcmp(setting_rows[i].key, key) == 0)
			return i;
	return -ENOENT;
}

bool said_is_reset(const struct said *said)
{
	unsigned int flags = setting_rows[said->setting].flags;

	/* A script's empty variable would leave the machine in the network of the host. */
	if (said->origin == ORIGIN_OPTION && setting_rows[said->setting].group == GROUP_NETWORK)
		return false;
	/* An empty word of the command line is a word. */
	return flags & SETTING_IS_REPEATABLE && said->value && !*said->value && !said->adds &&
	       (said->origin == ORIGIN_FILE || !(flags & SETTING_MAY_BE_EMPTY));
}

int setting_apply(struct config *config, const struct said *said)
{
	const struct setting_row *row = &setting_rows[said->setting];
	const char *value = said->value;
	char name[SETTING_NAME_MAX], noun[SETTING_NAME_MAX + 16];
	struct asking asking = {config, row, said->setting, said->origin, noun};
	bool is_key = said->origin == ORIGIN_FILE || (!row->option && !row->letter);
	int r;

	(void)snprintf(noun, sizeof(noun), "%s '%s'", is_key ? "Key" : "Option",
		       is_key ? row->key : setting_name(said->setting, name));
	if (row->flags & SETTING_IS_LATER)
		return refuse(EOPNOTSUPP, "%s is not available yet", noun);
	if (said_is_reset(said)) {
		/* Seldom what a script with an empty variable meant. */
		if (said->origin == ORIGIN_OPTION)
			note("%s without a value takes back what was said of it so far", noun);
		config->has_resets = true;
	}
	if (!said_is_reset(said) && value && !*value && !(row->flags & SETTING_MAY_BE_EMPTY))
		return refuse(EINVAL, "%s needs a value that is not empty", noun);
	if (value && row->choices && strcmp(value, "help") == 0 && !is_key) {
		names_show(row->choices);
		return 1;
	}
	r = said_is_reset(said) ? 0 : row->parse(&asking, value);
	if (r == 0 && !said->adds)
		config->origin[said->setting] = said->origin;
	if (r == 0)
		*ARRAY_ADD(&config->arena, &config->said) = *said;
	return r;
}
