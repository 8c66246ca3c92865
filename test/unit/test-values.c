/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What values turn into, going in by the settings table as everything does.
 */
#include "config/port-values.h"
#include "config/values.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/names.h"
#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "config/capability-names.h"
#include "config/check.h"
#include "config/config.h"
#include "config/limit-values.h"

static struct captured captured;
static struct config config;

static void reset(void)
{
	arena_done(&config.arena);
	config_defaults(&config);
	capture_start(&captured);
}

/* Applies to what is there already. */
static int apply(enum setting setting, const char *value)
{
	return setting_apply(
		&config,
		&(struct said){.setting = setting, .value = value, .origin = ORIGIN_OPTION});
}

/* The same, said by a file. */
static int apply_key(enum setting setting, const char *value)
{
	return setting_apply(
		&config, &(struct said){.setting = setting, .value = value, .origin = ORIGIN_FILE});
}

/* Applies to the defaults. */
static int ask(enum setting setting, const char *value)
{
	reset();
	return apply(setting, value);
}

static void refuses(enum setting setting, const char *value)
{
	int r = ask(setting, value);

	if (r >= 0 || captured.failures < 1 || captured.failures > 2 ||
	    config.origin[setting] != ORIGIN_DEFAULT) {
		check_failures++;
		fprintf(stderr, "setting %d takes '%s': %d, %s", (int)setting, value, r,
			captured.all);
	}
}

#define REFUSES(setting, ...) \
	do { \
		const char *const values[] = {__VA_ARGS__}; \
		for (size_t each = 0; each < ARRAY_LEN(values); each++) \
			refuses(setting, values[each]); \
	} while (0)

static bool users_are(enum private_users mode, uint32_t base, uint32_t count)
{
	return config.private_users == mode && config.private_users_base == base &&
	       config.private_users_count == count;
}

static void test_private_users(void)
{
	CHECK(ask(SETTING_PRIVATE_USERS, NULL) == 0 && users_are(PRIVATE_USERS_YES, 0, 0));
	CHECK(ask(SETTING_PRIVATE_USERS, "Yes") == 0 && users_are(PRIVATE_USERS_YES, 0, 0));
	CHECK(ask(SETTING_PRIVATE_USERS, "off") == 0 && users_are(PRIVATE_USERS_NO, 0, 0));
	CHECK(ask(SETTING_PRIVATE_USERS, "managed") == 0 && users_are(PRIVATE_USERS_MANAGED, 0, 0));
	CHECK(ask(SETTING_PRIVATE_USERS, "identity") == 0 &&
	      users_are(PRIVATE_USERS_IDENTITY, 0, 65536));
	/* Digits are ids, the same ones a file means as switches. */
	CHECK(ask(SETTING_PRIVATE_USERS, "0") == 0 && users_are(PRIVATE_USERS_RANGE, 0, 65536));
	CHECK(ask(SETTING_PRIVATE_USERS, "1") == 0 && users_are(PRIVATE_USERS_RANGE, 1, 65536));
	reset();
	CHECK(apply_key(SETTING_PRIVATE_USERS, "0") == 0 && users_are(PRIVATE_USERS_NO, 0, 0));
	CHECK(apply_key(SETTING_PRIVATE_USERS, "1") == 0 && users_are(PRIVATE_USERS_YES, 0, 0));
	CHECK(apply_key(SETTING_PRIVATE_USERS, "2") == 0 &&
	      users_are(PRIVATE_USERS_RANGE, 2, 65536));
	CHECK(ask(SETTING_PRIVATE_USERS, "4294967294:1") == 0 &&
	      users_are(PRIVATE_USERS_RANGE, 4294967294, 1));
	CHECK(ask(SETTING_PRIVATE_USERS, "0:4294967295") == 0);
	/* The last one counts, as a whole. */
	CHECK(apply(SETTING_PRIVATE_USERS, "pick") == 0 && users_are(PRIVATE_USERS_PICK, 0, 0));
	CHECK(ask(SETTING_PRIVATE_USERS_PICK, NULL) == 0 && users_are(PRIVATE_USERS_PICK, 0, 0));
	CHECK(config.private_users_if_possible);
	CHECK(apply(SETTING_PRIVATE_USERS, "pick") == 0 && !config.private_users_if_possible);
	REFUSES(SETTING_PRIVATE_USERS, "Pick", "pcik", "auto", ":", "1:", ":1", "1:0", "1:2:3",
		"4294967295", "4294967294:2", "1:4294967295", "65536:4294901760", "0:4294967296",
		"99999999999999999999:1", "-1", "+1", "01", "1 ", "0x10");
}

static void test_ownership(void)
{
	CHECK(ask(SETTING_PRIVATE_USERS_OWNERSHIP, "map") == 0 &&
	      config.private_users_ownership == OWNERSHIP_MAP);
	CHECK(apply(SETTING_PRIVATE_USERS_OWNERSHIP, "yes") == 0 &&
	      config.private_users_ownership == OWNERSHIP_AUTO);
	CHECK(apply(SETTING_PRIVATE_USERS_CHOWN, NULL) == 0 &&
	      config.private_users_ownership == OWNERSHIP_CHOWN);
	CHECK(apply(SETTING_PRIVATE_USERS_OWNERSHIP, "0") == 0 &&
	      config.private_users_ownership == OWNERSHIP_OFF);
	CHECK(apply(SETTING_PRIVATE_USERS_DELEGATE, "16") == 0 &&
	      config.private_users_delegate == 16);
	REFUSES(SETTING_PRIVATE_USERS_OWNERSHIP, "MAP", "mapped", "2");
	REFUSES(SETTING_PRIVATE_USERS_CHOWN, "map", "2");
	REFUSES(SETTING_PRIVATE_USERS_DELEGATE, "17", "-1", "yes", "4294967296");
}

