/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one machine: asked, found, decided, then the boot loop, then what is owed.
 * Zone: free until the first lock is taken, then owing.
 */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/merge.h"
#include "config/settings-file.h"
#include "host/host.h"
#include "host/locks.h"
#include "host/registry.h"
#include "ids/shift.h"
#include "image/template.h"
#include "manager/resources.h"
#include "manager/manager.h"
#include "mount/detached.h"
#include "run/cleanup.h"
#include "run/describe.h"
#include "run/dry-run.h"
#include "run/facts.h"
#include "run/names.h"
#include "run/notify.h"
#include "run/run-ids.h"
#include "run/run-network.h"
#include "run/supervise.h"

/* What a service manager takes as "start me again": RestartForceExitStatus= of the unit. */
#define STATUS_RESTART 133

/* --- Asked --- */

/* What files say is found by where the tree is and by the machine's name. */
static int ask(struct run *run)
{
	struct said_list files = {0};

	TRY(facts_locate(&run->config, &run->facts));
	TRY(settings_files_read(&run->config, run->facts.places.settings, run->facts.directory,
				run->facts.machine, &files));
	TRY(config_merge(&run->config, &files));
	return config_check(&run->config);
}

/* --- Made --- */

/* Stays so when the machine is gone. */
static int change_owners(const struct run *run)
{
	const struct shift_request request = {.path = run->facts.directory};

	return run->plan.ids.ownership == IDS_OWNERSHIP_CHOWN
		       ? shift_tree(run->directory_fd, run->plan.ids.shift, &request)
		       : 0;
}

/* The tree may have to be made first. */
static int make_tree(const struct run *run)
{
	const struct template_request request = {
		.template = run->config.template,
		.places = &run->facts.places,
		.directory = run->facts.directory,
		.locks = run->config.locks,
	};

	return request.template ? template_apply(&request) : 0;
}

/* A name that nobody chose is never met again. */
static bool is_log_kept(const struct config *config)
{
	return config->start == START_BOOT && (config->machine || !config->ephemeral);
}

/* What a killed supervisor left of the last run, before the start empties its directory. */
static void rescue_log(const struct run *run)
{
	const struct places *places = &run->facts.places;
	auto_free char *directory = NULL;

	if (is_log_kept(&run->config) &&
	    asprintf(&directory, "%s/%s", places->machines, run->facts.machine) >= 0 &&
	    registry_look(directory) == -ESRCH)
		console_log_keep(places, directory, run->facts.machine);
}

/* Nobody can talk with us any more; the machine's directory goes next. */
static void close_door(void *argument)
{
	struct run *run = argument;
	struct arena *arena = &run->config.arena;
	const char *directory = locks_name_directory(arena, &run->locks);
	bool has_log = run->control.share.log.fd >= 0;

	control_close(&run->control);
	if (!has_log || !directory)
		return;
	if (is_log_kept(&run->config))
		console_log_keep(&run->facts.places, directory, run->facts.machine);
	(void)unlink(arena_format(arena, "%s/" CONSOLE_LOG_FILE, directory));
}

static int take_locks(struct run *run, struct undo *undo)
{
	const struct lock_request request = {
		.tree = run->config.locks ? run->facts.directory : NULL,
		.tree_is_shared = config_keeps_tree(&run->config),
		.machine = run->facts.machine,
		/* A name that only comes from the directory may be another tree's as well. */
		.machine_may_be_numbered = !run->config.machine,
		.places = &run->facts.places,
	};

	TRY(places_make(&run->facts.places, undo));
	rescue_log(run);
	TRY(locks_take(&run->locks, &request, undo));
	undo_push(undo, close_door, run, "door");
	run->facts.machine = run->locks.machine;
	return 0;
}

/* What the whole machine may use, before anybody is in its group. */
static int limit(const struct run *run, struct machine *machine, const struct cgroup_place *place)
{
	bool is_managed = run->managers.scope == SCOPE_MADE, keeps = run->config.keep_unit;
	const struct resources_request request = {
		.config = &run->config,
		.machine = run->plan.machine,
		.directory = machine->has_cgroup ? machine->cgroup.directory : "/sys/fs/cgroup",
		.group_fd = machine->has_cgroup ? machine->cgroup.base_fd : -EBADF,
		.parent_fd = machine->has_cgroup && !is_managed && !keeps ? place->own_fd : -EBADF,
		.is_managed = is_managed,
		.is_kept = keeps,
	};

	return resources_apply(machine->arena, &request, machine->undo);
}

