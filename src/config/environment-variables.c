/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * $SYSTEMD_NSPAWN_* and relatives, as a table.
 * Zone: free.
 */
#include "config/environment-variables.h"

#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/network-values.h"

struct variable {
	const char *name;
	int (*apply)(struct config *config, const struct variable *variable, const char *value);
	size_t field;
};

static int apply_bool(struct config *config, const struct variable *variable, const char *value)
{
	bool *field = (bool *)((char *)config + variable->field);

	if (parse_bool(value, field) < 0)
		return refuse(EINVAL, "Variable '$%s' takes yes or no, not '%s'", variable->name,
			      value);
	return 0;
}

static int apply_suppress_sync(struct config *config, const struct variable *variable,
			       const char *value)
{
	if (config->origin[SETTING_SUPPRESS_SYNC] != ORIGIN_DEFAULT)
		return 0;
	TRY(apply_bool(config, variable, value));
	config->origin[SETTING_SUPPRESS_SYNC] = ORIGIN_ENVIRONMENT;
	return 0;
}

static int apply_api_vfs(struct config *config, const struct variable *variable, const char *value)
{
	bool is_on = false, is_network = strcmp(value, "network") == 0;

	if (!is_network && parse_bool(value, &is_on) < 0)
		return refuse(EINVAL, "Variable '$%s' takes yes, no or 'network', not '%s'",
			      variable->name, value);
	config->api_vfs = is_network ? API_VFS_NETWORK
			  : is_on    ? API_VFS_WRITABLE
				     : API_VFS_READ_ONLY;
	return 0;
}

static int apply_container_service(struct config *config, const struct variable *variable,
				   const char *value)
{
	/* It ends up in files, environments and replies to the machine manager. */
	if (!*value || text_has_controls(value) || strchr(value, '/'))
		return refuse(EINVAL, "Variable '$%s' takes the name of a service, not '%s'",
			      variable->name, value);
	config->container_service = value;
	return 0;
}

/* The same as the option of that name; a variable for one namespace counts more. */
static int apply_share_system(struct config *config, const struct variable *variable,
			      const char *value)
{
	TRY(apply_bool(config, variable, value));
	config->share_pid = config->share_uts = config->share_ipc;
	return 0;
}

/* Looks are no reason to fail. */
static int apply_tint(struct config *config, const struct variable *variable, const char *value)
{
	(void)parse_bool(value, (bool *)((char *)config + variable->field));
	return 0;
}

static int apply_mac(struct config *config, const struct variable *variable, const char *value)
{
	if (parse_mac(value, config->network_mac) < 0)
		return refuse(EINVAL,
			      "Variable '$%s' takes an address like 02:00:00:12:34:56, not '%s'",
			      variable->name, value);
	config->network_mac_is_set = true;
	return 0;
}

#define AT(member) offsetof(struct config, member)

/*
 * What is not here is below, or read where it is used: $NOTIFY_SOCKET and its relatives
 * (run/notify.c), $LISTEN_FDS (host/host.c), $COLUMNS and $LINES (run/console-terminal.c), the
 * terminal's and the colours' own ones (run/facts.c), $PAGER and its like, which only --help needs.
 */
static const struct variable variables[] = {
	{"SYSTEMD_NSPAWN_SHARE_SYSTEM", apply_share_system, AT(share_ipc)},
	{"SYSTEMD_NSPAWN_SHARE_NS_IPC", apply_bool, AT(share_ipc)},
	{"SYSTEMD_NSPAWN_SHARE_NS_PID", apply_bool, AT(share_pid)},
	{"SYSTEMD_NSPAWN_SHARE_NS_UTS", apply_bool, AT(share_uts)},
	{"SYSTEMD_NSPAWN_TMPFS_TMP", apply_bool, AT(tmpfs_on_tmp)},
	{"SYSTEMD_NSPAWN_API_VFS_WRITABLE", apply_api_vfs, 0},
	{"SYSTEMD_NSPAWN_USE_CGNS", apply_bool, AT(cgroup_namespace)},
	{"SYSTEMD_NSPAWN_CONTAINER_SERVICE", apply_container_service, 0},
	{"SYSTEMD_NSPAWN_LOCK", apply_bool, AT(locks)},
	{"SYSTEMD_NSPAWN_CHECK_OS_RELEASE", apply_bool, AT(check_os_release)},
	{"SYSTEMD_NSPAWN_NETWORK_MAC", apply_mac, 0},
	{"SYSTEMD_SUPPRESS_SYNC", apply_suppress_sync, AT(suppress_sync)},
	{"SYSTEMD_SECCOMP", apply_bool, AT(syscall_filter)},
	{"SYSTEMD_TINT_BACKGROUND", apply_tint, AT(tint)},
};

/*
 * What others set, for systemd-nspawn or for all of systemd, and what means nothing here. None of
 * it is a reason to fail.
 */
static const struct {
	const char *name, *reason;
} idle[] = {
	{"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "there is but one kind of cgroups"},
	{"NET_NAMING_SCHEME", "links have the same names under every scheme"},
	{"SYSTEMD_DISSECT_VERITY_SIDECAR", "no disk image is opened"},
	{"SYSTEMD_DISSECT_FILE_SYSTEMS", "no disk image is opened"},
	{"SYSTEMD_VERITY_SHARING", "no disk image is opened"},
	{"SYSTEMD_ADJUST_TERMINAL_TITLE", "the title is never touched"},
	{"SYSTEMD_LOG_TARGET", "messages always go to standard error"},
	{"SYSTEMD_LOG_SECCOMP", "the kernel logs no call that the filter denies"},
	{"FDSTORE", "the payload's descriptors are not stored"},
	{"RUNTIME_DIRECTORY", "nothing is kept in it"},
};

int config_from_environment(struct config *config)
{
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = getenv(variables[i].name);

		if (value && *value)
			TRY(variables[i].apply(config, &variables[i], value));
	}
	for (size_t i = 0; i < ARRAY_LEN(idle) && log_get_level() == LOG_DEBUG; i++)
		if (getenv(idle[i].name))
			debug("Variable '$%s' has no effect: %s", idle[i].name, idle[i].reason);
	return 0;
}

/*
 * The levels of syslog(3). Whatever the level, a failure that ends the program is told, but with
 * "null".
 */
/* clang-format off */
static const struct name level_table[] = {
	{"null", LOG_SILENT},
	{"emerg", LOG_FAILURE},
	{"0", LOG_FAILURE},
	{"alert", LOG_FAILURE},
	{"1", LOG_FAILURE},
	{"crit", LOG_FAILURE},
	{"2", LOG_FAILURE},
	{"err", LOG_FAILURE},
	{"3", LOG_FAILURE},
	{"warning", LOG_WARNING},
	{"4", LOG_WARNING},
	{"notice", LOG_NOTE},
	{"5", LOG_NOTE},
	{"info", LOG_NOTE},
	{"6", LOG_NOTE},
	{"debug", LOG_DEBUG},
	{"7", LOG_DEBUG},
};
/* clang-format on */
static const struct names levels = NAMES(level_table);

void log_level_from_environment(void)
{
	const char *value = getenv("SYSTEMD_LOG_LEVEL");
	const struct name *level = value ? names_find_nocase(&levels, value) : NULL;

	if (level)
		log_set_level((enum log_level)level->value);
	else if (value && *value)
		warn(0,
		     "Variable '$SYSTEMD_LOG_LEVEL' does not know the level '%s', keeping the "
		     "usual one",
		     value);
}
