/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How words become options: abbreviations, glued letters, the end of options; and the command lines
 * of known callers.
 */
#include "config/check.h"
#include "config/command-line.h"

#include <errno.h>
#include <signal.h>

#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "config/config.h"

static struct captured captured;
static struct config config;

/*
 * Reads a command line whose words are separated by '|'. The configuration points into it until the
 * next one.
 */
static int run(const char *line)
{
	static char copy[4096];
	static char *words[128];
	int count = 0, r;

	arena_done(&config.arena);
	memset(&config, 0, sizeof(config));
	capture_start(&captured);
	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *next = copy; next;)
		words[count++] = strsep(&next, "|");
	words[count] = NULL;
	r = config_from_command_line(&config, count, words);
	return r ? r : config_check(&config);
}

static void accepts(const char *line)
{
	int r = run(line);

	if (r != 0 || captured.failures > 0) {
		check_failures++;
		fprintf(stderr, "%s: %d, %s", line, r, captured.all);
	}
}

static void refuses(const char *line, const char *sentence)
{
	int r = run(line);

	if (r >= 0 || captured.failures < 1 || captured.failures > 2 ||
	    !strstr(captured.all, sentence)) {
		check_failures++;
		fprintf(stderr, "%s: %d, %s", line, r, captured.all);
	}
}

static void test_end_of_options(void)
{
	accepts("nspawn|-D|/x|cmd|-b|--foo|--");
	CHECK(config.words.count == 4 && config.start == START_COMMAND);
	CHECK_TEXT(config.words.items[1], "-b");
	CHECK_TEXT(config.words.items[3], "--");
	accepts("nspawn|-D/x|--|-b");
	CHECK(config.words.count == 1);
	CHECK_TEXT(config.words.items[0], "-b");
	accepts("nspawn|-|-b");
	CHECK(config.words.count == 2);
	accepts("nspawn||-b");
	CHECK(config.words.count == 2);
	accepts("nspawn|--");
	CHECK(config.words.count == 0);
	accepts("nspawn");
	CHECK(config.words.count == 0 && !config.directory);
}

static void test_letters(void)
{
	accepts("nspawn|-qbD|/dir|word");
	CHECK(config.quiet && config.start == START_BOOT && config.words.count == 1);
	CHECK_TEXT(config.directory, "/dir");
	accepts("nspawn|-Ddir=x|-P");
	CHECK_TEXT(config.directory + strlen(config.directory) - 6, "/dir=x");
	accepts("nspawn|-aMname|-EA=b|-u0");
	CHECK_TEXT(config.machine, "name");
	CHECK_TEXT(config.user, "0");
	accepts("nspawn|-D|-q");
	CHECK(!config.quiet && strstr(config.directory, "/-q"));
	refuses("nspawn|-y", "unrecognized option '-y'");
	refuses("nspawn|-qy", "unrecognized option '-y'");
	refuses("nspawn|-q=1", "unrecognized option '-='");
	refuses("nspawn|-qD", "Option '-D' requires an argument");
}

static void test_abbreviations(void)
{
	accepts("nspawn|--dir=/x|--quie");
	CHECK_TEXT(config.directory, "/x");
	CHECK(config.quiet);
	accepts("nspawn|--bind|/a|--bind-r|/b"); /* an exact name is no abbreviation */
	CHECK(config.mounts.count == 2 && config.mounts.items[1].read_only);
	refuses("nspawn|--ui", "requires an argument");
	refuses("nspawn|--u=1", "Option '--u' is ambiguous");
	CHECK(strstr(captured.all, "'--uid'") && strstr(captured.all, "'--user'") &&
	      strstr(captured.all, "'--uuid'"));
	refuses("nspawn|--private-u", "ambiguous");
	CHECK(strstr(captured.all, "'--private-users'") &&
	      strstr(captured.all, "'--private-users-ownership'"));
	refuses("nspawn|--=x", "ambiguous");
	refuses("nspawn|--directoryx=/", "unrecognized option '--directoryx'");
	refuses("nspawn|--Directory=/", "unrecognized option '--Directory'");
	refuses("nspawn|---directory=/", "unrecognized option");
}

