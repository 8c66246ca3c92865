/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules between settings, as a table.
 * Zone: free.
 */
#include "config/check.h"

#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/help.h"
#include "config/config.h"

void config_defaults(struct config *config)
{
	struct config fresh = {
		.arena = config->arena,
		.program = config->program ? config->program : "nspawn",
		/* Who calls us by that name expects a tree in which nothing of a network is
		   written. */
		.network_setup = config->program && help_is_reference(config->program)
					 ? NETWORK_SETUP_NONE
					 : NETWORK_SETUP_AUTO,
		.register_machine = TRISTATE_AUTO,
		.container_service = "systemd-nspawn",
		.tmpfs_on_tmp = true,
		.cgroup_namespace = true,
		.locks = true,
		.check_os_release = true,
		.syscall_filter = true,
		.tint = true,
	};

	*config = fresh;
}

bool config_keeps_tree(const struct config *config)
{
	return config->read_only || config->ephemeral;
}

bool config_throws_template_away(const struct config *config)
{
	return config->template && !config->directory && config->ephemeral &&
	       config->origin[SETTING_EPHEMERAL] == ORIGIN_OPTION;
}

bool config_has_idle_properties(const struct config *config)
{
	for (size_t i = 0; i < config->properties.count; i++)
		if (!text_has_prefix(config->properties.items[i], "DeviceAllow="))
			return true;
	return false;
}

bool config_has_links(const struct config *config)
{
	return config->network_veth || config->network_bridges.count > 0 || config->network_zone ||
	       config->network_taps.count > 0 || config->network_interfaces.count > 0 ||
	       config->network_macvlans.count > 0 || config->network_ipvlans.count > 0 ||
	       config->network_veths_extra.count > 0;
}

static bool boots_and_has_pid2(const struct config *config)
{
	return config->has_two_starts;
}

static bool boots_with_ambient(const struct config *config)
{
	return config->start == START_BOOT && config->capabilities_ambient;
}

static bool drops_ambient(const struct config *config)
{
	return config->capabilities_ambient & config->capabilities_dropped;
}

static bool cleans_up_for_show(const struct config *config)
{
	return config->cleanup && config->dry_run != DRY_RUN_NO;
}

static bool cleans_up_ephemeral(const struct config *config)
{
	return config->cleanup && config->origin[SETTING_EPHEMERAL] != ORIGIN_DEFAULT;
}

static bool makes_tree_without_place(const struct config *config)
{
	return config->template && !config->directory && !config->machine;
}

static bool makes_ephemeral_tree(const struct config *config)
{
	return config->template && config->ephemeral;
}

/* Both write to the host what then belongs to nothing. */
static bool links_journal_of_ephemeral(const struct config *config)
{
	return config->ephemeral && (config->link_journal == LINK_JOURNAL_HOST ||
				     config->link_journal == LINK_JOURNAL_GUEST);
}

static bool limits_no_journal(const struct config *config)
{
	return !config->forward_journal &&
	       (config->forward_journal_max_use || config->forward_journal_keep_free ||
		config->forward_journal_max_file_size || config->forward_journal_max_files);
}

static bool forwards_elsewhere(const struct config *config)
{
	size_t found = 0;

	for (size_t i = 0; i < config->credentials.count; i++)
		if (strcmp(config->credentials.items[i].id, JOURNAL_SOCKET_CREDENTIAL) == 0)
			found++;
	return found > 1;
}

static bool init_shares_pids(const struct config *config)
{
	return config->start != START_COMMAND && config->share_pid;
}

static bool init_shares_host_name(const struct config *config)
{
	return config->start != START_COMMAND && config->share_uts;
}

static bool has_user_namespace(const struct config *config)
{
	return config->private_users > PRIVATE_USERS_NO;
}

static bool nests_without_users(const struct config *config)
{
	return config->nesting && config->private_users == PRIVATE_USERS_NO;
}

static bool is_managed_on_host_network(const struct config *config)
{
	return config->private_users == PRIVATE_USERS_MANAGED && !config->private_network;
}

static bool delegates_without_manager(const struct config *config)
{
	return config->private_users_delegate && config->private_users != PRIVATE_USERS_MANAGED;
}

