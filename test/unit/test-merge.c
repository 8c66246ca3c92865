/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What counts when the command line and files speak of the same: who hides whom, what a file that
 * is not trusted may do, and that a file changes nothing but what it names.
 */
#include "config/merge.h"
#include "config/port-values.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"
#include "captured.h"
#include "check.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/config.h"
#include "config/settings-text.h"
#include "control/config.h"

#define ROWS(i) for (int i = 0; i < _SETTING_COUNT; i++)
#define KEYS(i) ROWS(i) if (setting_rows[i].key)
#define WORDS_MAX 16

static struct captured captured;

/* A command line, its words separated by blanks, and files, a line of 'F' for each: see files(). */
struct sources {
	const char *options;
	const char *trusted, *untrusted;
};

/* The arena's text "[Section]\nKey" out of "Section.Key", and what follows the key. */
static const char *as_file(struct arena *arena, const char *key, const char *rest)
{
	const char *dot = strchr(key, '.');

	return arena_format(arena, "[%.*s]\n%s%s\n", (int)(dot - key), key, dot + 1, rest);
}

/* The configuration of all sources together. What it says stays in 'captured'. */
static int merge(struct config *config, const struct sources *sources)
{
	static const struct settings_source trusted = {"T", true}, untrusted = {"U", false};
	struct arena *arena = &config->arena;
	char *words[WORDS_MAX] = {(char[]){"nspawn"}};
	struct strings split = {0};
	struct said_list files = {0};

	text_words(arena, sources->options ? sources->options : "", " ", &split);
	for (size_t i = 0; i < split.count; i++)
		words[i + 1] = (char *)(size_t)split.items[i];
	capture_start(&captured);
	TRY(config_from_command_line(config, (int)split.count + 1, words));
	if (sources->trusted)
		settings_text_parse(arena, &trusted, sources->trusted, strlen(sources->trusted),
				    &files);
	if (sources->untrusted)
		settings_text_parse(arena, &untrusted, sources->untrusted,
				    strlen(sources->untrusted), &files);
	return config_merge(config, &files);
}

/* --- Configurations as text --- */

struct writer {
	struct arena *arena;
	char *text;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
						      ...)
{
	char part[8192];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(part, sizeof(part), format, arguments);
	va_end(arguments);
	writer->text =
		arena_format(writer->arena, "%s%s%s", writer->text, *writer->text ? " " : "", part);
}

static void put_list(struct writer *writer, const char *name, const struct strings *list)
{
	char *all = arena_copy(writer->arena, "");

	for (size_t i = 0; i < list->count; i++)
		all = arena_format(writer->arena, "%s[%s]", all, list->items[i]);
	if (list->count > 0)
		put(writer, "%s=%s", name, all);
}

static void put_text(struct writer *writer, const char *name, const char *text)
{
	if (text)
		put(writer, "%s=%s", name, text);
}

static void put_mounts(struct writer *writer, const struct config *config)
{
	static const char *const kinds[] = {"bind", "tmpfs", "inaccessible", "overlay"};

	for (size_t i = 0; i < config->mounts.count; i++) {
		const struct mount_request *mount = &config->mounts.items[i];
		const char *layers = "";

		for (size_t j = 0; j < mount->layer_count; j++)
			layers = arena_format(writer->arena, "%s%s%s:", layers,
					      mount->layers[j].path_is_in_tree ? "+" : "",
					      mount->layers[j].path ? mount->layers[j].path : "");
		put(writer, "%s%s:%s%s%s:%s",
		    (size_t)mount->kind < ARRAY_LEN(kinds) ? kinds[mount->kind] : "?",
		    mount->read_only ? "-ro" : "", layers, mount->source_is_in_tree ? "+" : "",
		    mount->source ? mount->source : "", mount->destination);
	}
}

static void put_devices(struct writer *writer, const struct config *config)
{
	for (size_t i = 0; i < config->devices.count; i++) {
		const struct device_request *device = &config->devices.items[i];

		put(writer, "device:%s:%s:%x", device->name ?: device->path, device->inside ?: "",
		    device->access);
	}
}

static void put_limits(struct writer *writer, const struct config *config)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (config->limits[i].is_set)
			put(writer, "limit%d=%llu:%llu", i,
			    (unsigned long long)config->limits[i].value.rlim_cur,
			    (unsigned long long)config->limits[i].value.rlim_max);
}

static void put_families(struct writer *writer, const struct config *config)
{
	if (config->families.policy != FAMILIES_UNRESTRICTED)
		put(writer, "families%d", (int)config->families.policy);
	for (size_t i = 0; i < config->families.count; i++)
		put(writer, "family=%d", config->families.items[i]);
}