static void test_values(void)
{
	accepts("nspawn|--register|no|--console|pipe|--setenv=A=b=c|--directory=|true");
	CHECK(config.register_machine == TRISTATE_NO && config.console == CONSOLE_PIPE &&
	      config.words.count == 1);
	CHECK_TEXT(config.environment.items[0], "A=b=c");
	/* An optional argument comes only by '='. */
	accepts("nspawn|--volatile|no");
	CHECK(config.volatile_mode == VOLATILE_YES && config.words.count == 1);
	accepts("nspawn|--volatile=no|--private-users=no|--read-only");
	accepts("nspawn|--quiet=yes");
	refuses("nspawn|--boot=", "a value that is not empty");
	refuses("nspawn|--pipe=yes", "takes no argument");
	refuses("nspawn|--directory", "requires an argument");
	accepts("nspawn|--machine=a|--machine=b|--hostname=c|--hostname=");
	CHECK_TEXT(config.machine, "b");
	CHECK(!config.hostname);
	accepts("nspawn|--user|bob|cmd");
	CHECK(captured.warnings == 1 && config.words.count == 1);
	CHECK_TEXT(config.user, "bob");
	accepts("nspawn|--quiet|--user=bob");
	CHECK(captured.warnings == 0);
	accepts("nspawn|--user|-D|/x");
	accepts("nspawn|--user");
	CHECK(config.scope == SCOPE_USER && !config.user);
	CHECK(run("nspawn|--help|--foo") == 1 && run("nspawn|-h") == 1 &&
	      run("nspawn|--version") == 1);
	CHECK(run("nspawn|--console=help|--foo") == 1);
	refuses("nspawn|--boot|--as-pid2", "cannot be combined");
	CHECK(config.program && strcmp(config.program, "nspawn") == 0);
	accepts("/usr/bin/systemd-nspawn|-b");
	CHECK_TEXT(config.program, "systemd-nspawn");
	CHECK(config.network_setup == NETWORK_SETUP_NONE);
	accepts("/usr/bin/systemd-nspawn|-n|--network-setup=auto");
	CHECK(config.network_setup == NETWORK_SETUP_AUTO);
	accepts("/usr/bin/nspawn|-n");
	CHECK(config.network_setup == NETWORK_SETUP_AUTO);
}

static void test_boot_words(void)
{
	accepts("nspawn|-b|systemd.unit=a|FOO=b c|foo-bar=1|3|=x|1a=b|a b=c|x.y=z|init=/bin/sh");
	CHECK(config.words.count == 6 && config.environment.count == 3);
	CHECK_TEXT(config.words.items[0], "systemd.unit=a");
	CHECK_TEXT(config.words.items[1], "3");
	CHECK_TEXT(config.words.items[2], "=x");
	CHECK_TEXT(config.words.items[5], "x.y=z");
	CHECK_TEXT(config.environment.items[0], "FOO=b c");
	CHECK_TEXT(config.environment.items[1], "foo_bar=1");
	CHECK_TEXT(config.environment.items[2], "init=/bin/sh");
	accepts("nspawn|FOO=b");
	CHECK(config.words.count == 1 && config.environment.count == 0);
}

/* Tools learn whether an option exists by these command lines and two words of the answer. */
static void test_probes(void)
{
	refuses("systemd-nspawn|--no-such|--directory|/dev/null|--image|/dev/null",
		"unrecognized option");
	refuses("systemd-nspawn|--rlimit|--directory|/dev/null|--image|/dev/null", "'='");
	CHECK(!strstr(captured.all, "unrecognized"));
	refuses("systemd-nspawn|--console=pipe|--directory|/dev/null|--image|/dev/null",
		"not available yet");
	CHECK(!strstr(captured.all, "unrecognized"));
	refuses("systemd-nspawn|--console=interactive|--directory|/dev/null|--image|/dev/null",
		"not available yet");
}