/* Between blanks: what is said, then the mode and the ownership that come of it. */
static const struct {
	const char *users, *ownership;
	enum private_users mode;
	enum users_ownership result;
	size_t warnings;
} implied[] = {
	{NULL, NULL, PRIVATE_USERS_DEFAULT, OWNERSHIP_AUTO, 0},
	{"pick", NULL, PRIVATE_USERS_PICK, OWNERSHIP_AUTO, 0},
	{"yes", NULL, PRIVATE_USERS_YES, OWNERSHIP_OFF, 0},
	{"65536", NULL, PRIVATE_USERS_RANGE, OWNERSHIP_OFF, 0},
	{"identity", NULL, PRIVATE_USERS_IDENTITY, OWNERSHIP_OFF, 0},
	{"no", NULL, PRIVATE_USERS_NO, OWNERSHIP_OFF, 0},
	{"no", "map", PRIVATE_USERS_NO, OWNERSHIP_MAP, 1},
	{NULL, "map", PRIVATE_USERS_PICK, OWNERSHIP_MAP, 0},
	{NULL, "off", PRIVATE_USERS_DEFAULT, OWNERSHIP_OFF, 0},
	{"pick", "off", PRIVATE_USERS_PICK, OWNERSHIP_OFF, 0},
};

static void test_users_implied(void)
{
	for (size_t i = 0; i < ARRAY_LEN(implied); i++) {
		reset();
		CHECK(!implied[i].users || apply(SETTING_PRIVATE_USERS, implied[i].users) == 0);
		CHECK(!implied[i].ownership ||
		      apply(SETTING_PRIVATE_USERS_OWNERSHIP, implied[i].ownership) == 0);
		CHECK(config_check(&config) == 0 && captured.warnings == implied[i].warnings);
		CHECK(config.private_users == implied[i].mode);
		CHECK(config.private_users_ownership == implied[i].result);
	}
}

/* Settings with which the user namespace cannot be had; and the same with one less, which is fine.
 */
static const struct {
	const char *users, *ownership;
	enum setting other;
	const char *value, *complaint;
} conflicts[] = {
	{"managed", NULL, SETTING_QUIET, NULL, "needs a network of its own"},
	{"pick", NULL, SETTING_PRIVATE_USERS_DELEGATE, "1", "needs '--private-users=managed'"},
	{"pick", "chown", SETTING_READ_ONLY, NULL, "cannot be combined with '--read-only'"},
	{"pick", "chown", SETTING_VOLATILE, "state", "cannot be combined with '--read-only'"},
	{"65537", "chown", SETTING_QUIET, NULL, "needs 65536 ids"},
	{"65536:65537", "chown", SETTING_QUIET, NULL, "needs 65536 ids"},
	/* The mark of a tree that is not done. */
	{"4294836224", "chown", SETTING_QUIET, NULL, "needs 65536 ids"},
	{"pick", "off", SETTING_BIND, "/srv:/", "A mount on '/'"},
	{"65536", "map", SETTING_BIND, "/srv:/", "A mount on '/'"},
	{"yes", NULL, SETTING_TMPFS, "/", "A mount on '/'"},
};

static void test_users_conflicts(void)
{
	for (size_t i = 0; i < ARRAY_LEN(conflicts); i++) {
		CHECK(ask(SETTING_PRIVATE_USERS, conflicts[i].users) == 0);
		CHECK(!conflicts[i].ownership ||
		      apply(SETTING_PRIVATE_USERS_OWNERSHIP, conflicts[i].ownership) == 0);
		CHECK(apply(conflicts[i].other, conflicts[i].value) == 0);
		CHECK(config_check(&config) == -EINVAL);
		CHECK(strstr(captured.first, conflicts[i].complaint));
	}
	CHECK(ask(SETTING_PRIVATE_USERS, "managed") == 0 &&
	      apply(SETTING_PRIVATE_NETWORK, NULL) == 0 &&
	      apply(SETTING_PRIVATE_USERS_DELEGATE, "1") == 0 && config_check(&config) == 0);
	CHECK(ask(SETTING_PRIVATE_USERS, "65536") == 0 && apply(SETTING_BIND, "/srv:/") == 0 &&
	      config_check(&config) == 0);
	CHECK(ask(SETTING_PRIVATE_USERS, "0") == 0 &&
	      apply(SETTING_PRIVATE_USERS_OWNERSHIP, "chown") == 0 && config_check(&config) == 0);
	CHECK(ask(SETTING_PRIVATE_USERS, "4294770688") == 0 &&
	      apply(SETTING_PRIVATE_USERS_OWNERSHIP, "chown") == 0 && config_check(&config) == 0);
	CHECK(ask(SETTING_PRIVATE_USERS, "pick") == 0);
	config.api_vfs = API_VFS_NETWORK;
	CHECK(config_check(&config) == -EINVAL);
	CHECK(ask(SETTING_PRIVATE_USERS, "pick") == 0 && apply(SETTING_PRIVATE_NETWORK, NULL) == 0);
	config.api_vfs = API_VFS_NETWORK;
	CHECK(config_check(&config) == 0);
	config.api_vfs = API_VFS_WRITABLE;
	CHECK(config_check(&config) == -EINVAL);
}

static void test_bind(void)
{
	const struct mount_request *mount;
	char directory[4096], expected[5000];

	CHECK(ask(SETTING_BIND, "/a//b/./c/") == 0 && config.mounts.count == 1);
	mount = config.mounts.items;
	CHECK(mount->kind == MOUNT_BIND && mount->recursive && !mount->read_only &&
	      !mount->source_is_in_tree);
	CHECK_TEXT(mount->source, "/a/b/c");
	CHECK_TEXT(mount->destination, "/a/b/c");

	CHECK(ask(SETTING_BIND_RO, "/a\\:b:/c\\\\d:norbind,noidmap") == 0);
	mount = config.mounts.items;
	CHECK(mount->read_only && !mount->recursive);
	CHECK_TEXT(mount->source, "/a:b");
	CHECK_TEXT(mount->destination, "/c\\d");

	CHECK(ask(SETTING_BIND, ":/scratch") == 0);
	CHECK(config.mounts.items[0].source == NULL);
	CHECK(ask(SETTING_BIND, "+/in/tree") == 0);
	CHECK(config.mounts.items[0].source_is_in_tree);
	CHECK_TEXT(config.mounts.items[0].source, "/in/tree");
	CHECK_TEXT(config.mounts.items[0].destination, "/in/tree");

	CHECK(getcwd(directory, sizeof(directory)) != NULL);
	(void)snprintf(expected, sizeof(expected), "%s/relative", directory);
	CHECK(ask(SETTING_BIND, "relative:/x:rbind") == 0 && config.mounts.items[0].recursive);
	CHECK_TEXT(config.mounts.items[0].source, expected);
	CHECK(ask(SETTING_BIND, "/a:/b:") == 0);

	CHECK(apply(SETTING_TMPFS, "/t") == 0 && apply(SETTING_BIND_RO, "/e") == 0);
	CHECK(config.mounts.count == 3 && config.mounts.items[2].position == 2);

	REFUSES(SETTING_BIND, ":", "relative", "/a:relative", "/a:", "/a::norbind", "/a:/b:rbind:x",
		"/a:/b:foo", "/a:/b:ro", "/a:/b:norbind:idmap", "+relative:/a", "+:/a",
		"/a:/b/../c", "/a/../b", "/a\\", "+");
}