static void put_new_links(struct writer *writer, const char *what,
			  const struct new_link_requests *list)
{
	for (size_t i = 0; i < list->count; i++)
		put(writer, "%s=%s:%s,%zu,%u,%zu", what, list->items[i].bridge ?: "",
		    list->items[i].inside ?: "", list->items[i].vlans.count, list->items[i].pvid,
		    list->items[i].addresses.count);
}

static void put_links(struct writer *writer, const char *name, const struct link_requests *links)
{
	for (size_t i = 0; i < links->count; i++)
		put(writer, "%s=%s:%s", name, links->items[i].host, links->items[i].inside ?: "");
}

static void put_ports(struct writer *writer, const char *name, const struct port_requests *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		put(writer, "%s=%s:%u", name, port_text(writer->arena, &ports->items[i]),
		    ports->items[i].inside);
}

/* What differs from the default, readable. */
static const char *tell(struct arena *arena, const struct config *config)
{
	struct writer writer = {arena, arena_copy(arena, "")};
	static const char *const starts[] = {"", "pid2", "boot"};

	if (config->start != START_COMMAND)
		put(&writer, "%s", starts[config->start]);
	put_list(&writer, "words", &config->words);
	put_list(&writer, "env", &config->environment);
	put_text(&writer, "chdir", config->working_directory);
	put_text(&writer, "user", config->user);
	put_text(&writer, "hostname", config->hostname);
	if (config->capabilities_added)
		put(&writer, "add=%llx", (unsigned long long)config->capabilities_added);
	if (config->capabilities_dropped)
		put(&writer, "drop=%llx", (unsigned long long)config->capabilities_dropped);
	if (config->capabilities_ambient)
		put(&writer, "ambient=%llx", (unsigned long long)config->capabilities_ambient);
	put_list(&writer, "allow", &config->syscalls_allowed);
	put_list(&writer, "deny", &config->syscalls_denied);
	put_families(&writer, config);
	put_limits(&writer, config);
	put_mounts(&writer, config);
	put_list(&writer, "bind-user", &config->bind_users);
	put_list(&writer, "bind-user-group", &config->bind_user_groups);
	put_text(&writer, "bind-user-shell", config->bind_user_shell);
	put_devices(&writer, config);
	if (config->read_only)
		put(&writer, "read-only");
	if (config->volatile_mode != VOLATILE_NO)
		put(&writer, "volatile%d", (int)config->volatile_mode);
	if (config->ephemeral)
		put(&writer, "ephemeral");
	put_text(&writer, "pivot", config->pivot_new);
	put_text(&writer, "old", config->pivot_old);
	if (config->no_new_privileges)
		put(&writer, "no-new-privileges");
	if (config->private_users)
		put(&writer, "users%d", (int)config->private_users);
	if (config->private_network)
		put(&writer, "private-network");
	if (config->network_veth)
		put(&writer, "veth");
	put_text(&writer, "veth-name", config->network_veth_name);
	put_new_links(&writer, "bridge", &config->network_bridges);
	put_new_links(&writer, "tap", &config->network_taps);
	put_text(&writer, "zone", config->network_zone);
	put_text(&writer, "join", config->network_namespace_path);
	put_links(&writer, "interface", &config->network_interfaces);
	put_links(&writer, "macvlan", &config->network_macvlans);
	put_links(&writer, "ipvlan", &config->network_ipvlans);
	put_links(&writer, "extra", &config->network_veths_extra);
	put_ports(&writer, "ports", &config->ports);
	put_ports(&writer, "host ports", &config->host_ports);
	if (config->kill_signal)
		put(&writer, "kill=%d", config->kill_signal);
	return writer.text;
}

/* All but where things came from and where they are kept; what is pointed to is in tell(). */
static void strip(struct config *config)
{
	struct config bare = *config;

	memset(&bare.arena, 0, sizeof(bare.arena));
	memset(bare.origin, 0, sizeof(bare.origin));
	memset(&bare.said, 0, sizeof(bare.said));
	memset(&bare.unheeded, 0, sizeof(bare.unheeded));
	memset(&bare.words, 0, sizeof(bare.words));
	memset(&bare.environment, 0, sizeof(bare.environment));
	memset(&bare.syscalls_allowed, 0, sizeof(bare.syscalls_allowed));
	memset(&bare.syscalls_denied, 0, sizeof(bare.syscalls_denied));
	memset(&bare.mounts, 0, sizeof(bare.mounts));
	memset(&bare.bind_users, 0, sizeof(bare.bind_users));
	memset(&bare.bind_user_groups, 0, sizeof(bare.bind_user_groups));
	bare.bind_user_shell = NULL;
	memset(&bare.devices, 0, sizeof(bare.devices));
	memset(&bare.network_interfaces, 0, sizeof(bare.network_interfaces));
	memset(&bare.network_macvlans, 0, sizeof(bare.network_macvlans));
	memset(&bare.network_ipvlans, 0, sizeof(bare.network_ipvlans));
	memset(&bare.network_veths_extra, 0, sizeof(bare.network_veths_extra));
	memset(&bare.network_bridges, 0, sizeof(bare.network_bridges));
	memset(&bare.network_taps, 0, sizeof(bare.network_taps));
	bare.network_veth_name = bare.network_zone = NULL;
	memset(&bare.ports, 0, sizeof(bare.ports));
	memset(&bare.host_ports, 0, sizeof(bare.host_ports));
	bare.network_namespace_path = NULL;
	bare.families.items = NULL;
	bare.families.room = 0;
	bare.has_resets = false;
	bare.settings = SETTINGS_YES;
	bare.program = bare.working_directory = bare.user = bare.hostname = NULL;
	bare.pivot_new = bare.pivot_old = NULL;
	bare.ready_by = 0;
	memcpy(config, &bare, sizeof(bare));
}