static void test_callers(void)
{
	accepts("/usr/bin/systemd-nspawn|-q|-M|0123456789abcdef0123456789abcdef|-D|/var/lib/mock/"
		"root|-a|-u|mockbuild|"
		"--capability=cap_ipc_lock|--bind=/dev/loop-control|--bind=/dev/"
		"fuse|--resolv-conf=off|"
		"--bind=/tmp/x:/etc/"
		"resolv.conf|--suppress-sync=yes|--private-network|--console=pipe|--chdir=/"
		"builddir|"
		"--setenv=PROMPT_COMMAND=printf "
		"\"\\033]0;<mock-chroot>\\007\"|--setenv=LANG=C.UTF-8|/bin/sh|-c|exit 3");
	CHECK(config.start == START_PID2 && config.words.count == 3 && config.mounts.count == 3);
	CHECK(config.private_network && config.suppress_sync && config.resolv_conf == HOW_OFF);
	CHECK_TEXT(config.environment.items[0],
		   "PROMPT_COMMAND=printf \"\\033]0;<mock-chroot>\\007\"");

	accepts("systemd-nspawn|--quiet|--directory=/c|--setenv=PATH=/"
		"bin|--register=no|--machine=arch-nspawn-12|"
		"--as-pid2|--console=autopipe|--timezone=off|--bind=/cache|--bind-ro=/"
		"cache2|--bind=/a\\:b:/startdir|"
		"--tmpfs=/tmp:mode=1777,size=50%|--user=builduser|--chdir=/build|make");
	CHECK(config.mounts.count == 4 && config.console == CONSOLE_AUTOPIPE &&
	      config.timezone == HOW_OFF);
	CHECK_TEXT(config.mounts.items[2].source, "/a:b");

	accepts("systemd-nspawn|--quiet|--link-journal=no|--suppress-sync=yes|--private-network|"
		"--rlimit=RLIMIT_CORE=infinity|--console=autopipe|--machine|image|--register|no|--"
		"directory|/w|"
		"--bind|/s:/d:norbind,noidmap|--setenv|K=V|--|cmd|--opt");
	CHECK(config.words.count == 2 && !config.mounts.items[0].recursive);

	accepts("systemd-nspawn|--keep-unit|-M|web|-D|/var/lib/nixos-containers/"
		"web|--private-network|"
		"--notify-ready=yes|--kill-signal=SIGRTMIN+3|--bind-ro=/nix/store:/nix/"
		"store|--setenv|HOST=a|"
		"--capability=CAP_NET_ADMIN|--tmpfs=/t:mode=0755|/init|/nix/store/x/init");
	CHECK(config.keep_unit && config.ready.when == READY_GUEST &&
	      config.kill_signal == SIGRTMIN + 3);

#ifdef __x86_64__
	accepts("systemd-nspawn|--personality=x86|-D|/d");
#endif
	accepts("systemd-nspawn|--private-network|--machine=n|--bind-ro=/nix/store:/nix/"
		"store|--keep-unit|--register=no|"
		"--notify-ready=yes|--directory=/d|--bind=/s:/tmp/shared|/init|a|b");
	accepts("systemd-nspawn|--quiet|--directory=|--machine=run-1|--boot|--notify-ready=yes|--"
		"suppress-sync=yes");
	CHECK(!config.directory && config.start == START_BOOT);
	accepts("systemd-nspawn|--console=pipe|-qD|/chroot|--|sh|-s");
	CHECK(config.quiet && config.words.count == 2);
	accepts("systemd-nspawn|-qb|--capability=CAP_IPC_LOCK|--system-call-filter=swapcontext|-D|/"
		"p|-M|n|--");
	CHECK(config.words.count == 0 && config.syscalls_allowed.count == 1);
	accepts("systemd-nspawn|-D|/r|--pipe|cmd");
	accepts("systemd-nspawn|-M|n|-u|root|--pipe|--suppress-sync=true|--capability=CAP_IPC_LOCK,"
		"CAP_SYS_NICE|"
		"--bind-ro=/etc/hosts:/etc/hosts|-D|machine/root|/script|a");
	accepts("systemd-nspawn|-q|--directory=/d|--setenv=SDMPT=|--console|interactive|cmd");
	CHECK_TEXT(config.environment.items[0], "SDMPT=");
	accepts("systemd-nspawn|--directory=/d|--bind=/a:/"
		"b|--keep-unit|--register=no|--user=user|--setenv=A=b|"
		"--chdir=/d|sh|-c|true");
	accepts("systemd-nspawn|--quiet|--register=no|--keep-unit|--as-pid2|--link-journal=no|"
		"--capability=CAP_MAC_ADMIN|--directory=/r|--setenv=A=b|--bind-ro=/a:/b|--bind=/c:/"
		"d|/run");
	accepts("systemd-nspawn|--console=pipe|-q|--bind=/dev|--capability=all|-D|/d|cmd");
	accepts("systemd-nspawn|--bind|/dev/urandom:/dev/"
		"random|--resolv-conf=replace-stub|--background=|"
		"--settings=false|-D|/d");
	accepts("systemd-nspawn|--register=no|--kill-signal=SIGKILL|--directory=/"
		"d|--setenv=A=b|--machine=TEST-1|"
		"/init|systemd.unit=x");
	CHECK(config.kill_signal == SIGKILL);
}