/* The one request of a mount that was asked for, its owners' sides as text. */
static const char *owner_texts(size_t number)
{
	const struct owner_request *owner = &config.mounts.items[0].ids->owners.items[number];

	return arena_format(&config.arena, "%s:%s>%s:%s", owner->host.user ?: "",
			    owner->host.group ?: "", owner->guest.user ?: "",
			    owner->guest.group ?: "");
}

static void test_owners(void)
{
	const struct mount_request *mount;

	CHECK(ask(SETTING_BIND, "/a:/b:noidmap") == 0 && config.mounts.items[0].ids == NULL);
	CHECK(ask(SETTING_BIND, "/a:/b:rootidmap,noidmap") == 0 && !config.mounts.items[0].ids);
	CHECK(ask(SETTING_BIND, "/a:/b:norbind,rootidmap") == 0);
	CHECK(config.mounts.items[0].ids->rule == ID_RULE_ROOT &&
	      !config.mounts.items[0].recursive);
	CHECK(ask(SETTING_BIND_RO, "/a:/b:idmap") == 0);
	CHECK(config.mounts.items[0].ids->rule == ID_RULE_SAME);
	CHECK(ask(SETTING_BIND, "/a:/b:owneridmap") == 0);
	CHECK(config.mounts.items[0].ids->rule == ID_RULE_OWNER);
	CHECK(config_check(&config) == 0);
	CHECK(ask(SETTING_BIND, "/a:/b:idmap") == 0);
	CHECK(config_check(&config) == -EINVAL && strstr(captured.first, "needs a user namespace"));

	CHECK(ask(SETTING_BIND, "/a:/b:owner=me>www-data,norbind,owner=1000:100>33:34") == 0);
	mount = &config.mounts.items[0];
	CHECK(mount->ids->rule == ID_RULE_PLAIN && mount->ids->owners.count == 2);
	CHECK(!mount->recursive);
	CHECK_TEXT(owner_texts(0), "me:>www-data:");
	CHECK_TEXT(owner_texts(1), "1000:100>33:34");
	CHECK(config_check(&config) == 0);
	CHECK(ask(SETTING_BIND, "/a:/b:owner=1000-1999>0-999") == 0);
	CHECK_TEXT(owner_texts(0), "1000-1999:>0-999:");
	CHECK(ask(SETTING_BIND, "/a:/b:owner=:users>:0") == 0);
	CHECK_TEXT(owner_texts(0), ":users>:0");

	REFUSES(SETTING_BIND, "/a:/b:owner=", "/a:/b:owner=me", "/a:/b:owner=>", "/a:/b:owner=me>",
		"/a:/b:owner=>you", "/a:/b:owner=:>:", "/a:/b:owner=a:b>c", "/a:/b:owner=a>c:d",
		"/a:/b:owner=1-2>3", "/a:/b:owner=1-2>3-5", "/a:/b:owner=2-1>2-1",
		"/a:/b:owner=-1>1", "/a:/b:owner=1->1-", "/a:/b:owner=4294967295>1",
		"/a:/b:owner=0-4294967295>0-4294967295", "/a:/b:owner=a b>c", "/a:/b:owner=a>b>c",
		"/a:/b:owner=1.5>2", "/a:/b:owner=01>2", "/a:/b:owner=1-2-3>1-2-3",
		"/a:/b:owner=99999999999999999999>1", "/a:/b:owners=a>b", "/a:/b:owner");

	CHECK(ask(SETTING_OVERLAY, "/a:/b:/c:owner=1:2>3:4,owner=x>y") == 0);
	mount = &config.mounts.items[0];
	CHECK(mount->layer_count == 2 && mount->ids->owners.count == 2);
	CHECK_TEXT(mount->destination, "/c");
	CHECK_TEXT(owner_texts(0), "1:2>3:4");
	CHECK(ask(SETTING_OVERLAY_RO, "/a:/b:rootidmap") == 0);
	CHECK_TEXT(config.mounts.items[0].destination, "/b");
	CHECK(config.mounts.items[0].ids->rule == ID_RULE_ROOT);
	REFUSES(SETTING_OVERLAY, "/a:/b:/c:norbind", "/a:/b:/c:idmap,norbind", "/a:owner=1>2",
		"/a:/b:/c:owner=1", "/a:/b:idmap:/c");
}

static void test_bind_users(void)
{
	CHECK(ask(SETTING_BIND_USER, "alice bob") == 0 && config.bind_users.count == 2);
	CHECK(apply(SETTING_BIND_USER, "carol") == 0 && config.bind_users.count == 3);
	CHECK(apply(SETTING_BIND_USER_SHELL, "/bin/zsh") == 0 && config_check(&config) == 0);
	CHECK_TEXT(config.bind_user_shell, "/bin/zsh");
	CHECK(apply(SETTING_BIND_USER_SHELL, "yes") == 0 && config.bind_user_shell_is_copied &&
	      !config.bind_user_shell);
	CHECK(apply(SETTING_BIND_USER_SHELL, "no") == 0 && !config.bind_user_shell_is_copied);
	CHECK(apply(SETTING_BIND_USER_GROUP, "wheel") == 0 && config_check(&config) == 0);
	REFUSES(SETTING_BIND_USER, "1000", "../a", "a/b", "a:b", "-a", "a alice/..");
	REFUSES(SETTING_BIND_USER_GROUP, "1000", "a/b", "a:b");
	REFUSES(SETTING_BIND_USER_SHELL, "zsh", "/bin/../zsh", "/bin/", "//x");
	CHECK(ask(SETTING_BIND_USER_SHELL, "yes") == 0 && config_check(&config) == 0);
	CHECK(ask(SETTING_BIND_USER_SHELL, "/bin/sh") == 0 && config_check(&config) == -EINVAL);
	CHECK(ask(SETTING_BIND_USER_GROUP, "x") == 0 && config_check(&config) == -EINVAL);
}