static void check_same(const struct config *a, const struct config *b, const char *what)
{
	auto_arena struct arena arena = {0};
	struct config bare[2];
	const char *told = tell(&arena, a), *expected = tell(&arena, b);

	memcpy(&bare[0], a, sizeof(*a));
	memcpy(&bare[1], b, sizeof(*b));
	strip(&bare[0]);
	strip(&bare[1]);
	if (strcmp(told, expected) == 0 && memcmp(&bare[0], &bare[1], sizeof(bare[0])) == 0)
		return;
	check_failures++;
	fprintf(stderr, "%s: '%s' is not '%s'%s\n", what, told, expected,
		strcmp(told, expected) == 0 ? ", in what is not shown" : "");
}

/* --- Who hides whom --- */

static void check_merge(struct sources sources, const char *expected)
{
	struct config config = {0};

	CHECK(merge(&config, &sources) == 0 && captured.failures == 0);
	CHECK_TEXT(tell(&config.arena, &config), expected);
	arena_done(&config.arena);
}

/* Both trust levels must give the same. */
static void check_either(const char *options, const char *text, const char *expected)
{
	check_merge((struct sources){options, .trusted = text}, expected);
	check_merge((struct sources){options, .untrusted = text}, expected);
}

#define OVERRIDE "--settings=override "

static void test_options_win(void)
{
	check_either("", "[Exec]\nUser=u\nHostname=h\n", "user=u hostname=h");
	check_either("-u v", "[Exec]\nUser=u\nHostname=h\n", "user=v hostname=h");
	check_either("-b", "[Exec]\nParameters=a b\nHostname=h\n", "boot hostname=h");
	check_either("/bin/x", "[Exec]\nBoot=yes\n", "words=[/bin/x]");
	check_either("--boot=no", "[Exec]\nBoot=yes\n", "");
	check_either("-E A=1", "[Exec]\nEnvironment=B=2\n", "env=[A=1]");
	check_either("--setenv=", "[Exec]\nEnvironment=B=2\n", "");
	check_either("--setenv+=A=1", "[Exec]\nEnvironment=B=2\n", "env=[B=2][A=1]");
	check_either("--capability=CAP_KILL", "[Exec]\nDropCapability=CAP_KILL\n", "add=20");
	check_merge((struct sources){"--tmpfs=/t", .trusted = "[Files]\nBind=/a\nReadOnly=yes\n"},
		    "tmpfs::/t read-only");
	check_merge((struct sources){"--rlimit=NOFILE=5", "[Exec]\nLimitNOFILE=6\nLimitCORE=7\n"},
		    "limit4=7:7 limit7=5:5");
}

static void test_files_win(void)
{
	check_either(OVERRIDE "-b quiet", "[Exec]\nBoot=no\nParameters=/x -y\n", "words=[/x][-y]");
	check_either(OVERRIDE "-b quiet", "[Exec]\nHostname=h\n", "boot words=[quiet] hostname=h");
	check_either(OVERRIDE "-E A=1", "[Exec]\nEnvironment=B=2\n", "env=[B=2]");
	check_either(OVERRIDE "-E A=1 --setenv+=C=3", "[Exec]\nEnvironment=B=2\n",
		     "env=[C=3][B=2]");
	check_merge((struct sources){OVERRIDE "--rlimit=NOFILE=5", "[Exec]\nLimitNOFILE=6\n"},
		    "limit7=6:6");
	check_merge((struct sources){OVERRIDE "--tmpfs=/t", "[Files]\nBind=/a\n"}, "bind:/a:/a");
	check_merge((struct sources){OVERRIDE "--private-network", "[Network]\nPrivate=no\n"}, "");
	/* What undoes the option of the template unit. */
	check_merge((struct sources){OVERRIDE "--network-veth", "[Network]\nPrivate=no\n"}, "");
	check_merge((struct sources){OVERRIDE "--network-veth", "[Network]\nZone=z\n"}, "zone=z");
	check_merge((struct sources){OVERRIDE "--settings=trusted -b", "[Exec]\nBoot=no\n"},
		    "boot");
}