static void test_environment(void)
{
	static const char *const booleans[] = {
		"SYSTEMD_NSPAWN_TMPFS_TMP",
		"SYSTEMD_NSPAWN_USE_CGNS",
		"SYSTEMD_NSPAWN_LOCK",
		"SYSTEMD_NSPAWN_CHECK_OS_RELEASE",
		"SYSTEMD_SUPPRESS_SYNC",
		"SYSTEMD_SECCOMP",
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE",
		"SYSTEMD_NSPAWN_SHARE_NS_PID",
	};

	accepts("nspawn");
	CHECK(config.tmpfs_on_tmp && config.cgroup_namespace && config.locks &&
	      config.check_os_release);
	CHECK(config.syscall_filter && !config.suppress_sync &&
	      config.api_vfs == API_VFS_READ_ONLY);
	CHECK_TEXT(config.container_service, "systemd-nspawn");
	for (size_t i = 0; i < ARRAY_LEN(booleans); i++) {
		CHECK(setenv(booleans[i], "junk", 1) == 0);
		refuses("nspawn", booleans[i]);
		CHECK(setenv(booleans[i], "", 1) == 0);
		accepts("nspawn");
		CHECK(setenv(booleans[i], "0", 1) == 0);
	}
	accepts("nspawn");
	CHECK(!config.tmpfs_on_tmp && !config.cgroup_namespace && !config.locks &&
	      !config.check_os_release);
	CHECK(!config.syscall_filter && !config.suppress_sync);
	CHECK(!config.share_ipc && !config.share_pid && !config.share_uts);
	CHECK(setenv("SYSTEMD_NSPAWN_SHARE_NS_PID", "1", 1) == 0);
	accepts("nspawn");
	CHECK(!config.share_ipc && config.share_pid && !config.share_uts);
	refuses("nspawn|--boot", "need a PID namespace of their own");
	refuses("nspawn|-a|x", "need a PID namespace of their own");
	for (size_t i = 0; i < ARRAY_LEN(booleans); i++)
		CHECK(unsetenv(booleans[i]) == 0);

	CHECK(setenv("SYSTEMD_SUPPRESS_SYNC", "1", 1) == 0);
	accepts("nspawn");
	CHECK(config.suppress_sync && config.origin[SETTING_SUPPRESS_SYNC] == ORIGIN_ENVIRONMENT);
	accepts("nspawn|--suppress-sync=no");
	CHECK(!config.suppress_sync && config.origin[SETTING_SUPPRESS_SYNC] == ORIGIN_OPTION);
	CHECK(unsetenv("SYSTEMD_SUPPRESS_SYNC") == 0);

	CHECK(setenv("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network", 1) == 0);
	accepts("nspawn");
	CHECK(config.api_vfs == API_VFS_NETWORK);
	CHECK(unsetenv("SYSTEMD_NSPAWN_API_VFS_WRITABLE") == 0);
	CHECK(setenv("SYSTEMD_NSPAWN_CONTAINER_SERVICE", "lxd", 1) == 0);
	accepts("nspawn");
	CHECK_TEXT(config.container_service, "lxd");
	CHECK(setenv("SYSTEMD_NSPAWN_CONTAINER_SERVICE", "a\nb", 1) == 0);
	refuses("nspawn", "SYSTEMD_NSPAWN_CONTAINER_SERVICE");
	CHECK(unsetenv("SYSTEMD_NSPAWN_CONTAINER_SERVICE") == 0);
	CHECK(setenv("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1", 1) == 0);
	accepts("nspawn");
}

static void test_log_level(void)
{
	accepts("nspawn|-q");
	CHECK(log_get_level() == LOG_WARNING);
	CHECK(setenv("SYSTEMD_LOG_LEVEL", "debug", 1) == 0);
	accepts("nspawn|-q");
	CHECK(log_get_level() == LOG_DEBUG);
	CHECK(setenv("SYSTEMD_LOG_LEVEL", "3", 1) == 0);
	accepts("nspawn");
	CHECK(log_get_level() == LOG_FAILURE);
	CHECK(setenv("SYSTEMD_LOG_LEVEL", "loud", 1) == 0);
	accepts("nspawn");
	CHECK(captured.warnings == 1 && log_get_level() == LOG_NOTE);
	CHECK(unsetenv("SYSTEMD_LOG_LEVEL") == 0);
}

int main(void)
{
	static const char *const ours[] = {"SYSTEMD_LOG_LEVEL", "SYSTEMD_SUPPRESS_SYNC",
					   "SYSTEMD_SECCOMP"};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		CHECK(unsetenv(ours[i]) == 0);
	CHECK(freopen("/dev/null", "w", stdout) != NULL);
	test_end_of_options();
	test_letters();
	test_abbreviations();
	test_values();
	test_boot_words();
	test_probes();
	test_callers();
	test_environment();
	test_log_level();
	arena_done(&config.arena);
	return check_result();
}