static void test_other_mounts(void)
{
	CHECK(ask(SETTING_TMPFS, "/a\\:b:mode=1777,mpol=bind:0-3") == 0);
	CHECK(config.mounts.items[0].kind == MOUNT_TMPFS);
	CHECK_TEXT(config.mounts.items[0].destination, "/a:b");
	CHECK_TEXT(config.mounts.items[0].options, "mode=1777,mpol=bind:0-3");
	CHECK(ask(SETTING_TMPFS, "/tmp/") == 0 && config.mounts.items[0].options == NULL);
	CHECK_TEXT(config.mounts.items[0].destination, "/tmp");
	CHECK(ask(SETTING_TMPFS, "/tmp:") == 0 && config.mounts.items[0].options == NULL);
	REFUSES(SETTING_TMPFS, "tmp", ":mode=1", "/a/../b", "/a\\");

	CHECK(ask(SETTING_INACCESSIBLE, "/proc/kcore") == 0 &&
	      config.mounts.items[0].kind == MOUNT_INACCESSIBLE);
	CHECK_TEXT(config.mounts.items[0].destination, "/proc/kcore");
	REFUSES(SETTING_INACCESSIBLE, "x", "/", "//", "/..", "/a/../b");

	CHECK(ask(SETTING_BIND, "/x:/") == 0 && config_check(&config) == 0 && config.read_only);
}

static const struct device_request *device(const char *value)
{
	CHECK(ask(SETTING_DEVICE, value) == 0 && config.devices.count == 1);
	return &config.devices.items[0];
}

static void test_devices(void)
{
	const struct device_request *request = device("/dev//ttyS0");

	CHECK_TEXT(request->path, "/dev/ttyS0");
	CHECK_TEXT(request->inside, "/dev/ttyS0");
	CHECK(request->access == (DEVICE_READ | DEVICE_WRITE) && !request->access_is_said);
	request = device("/dev/sda:r");
	CHECK(request->access == DEVICE_READ && request->access_is_said);
	request = device("/srv/node\\:1:/dev/disks/one:mr");
	CHECK_TEXT(request->path, "/srv/node:1");
	CHECK_TEXT(request->inside, "/dev/disks/one");
	CHECK(request->access == (DEVICE_READ | DEVICE_MAKE));
	request = device("kvm:/dev/accel:w");
	CHECK_TEXT(request->name, "kvm");
	CHECK_TEXT(request->inside, "/dev/accel");
	CHECK(request->kind && !request->path && request->access == DEVICE_WRITE);
	request = device("loop");
	CHECK(!request->inside && request->access == (DEVICE_READ | DEVICE_WRITE | DEVICE_MAKE));
	CHECK(device("loop:r")->access == DEVICE_READ);
	REFUSES(SETTING_DEVICE, "nosuch", "dev/null", ":",
		"/dev/null:", "/dev/null:/dev/x:", "/dev/null:/dev/x:rr", "/dev/null:/dev/x:rx",
		"/dev/null:/dev/x:rw:m", "/dev", "/etc/passwd", "/dev/x:/etc/x", "/dev/x:/dev",
		"/dev/x:/dev/../x", "/dev/x:/dev/console", "/dev/x:/dev/pts/7", "/dev/x:/dev/shm",
		"/dev/x:rw:/dev/y", "loop:/dev/x", "kvm:", "kvm:x", "\\");
}

static void test_capabilities(void)
{
	for (unsigned int i = 0; i < capability_names.count; i++) {
		CHECK(capability_from_text(capability_name(i)) == (int)i);
		CHECK(capability_from_text(capability_name(i) + 4) == (int)i);
	}
	CHECK(capability_name((unsigned int)capability_names.count) == NULL);
	CHECK(capability_from_text("cap_Sys_Admin") == 21 && capability_from_text("63") == 63);
	CHECK(capability_from_text("64") < 0 && capability_from_text("021") < 0 &&
	      capability_from_text("") < 0);
	CHECK(capability_from_text("CAP_") < 0 && capability_from_text("CAP_CAP_CHOWN") < 0);

	CHECK(ask(SETTING_CAPABILITY, "cap_ipc_lock,CAP_SYS_NICE,3") == 0);
	CHECK(config.capabilities_added == (1u << 14 | 1u << 23 | 1u << 3));
	CHECK(apply(SETTING_CAPABILITY, "CAP_CHOWN") == 0 && (config.capabilities_added & 1));
	CHECK(ask(SETTING_CAPABILITY, "all") == 0 && config.capabilities_added == UINT64_MAX);
	CHECK(ask(SETTING_DROP_CAPABILITY, "all") == 0 &&
	      config.capabilities_dropped == UINT64_MAX);
	CHECK(ask(SETTING_CAPABILITY, "") == 0 && config.capabilities_added == 0);
	REFUSES(SETTING_CAPABILITY, "CAP_FOO", "CAP_CHOWN,foo", "CAP_CHOWN;CAP_KILL", "-1", "64",
		"~CAP_CHOWN");
	CHECK(config.capabilities_added == 0);
	CHECK(ask(SETTING_AMBIENT_CAPABILITY, "CAP_NET_RAW") == 0 &&
	      config.capabilities_ambient == 1 << 13);
	REFUSES(SETTING_AMBIENT_CAPABILITY, "all", "CAP_KILL,ALL");
}