static void test_lists(void)
{
	check_either("", "[Exec]\nEnvironment=A=1 B=2\nEnvironment=C=3\n", "env=[A=1][B=2][C=3]");
	check_either("", "[Exec]\nEnvironment=A=1\nEnvironment=\nEnvironment=C=3\n", "env=[C=3]");
	check_either("", "[Exec]\nEnvironment=A=1\nEnvironment+=B=2\n", "env=[A=1][B=2]");
	check_merge((struct sources){"-E A=1", "[Exec]\nEnvironment=C=3\nEnvironment+=B=2\n"},
		    "env=[B=2][A=1]");
	check_merge((struct sources){OVERRIDE "-E A=1", "[Exec]\nEnvironment+=B=2\n"},
		    "env=[A=1][B=2]");
	check_merge((struct sources){"--bind=/a", "[Files]\nBind+=/b\nTemporaryFileSystem+=/t\n"},
		    "bind:/b:/b tmpfs::/t bind:/a:/a");
	check_merge((struct sources){"--bind+=/a", "[Files]\nBind=/b\n"}, "bind:/b:/b bind:/a:/a");
	check_merge((struct sources){"--bind=", "[Files]\nBind=/b\n"}, "");
	check_merge((struct sources){"--overlay=/a:/b::/c", "[Files]\nOverlay+=/l:/t\n"},
		    "overlay:/l:/t::/t overlay:/a:/b:::/c");
	check_merge((struct sources){"--capability+=CAP_CHOWN", "[Exec]\nCapability=CAP_KILL\n"},
		    "add=21");
	check_merge((struct sources){"/x", "[Exec]\nParameters+=y\n"}, "words=[y][/x]");
}

/* "+=" with nothing behind it is no reset. */
static void test_adding_nothing(void)
{
	struct config config = {0};

	CHECK(merge(&config, &(struct sources){"--bind=/a --bind+="}) == -EINVAL);
	CHECK(strstr(captured.first, "needs a value that is not empty"));
	arena_done(&config.arena);
	check_merge((struct sources){"--capability=CAP_KILL --capability+="}, "add=20");
}

/* An empty value takes back what files said, whoever wins, and nothing else. */
static void test_resets(void)
{
	check_either("", "[Exec]\nUser=u\nUser=\n", "");
	check_either("-u v", "[Exec]\nUser=\n", "user=v");
	check_either(OVERRIDE "-u v", "[Exec]\nUser=\n", "user=v");
	check_either(OVERRIDE "-E A=1", "[Exec]\nEnvironment=\n", "env=[A=1]");
	check_either(OVERRIDE "-b", "[Exec]\nBoot=\nParameters=\n", "boot");
	check_merge((struct sources){OVERRIDE "--bind=/a", "[Files]\nBind=\n"}, "bind:/a:/a");
	check_merge((struct sources){"", .trusted = "[Exec]\nDropCapability=CAP_KILL\n",
				     .untrusted = "[Exec]\nDropCapability=\n"},
		    "drop=20");
}

/* --- Trust --- */

#define CONFINED \
	"--read-only --no-new-privileges=yes --drop-capability=CAP_KILL -u u " \
	"--system-call-filter=~mount --restrict-address-families=AF_UNIX " \
	"--volatile=overlay "
#define CONFINED_STATE \
	"user=u drop=20 deny=[mount] families1 family=1 read-only volatile3 no-new-privileges"

/* What would loosen each of these. */
#define LOOSE \
	"[Exec]\nNoNewPrivileges=no\nDropCapability=\nDropCapability=CAP_CHOWN\n" \
	"DropCapability+=CAP_CHOWN\nUser=root\nSystemCallFilter=@mount\n" \
	"SystemCallFilter=~reboot\nSystemCallFilter+=mount\nSystemCallFilter=\n" \
	"RestrictAddressFamilies=AF_PACKET\nRestrictAddressFamilies+=AF_PACKET\n" \
	"RestrictAddressFamilies=~AF_UNIX\nRestrictAddressFamilies=~\n" \
	"RestrictAddressFamilies+=~\nRestrictAddressFamilies=\n" \
	"[Files]\nReadOnly=no\nVolatile=\nVolatile=state\nVolatile=no\n"