static bool owns(const struct config *config, enum users_ownership ownership)
{
	return has_user_namespace(config) && config->private_users_ownership == ownership;
}

/* 'read_only' is also what --volatile= implies. */
static bool chowns_read_only(const struct config *config)
{
	return owns(config, OWNERSHIP_CHOWN) && config->read_only;
}

/* What is thrown away in the end must not be rewritten in the tree. */
static bool chowns_ephemeral(const struct config *config)
{
	return owns(config, OWNERSHIP_CHOWN) && config->ephemeral;
}

/*
 * New owners are told by the upper half of an id, old ones by the lower: see the manual. The last
 * range but one is the mark of a tree that is not done, the last one has the id that means none.
 */
static bool chowns_odd_range(const struct config *config)
{
	return owns(config, OWNERSHIP_CHOWN) && config->private_users == PRIVATE_USERS_RANGE &&
	       (config->private_users_base % USERS_RANGE ||
		config->private_users_base > USERS_SHIFT_LAST ||
		config->private_users_count != USERS_RANGE);
}

static bool mounts_root(const struct config *config)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (strcmp(config->mounts.items[i].destination, "/") == 0)
			return true;
	return false;
}

static bool follows_mounted_root(const struct config *config)
{
	bool asks_tree = config->private_users == PRIVATE_USERS_YES ||
			 config->private_users == PRIVATE_USERS_PICK ||
			 config->private_users == PRIVATE_USERS_MANAGED;

	return has_user_namespace(config) && mounts_root(config) &&
	       (asks_tree || !owns(config, OWNERSHIP_OFF));
}

static bool writes_api_vfs_of_host(const struct config *config)
{
	return has_user_namespace(config) && config->api_vfs == API_VFS_WRITABLE;
}

static bool writes_network_of_host(const struct config *config)
{
	return has_user_namespace(config) && config->api_vfs == API_VFS_NETWORK &&
	       !config->private_network;
}

/*
 * Without a namespace every id is the host's: who is on disk who they are inside is said by
 * nothing. The other two words say something, and builders count on it.
 */
static bool maps_without_namespace(const struct config *config)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (!has_user_namespace(config) && config->mounts.items[i].ids &&
		    config->mounts.items[i].ids->rule == ID_RULE_SAME)
			return true;
	return false;
}

static bool sets_up_nothing(const struct config *config)
{
	bool has_cable = (config->network_veth || config->network_zone) &&
			 config->network_bridges.count == 0;

	return !has_cable && (config->network_setup == NETWORK_SETUP_HOST ||
			      config->network_setup == NETWORK_SETUP_GUEST);
}

static bool links_in_foreign_network(const struct config *config)
{
	return config->network_namespace_path && config_has_links(config);
}

static bool plugs_into_two(const struct config *config)
{
	return config->network_bridges.count > 0 && config->network_zone;
}

static bool publishes_own_ports(const struct config *config)
{
	return (config->ports.count > 0 || config->host_ports.count > 0) &&
	       !config->private_network && !config->network_namespace_path;
}

static bool names_no_veth(const struct config *config)
{
	return config->network_veth_name && !config->network_veth &&
	       config->network_bridges.count == 0 && !config->network_zone;
}

static bool has_shell_of_nobody(const struct config *config)
{
	return config->bind_user_shell && config->bind_users.count == 0;
}

static bool has_group_of_nobody(const struct config *config)
{
	return config->bind_user_groups.count > 0 && config->bind_users.count == 0;
}

