/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of verbs.
 * Zone: free.
 */
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/scope.h"
#include "config/help.h"
#include "control/changes.h"
#include "control/config.h"
#include "control/enter.h"
#include "control/files.h"
#include "control/limits.h"
#include "control/machinectl.h"
#include "control/net.h"
#include "control/outcome.h"
#include "control/running.h"
#include "control/supervised.h"
#include "control/syscalls.h"
#include "control/units.h"

/* clang-format off */
const struct verb verbs[] = {
	{"list", "[--all] [--max-addresses=N] [--no-legend] [--json]",
	 "List the machines that run", control_list},
	{"status", "NAME… [--lines=N] [--json]", "Show what a machine is, has and uses", control_status},
	{"show", "[NAME…] [--property=NAME] [--value] [--all] [--json]",
	 "Show properties of a machine as lines for scripts", control_show},
	{"top", "[NAME…] [--once] [--delay=TIME] [--json]",
	 "Show what machines use, again and again", control_top},
	{"exec", "NAME [OPTION…] [--] COMMAND…",
	 "Run a command in a running machine, with the rights of its first process", control_exec},
	{"shell", "[OPTION…] [USER@]NAME [PROGRAM…]", "Open a user's login shell in a running machine",
	 control_shell},
	{"login", "NAME", "Open a fresh login prompt of a running machine", control_login},
	{"console", "NAME", "Attach this terminal to the console of a running machine",
	 control_console},
	{"logs", "NAME [--previous] [-f|--follow]",
	 "Show the end of what a machine that boots wrote on its console", control_logs},
	{"start", "NAME… [--json]", "Start machines as services, and wait until they are ready",
	 control_start, true},
	{"enable", "NAME… [--now] [--after=OTHER…] [--delay=SECONDS] [--json]",
	 "Start machines with the host from now on", control_enable, true},
	{"disable", "NAME… [--now] [--json]", "Do not start machines with the host any more",
	 control_disable, true},
	{"poweroff", "NAME… [--no-wait] [--timeout=TIME] [--json]",
	 "Let machines shut down in their own way, and wait for it", control_poweroff},
	{"reboot", "NAME… [--no-wait] [--timeout=TIME] [--json]",
	 "Let machines reboot in their own way, and wait for it", control_reboot},
	{"terminate", "NAME… [--no-wait] [--timeout=TIME] [--json]", "End machines at once",
	 control_terminate},
	{"kill", "NAME… [--signal=SIGNAL] [--kill-whom=WHOM] [--json]",
	 "Send a signal to the processes of machines", control_kill},
	{"pause", "NAME… [--json]", "Stop all processes of machines where they are", control_pause},
	{"resume", "NAME… [--json]", "Let them go on", control_resume},
	{"wait", "NAME [--ready | --end] [--json]",
	 "Wait until a machine has ended, or is ready, and end with its status", control_wait},
	{"limits", "NAME [--json]",
	 "Show what a running machine may use, who says so, and what it uses", control_limits},
	{"copy-to", "NAME HOST-PATH|- [GUEST-PATH] [--force] [--json]",
	 "Copy a file or a tree of the host into a running machine", control_copy_to, true},
	{"copy-from", "NAME GUEST-PATH [HOST-PATH|-] [--force] [--json]",
	 "Copy a file or a tree of a running machine to the host", control_copy_from, true},
	{"bind", "NAME HOST-PATH [GUEST-PATH[:OPTIONS]] [--read-only] [--mkdir] [--json]",
	 "Show a file or directory of the host in a running machine", control_bind, true},
	{"unbind", "NAME GUEST-PATH [--json]", "Take away what 'bind' has brought", control_unbind, true},
	{"net", "NAME [list | add OBJECT | remove OBJECT] [--json]",
	 "Show the links of a running machine, add links and ports or take them away", control_net},
	{"diff", "NAME [--json]", "Show what a running throw-away machine changed", control_diff},
	{"commit", "NAME [PATH…] [--json]",
	 "Write what a running throw-away machine changed into its tree", control_commit, true},
	{"export", "NAME FILE|- [--json]", "Write the tree of a running machine as a tar archive",
	 control_export, true},
	{"config", "[NAME] [--json] [OPTION…]",
	 "Show what a machine is started with, and where each value is from", control_config},
	{"syscalls", "[--json] [OPTION…] [NAME|@GROUP|NUMBER…]",
	 "Show which way system calls of a machine go, and why", control_syscalls},
	{"clean", "[NAME…] [--json]", "Remove what killed supervisors of machines left behind",
	 control_clean, true},
};
/* clang-format on */
const size_t verbs_count = ARRAY_LEN(verbs);

/* Other words for the same, which machinectl(1) has too. */
static const struct {
	const char *word, *verb;
} aliases[] = {
	{.word = "stop", .verb = "poweroff"},
	{.word = "restart", .verb = "reboot"},
};

/* All words are its own. */
static const struct verb machinectl = {"machinectl", "", "", control_machinectl};

const struct verb *verb_find(int argc, char **argv)
{
	const char *word;

	if (argc > 0 && machinectl_is_called(argv[0]))
		return &machinectl;
	if (argc < 2 || help_is_reference(path_last(argv[0])))
		return NULL;
	word = argv[1];
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(word, aliases[i].word) == 0)
			word = aliases[i].verb;
	for (size_t i = 0; i < verbs_count; i++)
		if (strcmp(word, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

int verb_run(const struct verb *verb, int argc, char **argv)
{
	if (verb == &machinectl)
		return verb->run(argc, argv);
	if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
		(void)printf("Usage: %s %s %s\n\n%s.\n", path_last(argv[0]), verb->name,
			     verb->synopsis, verb->help);
		return EXIT_SUCCESS;
	}
	return verb->has_outcome_only ? outcome_run(verb->run, argc - 1, argv + 1)
				      : verb->run(argc - 1, argv + 1);
}