static void test_confinement(void)
{
	static const char *const modes[] = {"", OVERRIDE};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		char options[400];

		(void)snprintf(options, sizeof(options), "%s%s", modes[i], CONFINED);
		check_merge((struct sources){options, .untrusted = LOOSE}, CONFINED_STATE);
		(void)snprintf(options, sizeof(options),
			       "%s--drop-capability+=CAP_KILL "
			       "--restrict-address-families+=AF_UNIX "
			       "--system-call-filter+=~mount",
			       modes[i]);
		check_merge(
			(struct sources){
				options,
				.untrusted =
					"[Exec]\n"
					"DropCapability=CAP_CHOWN\nRestrictAddressFamilies=AF_PACKET\n"
					"SystemCallFilter=~reboot\n"},
			"drop=20 deny=[mount] families1 family=1");
		/* What a trusted file says is as good as an option. */
		check_merge(
			(struct sources){
				modes[i],
				.trusted =
					"[Exec]\nNoNewPrivileges=yes\nDropCapability=CAP_KILL\n"
					"User=u\nSystemCallFilter=~mount\n"
					"RestrictAddressFamilies=AF_UNIX\n[Files]\nReadOnly=yes\n"
					"Volatile=overlay\n",
				.untrusted = LOOSE},
			CONFINED_STATE);
	}
}

static void test_trust(void)
{
	/* A trusted file decides all of a matter, and nothing joins it. */
	check_merge((struct sources){"", "[Exec]\nBoot=yes\n", "[Exec]\nParameters=x\n"}, "boot");
	check_merge((struct sources){"", "[Exec]\nEnvironment=A=1\n",
				     "[Exec]\nEnvironment+=B=2\nEnvironment=\nHostname=h\n"},
		    "env=[A=1] hostname=h");
	check_merge((struct sources){"", "[Exec]\nHostname=\n", "[Exec]\nHostname=h\n"}, "");
	/* Nor an option. */
	check_merge((struct sources){"-E A=1", .untrusted = "[Exec]\nEnvironment+=B=2\n"},
		    "env=[A=1]");
	check_merge((struct sources){"/x", .untrusted = "[Exec]\nParameters+=y\n"}, "words=[/x]");
	/* A filter that allows anything is void as a whole, what it denies included. */
	check_merge((struct sources){"", .untrusted = "[Exec]\nSystemCallFilter=~reboot\n"},
		    "deny=[reboot]");
	check_merge((struct sources){"", .untrusted = "[Exec]\nSystemCallFilter=~reboot\n"
						      "SystemCallFilter=mount\n"},
		    "");
	CHECK(captured.warnings == 1 && strstr(captured.all, "U:3: Only a trusted file"));
	check_merge((struct sources){"", "[Exec]\nSystemCallFilter=mount\n"}, "allow=[mount]");
	/* Another root, or room on the host's disk, is not the tree's to ask for. */
	check_merge((struct sources){"", .untrusted = "[Exec]\nPivotRoot=/x\nEphemeral=yes\n"
						      "[Files]\nOverlay=/a:/b\nVolatile=yes\n"},
		    "volatile1");
	CHECK(captured.warnings == 3);
}

/* --- All keys --- */

/* A value for each key that is available. */
static const char *sample(int setting)
{
	const struct setting_row *row = &setting_rows[setting];

	switch (setting) {
	case SETTING_PARAMETERS:
		return "word";
	case SETTING_CHDIR:
		return "/srv";
	case SETTING_SETENV:
		return "NAME=value";
	case SETTING_UID:
		return "somebody";
	case SETTING_KILL_SIGNAL:
		return "SIGRTMIN+3";
	case SETTING_HOSTNAME:
		return "name";
	case SETTING_PRIVATE_USERS_DELEGATE:
		return "2";
	case SETTING_UUID:
		return "0123456789abcdef0123456789abcdef";
	case SETTING_CAPABILITY:
	case SETTING_DROP_CAPABILITY:
	case SETTING_AMBIENT_CAPABILITY:
		return "CAP_KILL";
	case SETTING_SYSTEM_CALL_FILTER:
		return "~@clock";
	case SETTING_MEMORY:
	case SETTING_CPUS:
	case SETTING_TASKS:
	case SETTING_IO_WEIGHT:
	case SETTING_OOM_SCORE_ADJUST:
		return "7";
	case SETTING_CPU_AFFINITY:
		return "0";
	case SETTING_LIMIT_NICE:
		return "5:6";
	case SETTING_BIND:
	case SETTING_BIND_RO:
		return "/from:/to:norbind";
	case SETTING_INACCESSIBLE:
	case SETTING_TMPFS:
		return "/to";
	case SETTING_OVERLAY:
	case SETTING_OVERLAY_RO:
		return "/low:+/mid:/top:/to";
	case SETTING_NETWORK_NAMESPACE_PATH:
		return "/run/netns/x";
	case SETTING_PIVOT_ROOT:
		return "/new:/old";
	case SETTING_READY:
		return "port:80";
	case SETTING_PORT:
	case SETTING_HOST_PORT:
		return "80";
	case SETTING_VOLATILE:
		return "overlay";
	case SETTING_PRIVATE_USERS:
	case SETTING_LINK_JOURNAL:
		return "no";
	default:
		if (row->key && strncmp(row->key, "Exec.Limit", strlen("Exec.Limit")) == 0)
			return "5:6";
		return row->choices ? row->choices->items[0].text : "yes";
	}
}