/* An ordinary user's command loses nothing by it that was asked for. */
static void say_that_it_stays(const struct machine *machine, const char *why)
{
	bool is_boot = machine->plan->config->start == START_BOOT;

	if (is_boot && machine->plan->facts->tree.init_kind == INIT_SYSTEMD) {
		warn(0,
		     "%s, and a systemd inside needs a cgroup that it may divide: trying without",
		     why);
		hint("Log in as the user, so that there is a service manager to make one, or start nspawn "
		     "by 'systemd-run --user --scope --property=Delegate=yes'");
	} else if (is_boot || geteuid() == 0) {
		note("%s, the machine stays in the cgroups of its caller", why);
	} else {
		debug("%s, the machine stays in the cgroups of its caller", why);
	}
}

static int make_cgroup(const struct run *run, struct machine *machine, struct cgroup_place *place,
		       struct arena *arena)
{
	const struct config *config = machine->plan->config;
	/*
	 * Nobody else has the machine's name, so what is left in a group of that name is a dead
	 * supervisor's.
	 */
	const struct cgroup_request request = {
		.machine = machine->plan->machine,
		/* Its group is given to a managed machine by who gave the ids. */
		.owner = machine->plan->ids.writer == IDS_WRITER_MANAGER ? geteuid()
									 : machine->plan->ids.shift,
		/* The scope is ours alone, as the unit is with --keep-unit. */
		.keep_unit = config->keep_unit || run->managers.scope == SCOPE_MADE,
		.mover = run->managers.holder.pid,
		.move_supervisor = config->start == START_BOOT,
		.name_is_locked = true,
		/* An init expects to manage them, as it may where a service manager delegates. */
		.all_controllers = config->start == START_BOOT,
		.controllers = resources_controllers(arena, config),
	};
	int r;

	machine->cgroup = CGROUP_NONE;
	r = request.mover > 0 ? cgroup_probe_process(arena, request.mover, place)
			      : cgroup_probe(arena, place);
	if (r == 0)
		r = cgroup_create(arena, place, &request, machine->undo, &machine->cgroup);
	else if (r < 0)
		return fail(r, "Cannot find our own cgroup");
	machine->has_cgroup = r == 0;
	if (r >= 0)
		TRY(limit(run, machine, place));
	if (r == CGROUP_NO_HIERARCHY || r == CGROUP_NOT_WRITABLE)
		say_that_it_stays(machine, r == CGROUP_NO_HIERARCHY
						   ? "No cgroup2 hierarchy is mounted"
						   : "Our cgroup cannot be divided");
	return r < 0 ? r : 0;
}

/* Mounts that are no clone of something with a path. */
static int hand_over(struct run *run, struct machine *machine)
{
	const struct plan *plan = machine->plan;
	int fd, r;

	if (machine->sources.are_named) {
		credentials_lend(&run->credentials);
		machine->credentials = &run->credentials;
	} else if (run->credentials.count > 0) {
		fd = credentials_mount(&run->credentials, plan->ids.shift);
		TRY(fd);
		mount_sources_hand(&machine->sources, &plan->mounts, CREDENTIALS_DIRECTORY_INSIDE,
				   fd);
	}
	if (plan->journal.how == JOURNAL_LEAVE)
		return 0;
	TRY(journal_prepare(&plan->journal, run->directory_fd, run->config.read_only, &fd));
	r = fd >= 0 && machine->ids_fd >= 0 ? detached_map(fd, machine->ids_fd, false) : 0;
	if (r < 0)
		warn(r,
		     "Cannot map the owners of the machine's journal on the host, leaving it unwritable for the machine");
	mount_sources_hand(&machine->sources, &plan->mounts, plan->journal.directory, fd);
	return 0;
}

/* Where the changes of a throw-away machine go: into a snapshot, or an overlay's top layer. */
static int make_changes(struct run *run, struct undo *undo)
{
	struct plan *plan = &run->plan;
	int r;

	if (!plan->delta)
		return 0;
	r = ephemeral_make(plan->delta, run->directory_fd, plan->delta_is_snapshot,
			   &run->ephemeral[0], undo);
	if (r == 0 && plan->delta_is_snapshot)
		run->directory_fd = run->ephemeral[0].changes_fd;
	if (r != -EOPNOTSUPP || !plan->delta_is_snapshot)
		return r;
	/* Decided once more, without. */
	run->facts.snapshot_directory = NULL;
	*plan = (struct plan){0};
	TRY(plan_make(&run->config.arena, &run->config, &run->facts, plan));
	return ephemeral_make(plan->delta, run->directory_fd, /* is_snapshot= */ false,
			      &run->ephemeral[1], undo);
}

