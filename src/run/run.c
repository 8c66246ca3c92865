/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one machine: asked, found, decided, then the boot loop, then what is owed.
 * Zone: free until the first lock is taken, then owing.
 */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "config/command-line.h"
#include "config/values.h"
#include "host/host.h"
#include "host/locks.h"
#include "image/find.h"
#include "image/os-release.h"
#include "run/launch.h"
#include "run/notify.h"
#include "run/supervise.h"

/* What a service manager takes as "start me again": RestartForceExitStatus= of the unit. */
#define STATUS_RESTART 133

/* The nouns of one run of the program; the kernel takes back what is not in the undo list. */
struct run {
	struct config config;
	struct facts facts;
	struct locks locks;
	struct plan plan;
	int directory_fd; /* the tree */
};

/* --- Found --- */

static int find_directory(struct config *config, struct facts *facts)
{
	auto_free char *resolved = NULL;
	struct found_image found;

	if (config->machine && !config->directory) {
		TRY(image_find(&config->arena, config->machine, image_search_path, &found));
		facts->directory = found.path;
		config->read_only = config->read_only || found.is_read_only;
		return 0;
	}
	facts->directory = config->directory ? config->directory : ".";
	/* What was typed names the machine, be it a link; but ".." names nothing. */
	if (path_is_normalized(facts->directory))
		return 0;
	resolved = realpath(facts->directory, NULL);
	if (!resolved)
		return fail(-errno, "Cannot open the tree '%s'", facts->directory);
	facts->directory = arena_copy(&config->arena, resolved);
	return 0;
}

static int name_machine(const struct config *config, struct facts *facts, struct arena *arena)
{
	facts->machine =
		config->machine ? config->machine : machine_name_from_path(arena, facts->directory);
	if (facts->machine)
		return 0;
	(void)refuse(EINVAL, "Cannot make a machine name from '%s'", facts->directory);
	hint("Give one with --machine=");
	return -EINVAL;
}