/* The word of the command line that says the same. */
static const char *as_option(struct arena *arena, int setting, const char *value)
{
	const struct setting_row *row = &setting_rows[setting];

	if (row->option)
		return arena_format(arena, "--%s=%s", row->option, value);
	if (strncmp(row->key, "Exec.Limit", strlen("Exec.Limit")) == 0)
		return arena_format(arena, "--rlimit=%s=%s", row->key + strlen("Exec.Limit"),
				    value);
	return value;
}

static void test_file_is_as_good_as_an_option(void)
{
	KEYS(i)
	{
		const struct setting_row *row = &setting_rows[i];
		struct config by_file = {0}, by_option = {0};
		struct arena *arena = &by_file.arena;
		struct sources sources = {
			"", as_file(arena, row->key, arena_format(arena, "=%s", sample(i)))};
		struct sources option = {as_option(arena, i, sample(i))};

		if (row->flags & SETTING_IS_LATER)
			goto next;
		CHECK(merge(&by_file, &sources) == 0 && captured.failures == 0);
		CHECK_TEXT(captured.all, "");
		CHECK(by_file.origin[i] == ORIGIN_FILE);
		CHECK(by_file.said.count == 1 && by_file.said.items[0].line == 2);
		CHECK(merge(&by_option, &option) == 0);
		check_same(&by_file, &by_option, row->key);
	next:
		arena_done(&by_file.arena);
		arena_done(&by_option.arena);
	}
}

/* What nspawn config shows as the default is the default. */
static void test_fallbacks(void)
{
	struct config plain = {0};

	CHECK(merge(&plain, &(struct sources){""}) == 0);
	ROWS(i)
	{
		const char *fallback = control_fallback((enum setting)i);
		struct config said = {0};

		/* No user at all is the same as root, but for the text; and who may not do without
		 * a user namespace gets one if he is silent. */
		if (!fallback || i == SETTING_UID || i == SETTING_PRIVATE_USERS)
			continue;
		CHECK(merge(&said, &(struct sources){as_option(&plain.arena, i, fallback)}) == 0);
		check_same(&said, &plain, setting_rows[i].option);
		arena_done(&said.arena);
	}
	arena_done(&plain.arena);
}

/* With and without these options, a file that says nothing changes nothing. */
static void check_says_nothing(const char *trusted, const char *untrusted, const char *what)
{
	static const char *const options[] = {
		"",
		OVERRIDE,
		CONFINED,
		OVERRIDE CONFINED,
		"-b --rlimit=NOFILE=5 --bind=/a -E A=1 word --private-network --hostname=h",
		OVERRIDE "-b --rlimit=NOFILE=5 --bind=/a -E A=1 word --private-network",
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct config with = {0}, without = {0};
		struct sources sources = {options[i], trusted, untrusted}, none = {options[i]};

		CHECK(merge(&without, &none) == 0);
		CHECK(merge(&with, &sources) == 0 && captured.failures == 0);
		check_same(&with, &without, what);
		for (int j = 0; j < _SETTING_COUNT; j++)
			CHECK(with.origin[j] == without.origin[j]);
		CHECK(with.said.count == without.said.count);
		arena_done(&with.arena);
		arena_done(&without.arena);
	}
}

static void test_empty_changes_nothing(void)
{
	static const char sections[] = "# a\n[Exec]\n; b\n[Files]\n\n[Network]\n";
	auto_arena struct arena arena = {0};
	const char *all = "";

	check_says_nothing("", NULL, "empty");
	check_says_nothing(NULL, "", "empty, not trusted");
	check_says_nothing(sections, sections, "sections");
	KEYS(i)
	{
		const char *key = setting_rows[i].key;
		const char *text = as_file(&arena, key, "=");

		check_says_nothing(text, NULL, key);
		CHECK_TEXT(captured.all, "");
		check_says_nothing(NULL, text, key);
		all = arena_format(&arena, "%s%s", all, text);
		/* What is said and taken back was never said. */
		check_says_nothing(arena_format(&arena, "%s%s", as_file(&arena, key, "=x"), text),
				   NULL, key);
	}
	check_says_nothing(all, all, "all keys");
}