static const struct {
	bool (*holds)(const struct config *config);
	const char *complaint;
	const char *advice;
} rules[] = {
	{nests_without_users, "'--nesting' needs a user namespace",
	 "Root in a container inside would be root of the host: leave out '--private-users=no'"},
	{boots_and_has_pid2, "'--boot' and '--as-pid2' cannot be combined",
	 "An init must be PID 1: leave out '--as-pid2'"},
	{boots_with_ambient, "'--ambient-capability' cannot be combined with '--boot'",
	 "An init runs as root and sets the capabilities of its services itself"},
	{drops_ambient,
	 "'--ambient-capability' has a capability that '--drop-capability' takes away", NULL},
	{init_shares_pids, "'--boot' and '--as-pid2' need a PID namespace of their own",
	 "An init must be PID 1: leave out '--share-system' and $SYSTEMD_NSPAWN_SHARE_NS_PID"},
	{init_shares_host_name, "'--boot' and '--as-pid2' need a UTS namespace of their own",
	 "An init names its machine: leave out '--share-system' and $SYSTEMD_NSPAWN_SHARE_NS_UTS"},
	{is_managed_on_host_network, "'--private-users=managed' needs a network of its own",
	 "Add --private-network, or use --private-users=pick"},
	{delegates_without_manager, "'--private-users-delegate' needs '--private-users=managed'",
	 "Only systemd-nsresourced hands out ranges to machines inside of machines"},
	{chowns_read_only,
	 "'--private-users-ownership=chown' cannot be combined with '--read-only' or '--volatile'",
	 "'auto' maps the owners and changes nothing on disk"},
	{chowns_ephemeral,
	 "'--private-users-ownership=chown' cannot be combined with '--ephemeral'",
	 "Leave it out: the throw-away changes are mapped, and the tree stays as it is"},
	{chowns_odd_range,
	 "'--private-users-ownership=chown' needs 65536 ids, the first a multiple of 65536",
	 "That first id can be 4294770688 at most; 'map' takes any range"},
	{follows_mounted_root,
	 "A mount on '/' hides the owners that the user namespace has to follow",
	 "Name the range, as in --private-users=131072, and add --private-users-ownership=off"},
	{writes_api_vfs_of_host,
	 "A user namespace cannot be combined with $SYSTEMD_NSPAWN_API_VFS_WRITABLE",
	 "What is writable there is the host's, and root inside has no rights to it"},
	{writes_network_of_host,
	 "$SYSTEMD_NSPAWN_API_VFS_WRITABLE=network needs a network of its own in a user namespace",
	 "Add --private-network"},
	{limits_no_journal,
	 "'--forward-journal-max-use' and the like need a journal that '--forward-journal' stores",
	 "Add --forward-journal=PATH"},
	{forwards_elsewhere,
	 "'--forward-journal' sets the credential '" JOURNAL_SOCKET_CREDENTIAL
	 "', which is set already",
	 "Leave out one of the two"},
	{maps_without_namespace, "The mount option 'idmap' needs a user namespace",
	 "Add --private-users=pick; 'rootidmap', 'owneridmap' and 'owner=HOST>GUEST' need none"},
	{sets_up_nothing,
	 "'--network-setup' sets up the cable of '--network-veth' or '--network-zone', which is not asked for",
	 "Whoever has the bridge of '--network-bridge' gives its machines their addresses"},
	{links_in_foreign_network,
	 "'--network-namespace-path' cannot be combined with links of the machine's own",
	 "Whoever made that network gives it its links"},
	{plugs_into_two, "'--network-bridge' and '--network-zone' cannot be combined",
	 "The cable has one end: '--network-veth-extra' makes another cable"},
	{publishes_own_ports, "'--port' and '--host-port' need a network of the machine's own",
	 "Its ports are the host's without: add '--network-veth', or '--private-network'"},
	{names_no_veth,
	 "'--network-veth-name' names the cable of '--network-veth', which is not asked for",
	 "Add --network-veth"},
	{has_shell_of_nobody, "'--bind-user-shell' with a path needs a user of '--bind-user'",
	 NULL},
	{has_group_of_nobody, "'--bind-user-group' needs a user of '--bind-user'", NULL},
	{cleans_up_for_show, "'--cleanup' cannot be combined with '--dry-run'",
	 "What is left of the machine is told when it is removed"},
	{links_journal_of_ephemeral,
	 "'--ephemeral' cannot be combined with '--link-journal=host' or 'guest'",
	 "'try-host' and 'try-guest' do without where it is not possible"},
	{makes_ephemeral_tree, "'--template' cannot be combined with '--ephemeral'",
	 "'--ephemeral --directory=' makes no copy and throws the changes away"},
	{makes_tree_without_place, "'--template' needs '--directory' or '--machine'",
	 "The tree is made there if it is not there yet"},
	{cleans_up_ephemeral, "'--cleanup' cannot be combined with '--ephemeral'",
	 "Nothing of such a machine has a name to find it by"},
};

/*
 * PID 1 gets these words as its environment, as the kernel does with words on its command line
 * (bootparam(7)).
 */