/* The next boot, or a service manager, would find who goes on waiting, and end it with a word. */
static enum link_farewell farewell(const struct run *run, const struct ending *ending)
{
	return ending->outcome == OUTCOME_REBOOT || run->config.keep_unit || getenv("NOTIFY_SOCKET")
		       ? LINK_WAIT
		       : LINK_LEAVE;
}

/* One boot: everything made here is taken back before it returns. */
static int boot(struct run *run, int signal_fd, struct ending *ret)
{
	const struct plan *plan = &run->plan;
	struct arena *arena = &run->config.arena;
	/* Declared before what is owed, which looks at them: they end after it. */
	__attribute__((cleanup(cgroup_place_done))) struct cgroup_place place = {.own_fd = -EBADF};
	struct machine machine = {
		.plan = plan,
		.arena = arena,
		.locks = &run->locks,
		.managers = &run->managers,
		.pidfd = -EBADF,
		.notify_fd = -EBADF,
		.kmsg_fd = -EBADF,
		.names_fd = -EBADF,
		.handshake = {.fd = -EBADF},
		.ids_fd = -EBADF,
		.tree_map_fd = -EBADF,
		.net = NET_NONE,
		.network_fd = -EBADF,
		.ports = run->ports,
		.control = &run->control,
	};
	struct registry_entry entry;
	auto_undo struct undo undo = {0};

	machine.undo = &undo;
	TRY(make_cgroup(run, &machine, &place, arena));
	machine.exchange = plan->exchange;
	if (plan->has_exchange)
		(void)exchange_make(&machine.exchange, plan->ids.shift,
				    &undo); /* it warned; we can do without */
	TRY(journal_remote_start(arena, &run->config, &run->facts.places, plan->machine,
				 &machine.journal_remote, &undo));
	machine.net.id_shift = plan->ids.shift;
	TRY(net_prepare(arena, &plan->net, &machine.net, &undo));
	TRY(ports_prepare(plan->machine, &plan->net, &machine.ports, &undo));
	TRY(run_open_ids(run, &machine));
	if (machine.journal_remote.socket &&
	    lchown(machine.journal_remote.socket, plan->ids.shift, plan->ids.shift) < 0)
		return fail(-errno, "Cannot give the socket of the journal to the payload's root");
	TRY(mount_sources_open(arena, &plan->mounts, run->directory_fd, &machine.sources, &undo));
	TRY(run_lend_mount(&machine));
	TRY(hand_over(run, &machine));
	machine.entry = describe(run, &machine, &entry) ? &entry : NULL;
	TRY(launch(&machine));
	TRY(supervise(&machine, signal_fd, ret));
	machine.net.farewell = farewell(run, ret);
	names_take_back(&machine);
	/* Who came by these does not ask for them anew because the machine reboots. */
	run->ports.published = machine.ports.published;
	run->ports.of_host = machine.ports.of_host;
	ret->memory_kills = machine.has_cgroup ? cgroup_memory_kills(&machine.cgroup) : 0;
	return 0;
}

/* --- The end --- */

/* Why processes of the machine were gone all at once, which their own output cannot tell. */
static void tell_memory_kills(const struct plan *plan, const struct ending *ending)
{
	if (ending->memory_kills == 0)
		return;
	note("For want of memory the kernel ended %llu of the processes of machine '%s'",
	     ending->memory_kills, plan->machine);
}

static int status_of_ending(const struct plan *plan, const struct ending *ending)
{
	char name[SIGNAL_NAME_MAX];

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
			     signal_name(ending->status, name));
		if (ending->status == SIGKILL)
			hint(ending->memory_kills > 0
				     ? "'--memory=' says how much a machine may have, and 'nspawn top' how much it uses"
				     : "Unless somebody killed it, memory was short: see the kernel log");
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
	int status;

	TRY(signal_fd);
	for (;;) {
		TRY(boot(run, signal_fd, &ending));
		tell_memory_kills(plan, &ending);
		if (ending.outcome != OUTCOME_REBOOT || run->config.keep_unit)
			break;
		note("Machine '%s' is being rebooted", plan->machine);
	}
	(void)notify_stage(ending.outcome == OUTCOME_REBOOT ? NOTIFY_STAGE_RESTARTING
							    : NOTIFY_STAGE_TERMINATING);
	status = status_of_ending(plan, &ending);
	control_tell_end(&run->control, outcome_word(ending.outcome), status);
	return status;
}