static void test_system_calls(void)
{
	CHECK(ask(SETTING_SYSTEM_CALL_FILTER, "swapcontext  @mount") == 0);
	CHECK(apply(SETTING_SYSTEM_CALL_FILTER, "~add_key") == 0);
	CHECK(apply(SETTING_SYSTEM_CALL_FILTER, "bpf") == 0);
	CHECK(config.syscalls_allowed.count == 3 && config.syscalls_denied.count == 1);
	CHECK_TEXT(config.syscalls_allowed.items[1], "@mount");
	CHECK_TEXT(config.syscalls_denied.items[0], "add_key");
	CHECK(ask(SETTING_SYSTEM_CALL_FILTER, "") == 0 &&
	      ask(SETTING_SYSTEM_CALL_FILTER, "~") == 0);
	REFUSES(SETTING_SYSTEM_CALL_FILTER, "a,b", "@", "~ ~a", "a/b", "mount ~umount", "~@",
		"MOUNT");
	CHECK(config.syscalls_allowed.count == 0);
}

static bool has_family(int family)
{
	for (size_t i = 0; i < config.families.count; i++)
		if (config.families.items[i] == family)
			return true;
	return false;
}

static void test_families(void)
{
	CHECK(ask(SETTING_RESTRICT_ADDRESS_FAMILIES, "AF_INET AF_INET6 AF_INET") == 0);
	CHECK(config.families.policy == FAMILIES_ALLOW && config.families.count == 2);
	CHECK(apply(SETTING_RESTRICT_ADDRESS_FAMILIES, "~AF_INET") == 0);
	CHECK(config.families.policy == FAMILIES_ALLOW && config.families.count == 1 &&
	      has_family(AF_INET6));
	CHECK(apply(SETTING_RESTRICT_ADDRESS_FAMILIES, "AF_UNIX") == 0 && has_family(AF_UNIX));
	CHECK(apply(SETTING_RESTRICT_ADDRESS_FAMILIES, "none") == 0 && config.families.count == 0);
	CHECK(config.families.policy == FAMILIES_ALLOW);
	CHECK(apply(SETTING_RESTRICT_ADDRESS_FAMILIES, "") == 0);
	CHECK(config.families.policy == FAMILIES_UNRESTRICTED);

	CHECK(ask(SETTING_RESTRICT_ADDRESS_FAMILIES, "~AF_PACKET AF_NETLINK") == 0);
	CHECK(config.families.policy == FAMILIES_DENY && config.families.count == 2);
	CHECK(apply(SETTING_RESTRICT_ADDRESS_FAMILIES, "AF_PACKET") == 0);
	CHECK(config.families.policy == FAMILIES_DENY && config.families.count == 1 &&
	      has_family(AF_NETLINK));
	REFUSES(SETTING_RESTRICT_ADDRESS_FAMILIES, "INET", "AF_INET,AF_INET6", "AF_FOO",
		"AF_INET x", "none AF_INET", "af_inet", "2");
}

static void check_limit(const char *value, int resource, rlim_t soft, rlim_t hard)
{
	int r = ask(SETTING_RLIMIT, value);
	const struct limit_request *limit = &config.limits[resource];

	if (r < 0 || !limit->is_set || limit->value.rlim_cur != soft ||
	    limit->value.rlim_max != hard) {
		check_failures++;
		fprintf(stderr, "--rlimit=%s: %d, %s", value, r, captured.all);
	}
}

static void test_limits(void)
{
	check_limit("RLIMIT_CORE=0:infinity", RLIMIT_CORE, 0, RLIM_INFINITY);
	check_limit("LimitNOFILE=1024:524288", RLIMIT_NOFILE, 1024, 524288);
	check_limit("NOFILE=7", RLIMIT_NOFILE, 7, 7);
	check_limit("MEMLOCK=8M:1G", RLIMIT_MEMLOCK, 8 << 20, 1 << 30);
	check_limit("CPU=1500ms", RLIMIT_CPU, 2, 2);
	check_limit("CPU=5:1min", RLIMIT_CPU, 5, 60);
	check_limit("RTTIME=5", RLIMIT_RTTIME, 5, 5);
	check_limit("RTTIME=5s", RLIMIT_RTTIME, 5000000, 5000000);
	check_limit("NICE=+19:-20", RLIMIT_NICE, 1, 40);
	check_limit("NICE=0:40", RLIMIT_NICE, 0, 40);
	check_limit("STACK=infinity", RLIMIT_STACK, RLIM_INFINITY, RLIM_INFINITY);
	CHECK(config.origin[SETTING_LIMIT_STACK] == ORIGIN_OPTION &&
	      config.origin[SETTING_LIMIT_CPU] == ORIGIN_DEFAULT);
	CHECK(apply(SETTING_RLIMIT, "STACK=4K") == 0 &&
	      config.limits[RLIMIT_STACK].value.rlim_cur == 4096);
	for (int i = SETTING_LIMIT_CPU; i <= SETTING_LIMIT_RTTIME; i++) {
		const struct name *name = &limit_names.items[i - SETTING_LIMIT_CPU];

		CHECK(apply_key((enum setting)i, "1:infinity") == 0);
		CHECK(config.limits[name->value].is_set &&
		      config.limits[name->value].value.rlim_cur == 1);
		CHECK(config.origin[i] == ORIGIN_FILE);
		CHECK_TEXT(setting_rows[i].key + strlen("Exec.Limit"), name->text);
	}
	REFUSES(SETTING_RLIMIT, "NOFILE", "FOO=1", "=1", "NOFILE=", "NOFILE=1:", "NOFILE=:1",
		"NOFILE=2:1", "NOFILE=infinity:1", "NOFILE=1K", "NOFILE=-1", "NOFILE=1:2:3",
		"NICE=41", "NICE=-21", "NICE=+20", "CPU=1x", "STACK=18446744073709551615",
		"nofile=1", "RLIMIT_=1", "NOFILE=\\", "--directory");
}