static int open_directory(const struct facts *facts, int *ret_fd)
{
	struct stat root, status;
	auto_close int fd = open(facts->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(-errno, "Cannot open the tree '%s'", facts->directory);
	if (stat("/", &root) < 0 || fstat(fd, &status) < 0)
		return fail(-errno, "Cannot look at the tree '%s'", facts->directory);
	if (root.st_dev == status.st_dev && root.st_ino == status.st_ino) {
		(void)refuse(EINVAL, "Cannot run a machine on the host's own root directory");
		hint("Give the directory of another tree with --directory=");
		return -EINVAL;
	}
	*ret_fd = steal_fd(fd);
	return 0;
}

static int check_tree(const struct config *config, struct facts *facts, int directory_fd,
		      struct arena *arena)
{
	bool is_boot = config->start == START_BOOT;
	int r = os_tree_probe(arena, directory_fd, is_boot ? OS_TREE_BOOT : OS_TREE_COMMAND,
			      &facts->tree);

	if (r < 0)
		return fail(r, "Cannot look into the tree '%s'", facts->directory);
	if (is_boot && config->check_os_release && !facts->tree.has_os_release) {
		(void)refuse(
			ENOENT,
			"The tree '%s' is no operating system: it has neither /etc/os-release nor /usr/lib/os-release",
			facts->directory);
		hint("Set SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0 to boot it all the same");
		return -ENOENT;
	}
	if (!is_boot && !facts->tree.has_usr) {
		(void)refuse(ENOENT, "The tree '%s' is no operating system: it has no /usr",
			     facts->directory);
		hint("Make that directory if you mean it");
		return -ENOENT;
	}
	return 0;
}

static void look_around(const struct config *config, struct facts *facts, struct arena *arena)
{
	facts->host_files.etc_is_writable = !config->read_only;
	host_file_facts_gather(arena, &facts->host_files);
	for (int fd = 0; fd < 3; fd++)
		facts->is_terminal[fd] = isatty(fd) == 1;
	facts->term = getenv("TERM");
	facts->colorterm = getenv("COLORTERM");
	facts->no_color = getenv("NO_COLOR");
	facts->activation_fds = host_count_activation_fds();
	facts->capabilities = capabilities_permitted();
	os_release_of_host(arena, &facts->host, &facts->host_os_release);
}

static int find(struct run *run)
{
	struct config *config = &run->config;
	struct facts *facts = &run->facts;
	int r;

	TRY(find_directory(config, facts));
	TRY(open_directory(facts, &run->directory_fd));
	TRY(name_machine(config, facts, &config->arena));
	TRY(check_tree(config, facts, run->directory_fd, &config->arena));
	look_around(config, facts, &config->arena);
	r = host_random(facts->random, sizeof(facts->random));
	return r < 0 ? fail(r, "Cannot get random bytes for the ids of this start") : 0;
}

/* --- Made --- */

static int take_locks(struct run *run, struct undo *undo)
{
	const struct lock_request request = {
		.tree = run->config.locks ? run->facts.directory : NULL,
		.tree_is_shared = run->config.read_only,
		.machine = run->facts.machine,
		/* A name that only comes from the directory may be another tree's as well. */
		.machine_may_be_numbered = !run->config.machine,
	};

	TRY(locks_take(&run->locks, &request, undo));
	run->facts.machine = run->locks.machine;
	return 0;
}

static int make_cgroup(struct machine *machine, struct cgroup_place *place, struct arena *arena)
{
	const struct config *config = machine->plan->config;
	/*
	 * Nobody else has the machine's name, so what is left in a group of that name is a dead
	 * supervisor's.
	 */
	const struct cgroup_request request = {
		.machine = machine->plan->machine,
		.keep_unit = config->keep_unit,
		.move_supervisor = config->start == START_BOOT,
		.name_is_locked = true,
	};
	int r;

	machine->cgroup = CGROUP_NONE;
	r = cgroup_probe(arena, place);
	if (r == 0)
		r = cgroup_create(arena, place, &request, machine->undo, &machine->cgroup);
	else if (r < 0)
		return fail(r, "Cannot find our own cgroup");
	machine->has_cgroup = r == 0;
	if (r == CGROUP_NO_HIERARCHY)
		note("No cgroup2 hierarchy is mounted, the machine stays in the cgroups of its caller");
	else if (r == CGROUP_NOT_WRITABLE)
		note("Our cgroup cannot be divided, the machine stays in the cgroups of its caller");
	return r < 0 ? r : 0;
}

/* One boot: everything made here is taken back before it returns. */
static int boot(struct run *run, int signal_fd, struct ending *ret)
{
	const struct plan *plan = &run->plan;
	struct arena *arena = &run->config.arena;
	/* Declared before what is owed, and so closed after it. */
	__attribute__((cleanup(cgroup_place_done))) struct cgroup_place place = {.own_fd = -EBADF};
	auto_undo struct undo undo = {0};
	struct machine machine = {
		.plan = plan,
		.arena = arena,
		.locks = &run->locks,
		.undo = &undo,
		.pidfd = -EBADF,
		.notify_fd = -EBADF,
		.kmsg_fd = -EBADF,
		.handshake = {.fd = -EBADF},
	};

	TRY(make_cgroup(&machine, &place, arena));
	machine.exchange = plan->exchange;
	if (plan->has_exchange)
		(void)exchange_make(&machine.exchange, &undo); /* it warned; we can do without */
	TRY(mount_sources_open(arena, &plan->mounts, run->directory_fd, &machine.sources, &undo));
	TRY(launch(&machine));
	return supervise(&machine, signal_fd, ret);
}

/* --- The end --- */

static int status_of_ending(const struct plan *plan, const struct ending *ending)
{
	switch (ending->outcome) {
	case OUTCOME_EXITED:
		/* A program must not be able to make its unit restart by chance. */
		return ending->status == STATUS_RESTART ? EXIT_FAILURE : ending->status;
	case OUTCOME_POWER_OFF:
		note("Machine '%s' has been shut down", plan->machine);
		return EXIT_SUCCESS;
	case OUTCOME_REBOOT: /* with --keep-unit: the unit starts us again */
		return STATUS_RESTART;
	case OUTCOME_KILLED:
		note("Machine '%s' was killed as asked", plan->machine);
		return EXIT_FAILURE;
	case OUTCOME_SIGNALLED:
		(void)refuse(EIO, "Machine '%s' was terminated by signal %s", plan->machine,
			     sigabbrev_np(ending->status));
		return EXIT_FAILURE;
	case OUTCOME_FAILED:
	default:
		return EXIT_FAILURE;
	}
}

static int run_until_end(struct run *run)
{
	auto_close int signal_fd = supervise_block_signals();
	const struct plan *plan = &run->plan;
	struct ending ending;

	TRY(signal_fd);
	for (;;) {
		TRY(boot(run, signal_fd, &ending));
		if (ending.outcome != OUTCOME_REBOOT || run->config.keep_unit)
			break;
		note("Machine '%s' is being rebooted", plan->machine);
	}
	(void)notify_stage(ending.outcome == OUTCOME_REBOOT ? NOTIFY_STAGE_RESTARTING
							    : NOTIFY_STAGE_TERMINATING);
	return status_of_ending(plan, &ending);
}

static void announce(const struct plan *plan)
{
	const struct config *config = plan->config;

	/* Callers pass these everywhere; without a manager they are no reason to fail. */
	if (config->slice || config->properties.count > 0)
		note("No unit is made for the machine: '--slice' and '--property' have no effect");
	note("Spawning machine '%s' on '%s'", plan->machine, plan->facts->directory);
	if (plan->console.input_is_forwarded)
		note("Press ^] three times within 1s to kill it, ^] ^] p to power it off, ^] ^] r to reboot it");
}

int run_machine(int argc, char **argv)
{
	auto_undo struct undo undo = {0};
	struct run run = {.directory_fd = -EBADF};
	int r;

	r = config_from_command_line(&run.config, argc, argv);
	if (r != 0)
		return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (host_check() < 0 || find(&run) < 0 || take_locks(&run, &undo) < 0 ||
	    plan_make(&run.config.arena, &run.config, &run.facts, &run.plan) < 0)
		return EXIT_FAILURE;
	if (run.plan.console.mode != CONSOLE_PIPE)
		announce(&run.plan);
	r = run_until_end(&run);
	return r < 0 ? EXIT_FAILURE : r;
}