/* Callers pass these everywhere; without a manager they are no reason to fail. */
static void announce_idle(const struct plan *plan, int scope)
{
	const struct config *config = plan->config;

	if (scope != SCOPE_MADE && (config->slice || !resources_are_all_properties(config)))
		note("No unit is made for the machine: '--slice' and '--property' have no effect");
	if (config->register_machine == TRISTATE_YES &&
	    !manager_is_there(plan->facts->places.is_user))
		note("The machine manager is not told of the machine: '--register=yes' has no effect");
}

/*
 * Without a terminal on both ends the guest gets one of its own, where nobody types: what is piped
 * in would be waited for in vain.
 */
static void announce_deafness(const struct plan *plan)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct stat status;

	if (plan->console.mode != CONSOLE_READ_ONLY || plan->config->console == CONSOLE_READ_ONLY ||
	    fstat(STDIN_FILENO, &status) < 0 ||
	    !(S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode)))
		return;
	/* What is closed and empty says nothing. */
	if (S_ISREG(status.st_mode) ? status.st_size > 0
				    : poll(&input, 1, 0) == 0 || (input.revents & POLLIN))
		note("Standard input is not passed on to the machine: '--pipe' does that");
}

static void announce(const struct plan *plan, int scope)
{
	ids_mention(&plan->ids, &plan->facts->ids);
	announce_idle(plan, scope);
	note("Spawning machine '%s' on '%s'", plan->machine, plan->facts->directory);
	announce_deafness(plan);
	if (plan->console.input_is_forwarded)
		note("Press ^] three times within 1s to kill it; ^] ^] p powers off, r reboots");
}

/* What settings files say of a machine that is over is of no interest. */
static int tidy_up(struct config *config)
{
	const struct said_list no_files = {0};

	if (config_merge(config, &no_files) < 0 || config_check(config) < 0 || cleanup(config) < 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int do_as_told(int argc, char **argv)
{
	auto_undo struct undo undo = {0};
	struct run run = {.directory_fd = -EBADF,
			  .lease = LEASE_NONE,
			  .managers = MANAGERS_NONE,
			  .control = CONTROL_NONE,
			  .ports = PORTS_NONE};
	int r;

	r = config_from_command_line(&run.config, argc, argv);
	if (r != 0)
		return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (run.config.cleanup)
		return tidy_up(&run.config);
	if (run.config.dry_run != DRY_RUN_NO)
		return dry_run(&run.config);
	if (ask(&run) < 0 || host_check() < 0 || make_tree(&run) < 0 ||
	    facts_gather(&run.config, &run.facts, &run.directory_fd) < 0 ||
	    credentials_read(&run.config, &run.credentials, &undo) < 0 ||
	    take_locks(&run, &undo) < 0 || run_take_ids(&run, &undo) < 0 ||
	    run_take_network(&run.config.arena, &run.config, &run.facts, &run.locks, &undo) < 0 ||
	    plan_make(&run.config.arena, &run.config, &run.facts, &run.plan) < 0)
		return EXIT_FAILURE;
	if (managers_enter_scope(&run.managers, &run.config.arena, &run.plan, &undo) < 0)
		return EXIT_FAILURE;
	run.tree_fd = run.directory_fd;
	if (make_changes(&run, &undo) < 0)
		return EXIT_FAILURE;
	if (run.plan.console.mode != CONSOLE_PIPE)
		announce(&run.plan, run.managers.scope);
	if (change_owners(&run) < 0)
		return EXIT_FAILURE;
	ports_ask(&run.config.arena, &run.config, &run.ports);
	r = run_until_end(&run);
	return r < 0 ? EXIT_FAILURE : r;
}

int run_machine(int argc, char **argv)
{
	int status = do_as_told(argc, argv);

	/* Who started us as a service sees it in its status, without the journal. */
	if (*log_first_failure())
		(void)notify_failed(log_first_failure());
	return status;
}