/* One file beside the tree: S11's matrix. */
static void check_untrusted(int setting, const char *options, const char *value)
{
	const struct setting_row *row = &setting_rows[setting];
	struct config with = {0}, without = {0};
	struct arena *arena = &without.arena;
	const char *rest[] = {arena_format(arena, "=%s", value),
			      arena_format(arena, "+=%s", value)};

	CHECK(merge(&without, &(struct sources){options}) == 0);
	for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
		const struct sources sources = {options,
						.untrusted = as_file(arena, row->key, rest[i])};

		CHECK(merge(&with, &sources) == 0 && captured.failures == 0);
		/* Either it counts, or somebody was told. */
		CHECK(with.said.count > without.said.count || captured.warnings > 0 ||
		      with.unheeded.count > 0);
		if (!(row->flags & SETTING_IS_HARMLESS)) {
			CHECK(captured.warnings > 0);
			check_same(&with, &without, row->key);
		}
		if (row->flags & SETTING_CONFINES && strstr(options, "read-only"))
			check_same(&with, &without, row->key);
		/* Whatever is harmless touches none of this. */
		CHECK(with.mounts.count == without.mounts.count);
		CHECK(with.capabilities_added == without.capabilities_added);
		CHECK(with.capabilities_ambient == without.capabilities_ambient);
		CHECK(with.syscalls_allowed.count == without.syscalls_allowed.count);
		CHECK(with.private_network == without.private_network);
		CHECK(memcmp(with.limits, without.limits, sizeof(with.limits)) == 0);
		CHECK(memcmp(with.uuid, without.uuid, sizeof(with.uuid)) == 0);
		CHECK(with.directory == NULL && with.machine == NULL);
		CHECK(with.pivot_new == NULL && !with.ephemeral);
		arena_done(&with.arena);
		with = (struct config){0};
	}
	arena_done(&without.arena);
}

static void test_untrusted_matrix(void)
{
	static char long_value[4097];
	static const char *const values[] = {
		"/../../etc/shadow",
		"..",
		"../..:/x",
		"/etc/shadow",
		"/:/host",
		"+/../x:/y",
		"yes",
		"no",
		"0",
		"1",
		"-1",
		"18446744073709551616",
		"none",
		"all",
		"help",
		"~",
		"%s%n",
		"\"",
		"a b",
		"a=b",
		"x:x:x:x:x:x",
		long_value,
	};

	memset(long_value, 'A', sizeof(long_value) - 1);
	KEYS(i)
	{
		for (size_t j = 0; j < ARRAY_LEN(values); j++) {
			check_untrusted(i, "", values[j]);
			check_untrusted(i, OVERRIDE, values[j]);
			check_untrusted(i, CONFINED, values[j]);
			check_untrusted(i, OVERRIDE CONFINED, values[j]);
		}
		check_untrusted(i, OVERRIDE CONFINED, sample(i));
	}
}

/* The same file where it is trusted: what it says wrong is warned of, and nothing else happens. */
static void test_bad_values(void)
{
	KEYS(i)
	{
		const struct setting_row *row = &setting_rows[i];
		struct config with = {0}, without = {0};
		struct arena *arena = &without.arena;
		const struct sources none = {""},
				     sources = {"", as_file(arena, row->key, "=../~ \"")};
		char place[80];
		int r;

		CHECK(merge(&without, &none) == 0);
		r = merge(&with, &sources);
		(void)snprintf(place, sizeof(place), "T:2: Key '%s' ", row->key);
		CHECK(strncmp(captured.all, place, strlen(place)) == 0);
		CHECK(strstr(captured.all, ", ignoring it\n"));
		if (r == 0) {
			CHECK(captured.failures == 0);
			check_same(&with, &without, row->key);
		} else {
			CHECK(i == SETTING_PRIVATE_USERS ||
			      (r == -EINVAL && row->group == GROUP_NETWORK));
		}
		arena_done(&with.arena);
		arena_done(&without.arena);
	}
}

/* --- Single keys --- */

static void check_warned(const char *text, const char *expected, const char *warning)
{
	check_merge((struct sources){"", text}, expected);
	if (!strstr(captured.all, warning)) {
		check_failures++;
		fprintf(stderr, "'%s' is not in '%s'\n", warning, captured.all);
	}
}