static void test_numbers(void)
{
	CHECK(ask(SETTING_MEMORY, "512M") == 0 &&
	      config.resources[RESOURCE_MEMORY].value == UINT64_C(512) << 20);
	CHECK(ask(SETTING_MEMORY, "infinity") == 0 &&
	      config.resources[RESOURCE_MEMORY].value == RESOURCE_UNLIMITED);
	REFUSES(SETTING_MEMORY, "", "0", "-1", "x", "1.5G", "10%");
	CHECK(ask(SETTING_CPUS, "1.5") == 0 && config.resources[RESOURCE_CPUS].value == 1500000);
	CHECK(ask(SETTING_CPUS, "25%") == 0 && config.resources[RESOURCE_CPUS].value == 250000);
	CHECK(ask(SETTING_CPUS, "0.01") == 0 && config.resources[RESOURCE_CPUS].value == 10000);
	CHECK(ask(SETTING_CPUS, "2") == 0 && config.resources[RESOURCE_CPUS].value == 2000000);
	REFUSES(SETTING_CPUS, "", "0", "0.001", "1.", ".5", "1.2.3", "-1", "1,5", "100001", "%",
		"99999999999999999999999999999999999");
	CHECK(ask(SETTING_TASKS, "40") == 0 && config.resources[RESOURCE_TASKS].value == 40);
	REFUSES(SETTING_TASKS, "", "0", "1K", "-2", "18446744073709551615");
	CHECK(ask(SETTING_IO_WEIGHT, "10000") == 0 &&
	      config.resources[RESOURCE_IO_WEIGHT].value == 10000);
	REFUSES(SETTING_IO_WEIGHT, "", "0", "10001", "infinity");
	CHECK(ask(SETTING_OOM_SCORE_ADJUST, "-1000") == 0 && config.oom_score_adjust == -1000);
	CHECK(config.oom_score_adjust_is_set);
	REFUSES(SETTING_OOM_SCORE_ADJUST, "", "1001", "-1001", "x", "1.5", " 1", "010");

	CHECK(ask(SETTING_CPU_AFFINITY, "0,2-5 9") == 0 && CPU_COUNT(&config.cpu_affinity) == 6);
	CHECK(CPU_ISSET(5, &config.cpu_affinity) && !CPU_ISSET(1, &config.cpu_affinity));
	CHECK(apply(SETTING_CPU_AFFINITY, "") == 0 && CPU_COUNT(&config.cpu_affinity) == 0);
	REFUSES(SETTING_CPU_AFFINITY, ",", " ", "5-2", "1-", "-1", "1-2-3", "1024", "0-1024", "x",
		"4294967295", "01");

	CHECK(ask(SETTING_KILL_SIGNAL, "SIGRTMIN+3") == 0 && config.kill_signal == SIGRTMIN + 3);
	REFUSES(SETTING_KILL_SIGNAL, "", "0", "FOO", "-9", "65");
#ifdef __x86_64__
	CHECK(ask(SETTING_PERSONALITY, "x86") == 0 && config.personality == PER_LINUX32 &&
	      config.personality_is_set);
	CHECK(ask(SETTING_PERSONALITY, "x86-64") == 0 && config.personality == PER_LINUX);
	REFUSES(SETTING_PERSONALITY, "", "arm64", "X86", "i386");
#endif
}