static bool is_boot_variable(const char *word)
{
	for (; *word && *word != '='; word++)
		if (*word == '.')
			return false;
	return *word == '=';
}

static void split_boot_words(struct config *config)
{
	struct strings arguments = {0};

	for (size_t i = 0; i < config->words.count; i++) {
		char *word = arena_copy(&config->arena, config->words.items[i]);

		if (is_boot_variable(word)) {
			for (char *c = word; *c != '='; c++)
				if (*c == '-')
					*c = '_';
			if (text_is_assignment(word)) {
				strings_add(&config->arena, &config->environment, word);
				continue;
			}
		}
		strings_add(&config->arena, &arguments, config->words.items[i]);
	}
	config->words = arguments;
}

/*
 * How owners follow is only asked by who wants a user namespace. Nobody wants a range of ids that
 * all files are a stranger's for, so not with 'off'.
 */
static void imply_users(struct config *config)
{
	bool is_automatic;

	if (config->private_users == PRIVATE_USERS_DEFAULT &&
	    (config->private_users_ownership > OWNERSHIP_OFF || config->nesting))
		config->private_users = PRIVATE_USERS_PICK;
	is_automatic = config->private_users == PRIVATE_USERS_DEFAULT ||
		       config->private_users == PRIVATE_USERS_PICK ||
		       config->private_users == PRIVATE_USERS_MANAGED;
	if (config->private_users == PRIVATE_USERS_NO &&
	    config->private_users_ownership > OWNERSHIP_OFF)
		warn(0, "Without a user namespace the owners of the tree's files need not follow, "
			"leaving them alone");
	if (config->private_users_ownership == OWNERSHIP_DEFAULT)
		config->private_users_ownership = is_automatic ? OWNERSHIP_AUTO : OWNERSHIP_OFF;
}

static void imply(struct config *config)
{
	if (config->start == START_BOOT)
		split_boot_words(config);
	if (config_throws_template_away(config)) {
		config->directory = config->template;
		config->template = NULL;
	}
	if (config->forward_journal)
		*ARRAY_ADD(&config->arena, &config->credentials) = (struct credential_request){
			.id = JOURNAL_SOCKET_CREDENTIAL,
			.text = JOURNAL_SOCKET_INSIDE,
		};
	/* The machine manager would take the host's processes, or its name, for the machine's. */
	if (config->share_pid || config->share_uts)
		config->register_machine = TRISTATE_NO;
	/* The caller's own descriptors go in: what we said would mix with what the payload says. */
	if (config->console == CONSOLE_PIPE)
		config->quiet = true;
	if (config->volatile_mode != VOLATILE_NO)
		config->read_only = true;
	/* What is mounted there cannot be written to by us, nor what it hides. */
	if (mounts_root(config))
		config->read_only = true;
	if (config_has_links(config))
		config->private_network = true;
	imply_users(config);
}

/* What is shared with the host has consequences that nobody asked for. */
static void mention_shared(const struct config *config)
{
	if (config->origin[SETTING_SHARE_SYSTEM] != ORIGIN_DEFAULT)
		warn(0, "Option '--share-system' is an old spelling, taking it as "
			"SYSTEMD_NSPAWN_SHARE_SYSTEM=1 in the environment");
	if (config->share_uts && config->hostname)
		warn(0, "The host name '%s' would be the host's as well, keeping the host's own",
		     config->hostname);
	if (config->share_pid)
		note("The payload shares the host's processes: it goes without CAP_SYS_BOOT and "
		     "CAP_SYS_PTRACE, unless '--capability' names them");
}

int config_check(struct config *config)
{
	imply(config);
	if (config->user_is_old_name && !config->quiet)
		warn(0, "Option '--user' with a name is an old spelling, taking it as '--uid=%s'",
		     config->user);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].holds(config)) {
			int r = refuse(EINVAL, "%s", rules[i].complaint);

			if (rules[i].advice)
				hint("%s", rules[i].advice);
			return r;
		}
	/* Who asks for debug messages besides wants to see what quiet hides. */
	if (config->quiet && log_get_level() == LOG_NOTE)
		log_set_level(LOG_WARNING);
	mention_shared(config);
	return 0;
}