static void test_keys(void)
{
	check_either("", "[Exec]\nParameters=sh -c 'echo \"a b\"' \"\"\n",
		     "words=[sh][-c][echo \"a b\"][]");
	check_either("", "[Exec]\nEnvironment=\"A=b c\" D='e' F=\\x41\n", "env=[A=b c][D=e][F=A]");
	check_warned("[Exec]\nEnvironment=A=1 PATH B=2\n", "env=[A=1][B=2]",
		     "T:2: Key 'Exec.Environment' takes NAME=VALUE");
	check_warned("[Exec]\nEnvironment=A=1 'B=2\n", "",
		     "T:2: Key 'Exec.Environment' has a quote that does not end");
	check_warned("[Exec]\nCapability=CAP_KILL CAP_NONE cap_chown\n", "add=21",
		     "T:2: Key 'Exec.Capability' does not know the capability 'CAP_NONE'");
	check_warned("[Exec]\nBoot=yes\nProcessTwo=yes\n", "boot",
		     "T:3: Key 'Exec.ProcessTwo' cannot be combined with 'Boot=yes'");
	check_warned("[Files]\nBind=./x:/y\n", "", "T:2: Key 'Files.Bind' needs an absolute path");
	check_warned("[Files]\nBind=/a\nBind=+/b:/c\nBind=:/d\n", "bind:/a:/a bind:+/b:/c bind::/d",
		     "");
	check_warned("[Files]\nOverlay=/a::/b:/c\nOverlayReadOnly=+/a:+/b\n",
		     "overlay-ro:+/a:+/b::/b", "T:2: Key 'Files.Overlay' can have no directory");
	check_warned("[Exec]\nPivotRoot=/a\nPivotRoot=/a:b\n", "pivot=/a",
		     "T:3: Key 'Exec.PivotRoot' needs an absolute path");
	check_warned("[Exec]\nPivotRoot=/a:/b\nPivotRoot=\n", "", "");
	check_warned("[Files]\nVolatile=true\n", "volatile1", "");
	check_warned("[Exec]\nKillSignal=help\n", "", "T:2: Key 'Exec.KillSignal' takes a signal");
	check_warned("[Exec]\nPrivateUsers=0\n", "users1", "");
	check_warned("[Exec]\nPrivateUsers=1\n", "users2", "");
	check_warned("[Exec]\nPrivateUsers=1:1\n", "users6", "");
	CHECK_TEXT(captured.all, "");
}

/* What would keep a machine apart from the host is not silently left out. */
static void test_isolation(void)
{
	static const char *const texts[] = {
		"[Exec]\nPrivateUsers=pcik\n",
		"[Exec]\nPrivateUsers=65536:\n",
		"[Exec]\nPrivateUsers=4294967295\n",
		"[Network]\nVirtualEthernet=yse\n",
		"[Network]\nZone=a/b\n",
		"[Network]\nNamespacePath=relative\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config config = {0};

		CHECK(merge(&config, &(struct sources){"", texts[i]}) == -EINVAL);
		CHECK(captured.warnings == 1 && captured.failures == 2);
		CHECK(strstr(captured.first, ": not starting it"));
		arena_done(&config.arena);
		config = (struct config){0};
		/* Beside the tree it is not trusted and does not count anyway. */
		CHECK(merge(&config, &(struct sources){"", .untrusted = texts[i]}) == 0);
		arena_done(&config.arena);
	}
	check_warned("[Network]\nZone=a/b\nPrivate=yes\n", "private-network",
		     "T:2: Key 'Network.Zone' takes a name");
	check_merge((struct sources){"--private-network", "[Network]\nVirtualEthernet=yes\n"},
		    "private-network");
	check_merge((struct sources){"", "[Network]\nVirtualEthernet=no\n[Exec]\nEphemeral=no\n"},
		    "");
	CHECK_TEXT(captured.all, "");
	check_warned("[Network]\nPort=0\n", "",
		     "T:2: Key 'Network.Port' takes ports from 1 to 65535");
}

static void test_unheeded(void)
{
	struct config config = {0};
	const struct sources sources = {"-u v", "[Exec]\nUser=u\nHostname=h\nHostname=\n",
					"[Files]\nBind=/x\n"};
	static const char *const reasons[] = {"taken back by T:4", "gives way to the command line",
					      "counts only in a trusted file"};

	CHECK(merge(&config, &sources) == 0);
	CHECK(config.unheeded.count == ARRAY_LEN(reasons));
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		bool found = false;

		for (size_t j = 0; j < config.unheeded.count; j++)
			found = found || strcmp(config.unheeded.items[j].why_not, reasons[i]) == 0;
		CHECK(found);
	}
	arena_done(&config.arena);
}

int main(void)
{
	/* Lists of values would go there. */
	CHECK(freopen("/dev/null", "w", stdout) != NULL);
	test_options_win();
	test_files_win();
	test_lists();
	test_adding_nothing();
	test_resets();
	test_confinement();
	test_trust();
	test_file_is_as_good_as_an_option();
	test_fallbacks();
	test_empty_changes_nothing();
	test_untrusted_matrix();
	test_bad_values();
	test_keys();
	test_isolation();
	test_unheeded();
	return check_result();
}