static void test_identity(void)
{
	static const uint8_t id[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
				       0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

	CHECK(ask(SETTING_MACHINE, "a.b-c") == 0);
	CHECK_TEXT(config.machine, "a.b-c");
	CHECK(apply(SETTING_HOSTNAME, "other") == 0 && apply(SETTING_MACHINE, "") == 0);
	CHECK(config.machine == NULL);
	CHECK_TEXT(config.hostname, "other");
	REFUSES(SETTING_MACHINE, ".host", "a_b", "-a", "a.", "a b", "../x");
	REFUSES(SETTING_HOSTNAME, "a_b", "a\n");

	CHECK(ask(SETTING_UUID, "01234567-89ab-cdef-0123-456789abcdef") == 0 && config.uuid_is_set);
	CHECK(memcmp(config.uuid, id, 16) == 0);
	REFUSES(SETTING_UUID, "", "00000000000000000000000000000000", "x",
		"01234567-89ab-cdef-0123-456789abcde");
}

/* A number read in two ways has made users root: only one spelling counts. */
static void test_users(void)
{
	static const char *const good[] = {"1", "0", "root", "1000", "4294967294", "_x", "a-b.c"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CHECK(ask(SETTING_UID, good[i]) == 0);
		CHECK_TEXT(config.user, good[i]);
		CHECK(ask(SETTING_USER, good[i]) == 0 &&
		      config.origin[SETTING_UID] == ORIGIN_OPTION);
		CHECK_TEXT(config.user, good[i]);
		CHECK(config_check(&config) == 0 && captured.warnings == 1);
	}
	REFUSES(SETTING_UID, "", "01", "1:", ":1", "0x1", " 1", "1 ", "-1", "+1", "4294967295",
		"4294967296", "18446744073709551616", "1e3", "1.0", "١", "0-0", "a:b", "a b",
		"../x");
	REFUSES(SETTING_USER, "01", "1:");
	/* Without a name it is the scope, and no user of the tree. */
	CHECK(ask(SETTING_USER, NULL) == 0 && config.scope == SCOPE_USER && !config.user);
	CHECK(config_check(&config) == 0 && captured.warnings == 0);
	CHECK(ask(SETTING_SYSTEM, NULL) == 0 && config.scope == SCOPE_SYSTEM);
}

static void test_paths(void)
{
	char directory[4096], expected[5000];

	CHECK(getcwd(directory, sizeof(directory)) != NULL);
	(void)snprintf(expected, sizeof(expected), "%s/x", directory);
	CHECK(ask(SETTING_DIRECTORY, "x/") == 0);
	CHECK_TEXT(config.directory, expected);
	CHECK(apply(SETTING_DIRECTORY, "") == 0 && config.directory == NULL);
	REFUSES(SETTING_DIRECTORY, "/x.v/", "x.v/name___.raw");

	CHECK(ask(SETTING_CHDIR, "/build//x/") == 0);
	CHECK_TEXT(config.working_directory, "/build/x");
	CHECK(apply(SETTING_CHDIR, "/device") == 0 && apply(SETTING_CHDIR, "") == 0 &&
	      !config.working_directory);
	REFUSES(SETTING_CHDIR, "x", "/a/../b", "..", "/proc", "/proc/1", "/sys/", "//dev/shm",
		"/./proc");
}

static void test_variables(void)
{
	CHECK(setenv("NSPAWN_TEST_HERE", "a b", 1) == 0 && unsetenv("NSPAWN_TEST_GONE") == 0);
	CHECK(ask(SETTING_SETENV, "A=") == 0 && apply(SETTING_SETENV, "B=x=\"\\n y") == 0);
	CHECK(apply(SETTING_SETENV, "NSPAWN_TEST_HERE") == 0 &&
	      apply(SETTING_SETENV, "NSPAWN_TEST_GONE") == 0);
	CHECK(config.environment.count == 3);
	CHECK_TEXT(config.environment.items[0], "A=");
	CHECK_TEXT(config.environment.items[1], "B=x=\"\\n y");
	CHECK_TEXT(config.environment.items[2], "NSPAWN_TEST_HERE=a b");
	REFUSES(SETTING_SETENV, "=", "=x", "1A=x", "A-B=x", "A B=x", "A.B", "Ä=x");
}

static void test_words(void)
{
	CHECK(ask(SETTING_CONSOLE, "autopipe") == 0 && config.console == CONSOLE_AUTOPIPE);
	CHECK(ask(SETTING_PIPE, NULL) == 0 && config.console == CONSOLE_PIPE);
	CHECK(config.origin[SETTING_CONSOLE] == ORIGIN_OPTION && config_check(&config) == 0 &&
	      config.quiet);
	REFUSES(SETTING_CONSOLE, "", "foo", "Pipe", "yes");

	CHECK(ask(SETTING_RESOLV_CONF, "bind-stub") == 0);
	CHECK(config.resolv_conf == HOW_BIND && config.resolv_source == RESOLV_STUB);
	CHECK(ask(SETTING_RESOLV_CONF, "no") == 0 && config.resolv_conf == HOW_OFF);
	CHECK(ask(SETTING_RESOLV_CONF, "replace-uplink") == 0 && config.resolv_conf == HOW_REPLACE);
	CHECK(apply(SETTING_RESOLV_CONF, "True") == 0 && config.resolv_conf == HOW_AUTO);
	REFUSES(SETTING_RESOLV_CONF, "", "copy", "symlink", "host", "bind-");

	CHECK(ask(SETTING_TIMEZONE, "symlink") == 0 && config.timezone == HOW_SYMLINK);
	CHECK(ask(SETTING_TIMEZONE, "0") == 0 && config.timezone == HOW_OFF);
	REFUSES(SETTING_TIMEZONE, "", "replace", "copy-host");

	CHECK(ask(SETTING_READY, "port:65535") == 0 && config.ready.when == READY_PORT &&
	      config.ready.port == 65535);
	CHECK(ask(SETTING_READY, "exec:test -e /x:y") == 0 && config.ready.when == READY_EXEC);
	CHECK_TEXT(config.ready.command, "test -e /x:y");
	CHECK(ask(SETTING_READY, "guest") == 0 && config.ready.when == READY_GUEST);
	CHECK(ask(SETTING_READY, "spawned") == 0 && config.ready.when == READY_SPAWNED);
	CHECK(apply(SETTING_NOTIFY_READY, "1") == 0 && config.ready.when == READY_GUEST);
	CHECK(apply(SETTING_NOTIFY_READY, "no") == 0 && config.ready.when == READY_DEFAULT);
	REFUSES(SETTING_READY, "", "yes", "exec", "exec:", "port:", "port:0", "port:65536",
		"port:http", "port:-1", "port: 1", "Guest");
	CHECK(ask(SETTING_REGISTER, "false") == 0 && config.register_machine == TRISTATE_NO);
	CHECK(ask(SETTING_REGISTER, "auto") == 0 && config.register_machine == TRISTATE_AUTO);
	CHECK(ask(SETTING_REGISTER, "1") == 0 && config.register_machine == TRISTATE_YES);
	CHECK(ask(SETTING_REGISTER, "yes") == 0 && config.register_machine == TRISTATE_YES);
	REFUSES(SETTING_REGISTER, "", "maybe", "Auto");

	CHECK(ask(SETTING_VOLATILE, NULL) == 0 && config.volatile_mode == VOLATILE_YES);
	CHECK(config_check(&config) == 0 && config.read_only);
	CHECK(ask(SETTING_VOLATILE, "overlay") == 0 && config.volatile_mode == VOLATILE_OVERLAY);
	CHECK(apply(SETTING_VOLATILE, "0") == 0 && config.volatile_mode == VOLATILE_NO);
	REFUSES(SETTING_VOLATILE, "", "junk", "2");
	CHECK(ask(SETTING_PIVOT_ROOT, "/a//b:/c") == 0);
	CHECK_TEXT(config.pivot_new, "/a/b");
	CHECK_TEXT(config.pivot_old, "/c");
	CHECK(apply(SETTING_PIVOT_ROOT, "") == 0 && !config.pivot_new && !config.pivot_old);
	CHECK(ask(SETTING_OVERLAY, "/low:+/mid::/x") == 0 && config.mounts.count == 1);
	CHECK(config.mounts.items[0].layer_count == 3 && !config.mounts.items[0].read_only);
	CHECK(config.mounts.items[0].layers[1].path_is_in_tree &&
	      !config.mounts.items[0].layers[2].path);
	CHECK_TEXT(config.mounts.items[0].destination, "/x");
	CHECK(ask(SETTING_OVERLAY_RO, "/low:/top") == 0 && config.mounts.items[0].read_only);
	CHECK_TEXT(config.mounts.items[0].destination, "/top");
	CHECK(ask(SETTING_LINK_JOURNAL, "no") == 0);
	CHECK(ask(SETTING_SETTINGS, "false") == 0);
	CHECK(ask(SETTING_LINK_JOURNAL, "auto") == 0 &&
	      ask(SETTING_LINK_JOURNAL, "try-guest") == 0);
	REFUSES(SETTING_LINK_JOURNAL, "junk", "");
	REFUSES(SETTING_SETTINGS, "junk", "");
}

/* They reach the caller's terminal: exactly these, and nothing else. */
static void test_background(void)
{
	static const char *const good[] = {
		"40", "47", "100", "107", "48;5;0", "48;5;255", "48;2;0;0;0", "48;2;255;10;9",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CHECK(ask(SETTING_BACKGROUND, good[i]) == 0);
		CHECK_TEXT(config.background, good[i]);
	}
	CHECK(ask(SETTING_BACKGROUND, "") == 0 && !config.background);
	REFUSES(SETTING_BACKGROUND, "39", "48", "49", "99", "108", "0", "1;44", "44;1", "041",
		"+41", " 41", "41 ", "41;", ";41", "blue", "#000080", "48;5", "48;5;", "48;5;256",
		"48;5;00", "48;5;-1", "48;5;1;1", "48;2;1;2", "48;2;1;2;3;4", "48;2;1;2;256",
		"48;2;;2;3", "48;3;1", "38;5;1", "48:5:1", "41m", "41m\033]0;x", "41\033[0m",
		"4294967337");
}

static void test_start(void)
{
	CHECK(ask(SETTING_BOOT, NULL) == 0 && config.start == START_BOOT &&
	      config_check(&config) == 0);
	CHECK(apply(SETTING_AMBIENT_CAPABILITY, "CAP_KILL") == 0 && config_check(&config) < 0);
	CHECK(ask(SETTING_AS_PID2, NULL) == 0 && config.start == START_PID2 &&
	      config_check(&config) == 0);
	CHECK(apply(SETTING_BOOT, NULL) == 0 && config_check(&config) < 0);
	CHECK(ask(SETTING_BOOT, NULL) == 0 && apply(SETTING_AS_PID2, NULL) == 0 &&
	      config_check(&config) < 0);
	CHECK(apply(SETTING_BOOT, "no") == 0 && config_check(&config) == 0);
	CHECK(ask(SETTING_BOOT, NULL) == 0 && apply_key(SETTING_AS_PID2, "yes") < 0);
	CHECK(ask(SETTING_BOOT, "no") == 0 && config.start == START_COMMAND);
	CHECK(ask(SETTING_AMBIENT_CAPABILITY, "CAP_KILL") == 0 &&
	      apply(SETTING_DROP_CAPABILITY, "CAP_KILL") == 0);
	CHECK(config_check(&config) < 0);
}

static void check_name(const char *path, const char *expected)
{
	auto_arena struct arena arena = {0};
	const char *name = machine_name_from_path(&arena, path);

	CHECK_TEXT(name ? name : "(none)", expected);
}

static void test_machine_names(void)
{
	check_name("/var/lib/machines/debian", "debian");
	check_name("/x/my_tree 1", "mytree1");
	check_name("/x/-a-", "a");
	check_name("/x/..a..b.-c", "a.b.c");
	check_name("/x/a-.b", "a-b");
	check_name("/x/___", "(none)");
	check_name("/x/ä", "(none)");
	check_name("/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bcd",
		   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static const struct port_request *port_at(size_t i)
{
	return &config.ports.items[i];
}

static void test_ports(void)
{
	struct arena *arena = &config.arena;

	CHECK(ask(SETTING_PORT, "80") == 0 && config.ports.count == 1);
	CHECK(port_at(0)->host == 80 && port_at(0)->inside == 80 &&
	      port_at(0)->protocol == IPPROTO_TCP && port_at(0)->family == AF_UNSPEC);
	CHECK(ask(SETTING_PORT, "udp:53:5353") == 0 && port_at(0)->protocol == IPPROTO_UDP &&
	      port_at(0)->host == 53 && port_at(0)->inside == 5353);
	CHECK(ask(SETTING_PORT, "127.0.0.1:8000-8002:1-3") == 0 && config.ports.count == 3);
	CHECK(port_at(2)->host == 8002 && port_at(2)->inside == 3 &&
	      port_at(2)->family == AF_INET && memcmp(port_at(2)->address, "\x7f\0\0\1", 4) == 0);
	CHECK(ask(SETTING_PORT, "[2001:db8::1]:tcp:65535:1") == 0 &&
	      port_at(0)->family == AF_INET6);
	CHECK_TEXT(port_text(arena, port_at(0)), "[2001:db8::1]:tcp:65535");
	CHECK(ask(SETTING_PORT, "1-4096") == 0 && config.ports.count == PORTS_MAX);
	REFUSES(SETTING_PORT, "0", "65536", "80:0", "80:65536", "http", "tcp", "tcp:", ":80",
		"80:", "80-", "-80", "3-1", "1-2:3", "1:2-3", "80:81:82", "1.2.3:80", "1.2.3.4",
		"[::1]80", "[::1:80", "[127.0.0.1]:80", "::1:80", "sctp:80", "TCP:80", "+80", "080",
		" 80", "1-4097");

	/* The same port twice, unless protocol or address tell them apart. */
	CHECK(ask(SETTING_PORT, "80") == 0 && apply(SETTING_PORT, "udp:80") == 0);
	CHECK(apply(SETTING_PORT, "127.0.0.1:80") < 0);
	CHECK(ask(SETTING_PORT, "127.0.0.1:80") == 0 && apply(SETTING_PORT, "127.0.0.2:80") == 0 &&
	      apply(SETTING_PORT, "[::1]:80") == 0 && apply(SETTING_PORT, "127.0.0.2:80:81") < 0);

	CHECK(ask(SETTING_HOST_PORT, "tcp:143") == 0 && config.host_ports.count == 1 &&
	      config.host_ports.items[0].host == 143);
	CHECK(apply(SETTING_HOST_PORT, "udp:143") == 0 && apply(SETTING_HOST_PORT, "143") < 0);
	REFUSES(SETTING_HOST_PORT, "0", "65536", "1-2", "80:80", "127.0.0.1:80", "tcp:", "x");
}

int main(void)
{
	test_private_users();
	test_ownership();
	test_users_implied();
	test_users_conflicts();
	test_bind();
	test_owners();
	test_bind_users();
	test_other_mounts();
	test_devices();
	test_capabilities();
	test_system_calls();
	test_families();
	test_limits();
	test_numbers();
	test_identity();
	test_users();
	test_paths();
	test_variables();
	test_words();
	test_start();
	test_machine_names();
	arena_done(&config.arena);
	test_background();
	test_ports();
	return check_result();
}
