/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at everything a start would look at, without the right to do so perhaps, and shows the
 * plan. Where a start would end with a sentence, this notes the sentence and goes on.
 * Zone: free.
 */
#include "run/dry-run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "config/check.h"
#include "config/merge.h"
#include "config/settings-file.h"
#include "host/host.h"
#include "host/locks.h"
#include "image/template.h"
#include "manager/cgroup-find.h"
#include "manager/manager.h"
#include "manager/scope.h"
#include "mount/devices.h"
#include "net/net-apply.h"
#include "run/journal-receiver.h"
#include "run/program.h"
#include "run/run-network.h"

#define COLUMNS_DEFAULT 100
#define COLUMNS_MIN 72
#define COLUMNS_MAX 140

/* --- Looking --- */

struct rehearsal {
	struct config *config;
	struct facts facts;
	struct plan plan;
	struct explain_found found;
	struct explanation explanation;
	struct dry_run_listener listener;
	int directory_fd;
};

static int ask(struct rehearsal *run)
{
	struct said_list files = {0};
	struct config *config = run->config;

	run->listener.assumption = "assuming that there is a tree";
	/* Neither the system's places nor the user's: nothing to be shown is anywhere. */
	if (facts_locate(config, &run->facts) < 0 && !run->facts.places.machines)
		return -EPERM;
	if (!run->facts.directory)
		run->facts.directory = config->machine ? arena_format(&config->arena, "%s/%s",
								      run->facts.places.image_home,
								      config->machine)
						       : ".";
	if (!run->facts.machine)
		run->facts.machine = config->machine ? config->machine : "unknown";
	run->listener.assumption = "assuming that it says nothing";
	(void)settings_files_read(config, run->facts.places.settings, run->facts.directory,
				  run->facts.machine, &files);
	TRY(config_merge(config, &files));
	return config_check(config);
}

/* What root could pass on, for whoever else asks. */
static uint64_t capabilities_of_root(void)
{
	uint64_t set = 0;

	for (unsigned long number = 0; number < 64; number++)
		if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1)
			set |= UINT64_C(1) << number;
	return set;
}

static void look_at_template(struct rehearsal *run)
{
	struct config *config = run->config;
	const struct template_request request = {
		.places = &run->facts.places,
		.template = config->template,
		.directory = run->facts.directory,
	};
	enum template_way way = config->template ? template_look(&request) : TEMPLATE_WAY_NONE;

	if (way == TEMPLATE_WAY_NONE)
		return;
	/* The tree will be like it. */
	run->facts.template = config->template;
	run->facts.template_is_snapshot = way == TEMPLATE_WAY_SNAPSHOT;
}

static void look_at_locks(struct rehearsal *run)
{
	const struct config *config = run->config;
	const struct lock_request request = {
		.tree = config->locks ? run->facts.directory : NULL,
		.tree_is_shared = config_keeps_tree(config),
		.machine = run->facts.machine,
		.machine_may_be_numbered = !config->machine,
		.places = &run->facts.places,
	};
	struct arena *arena = &run->config->arena;
	struct locks_found locks = {0};

	run->listener.assumption = "assuming that nobody holds it";
	(void)locks_look(&request, &locks);
	run->facts.machine = arena_copy(arena, locks.machine);
	run->found.name_lock = arena_copy(arena, locks.name_path);
	run->found.tree_lock = arena_copy(arena, locks.tree_path);
	run->found.inode_lock = arena_copy(arena, locks.inode_path);
	locks_found_done(&locks);
}

/* As managers_enter_scope() of a start. */
static void look_at_manager(struct rehearsal *run, bool is_delegated)
{
	const struct scope_request request = {
		.is_user = run->facts.places.is_user,
		.runtime = run->facts.places.runtime,
	};

	run->found.has_manager = manager_is_there(request.is_user);
	if (run->config->keep_unit || (request.is_user && is_delegated))
		return;
	run->found.has_scope = scope_has_manager(&run->config->arena, &request);
	if (run->found.has_scope)
		(void)scope_check_properties(&run->config->properties);
}

/* Its lock is looked at and not taken. */
static void look_at_range(struct rehearsal *run)
{
	struct ids_facts *facts = &run->facts.ids;
	const struct range_request request = ids_range_request(facts, run->facts.machine);

	facts->has_range =
		ids_wants_range(run->config, facts) && range_look(&request, &facts->range) == 0;
	/* The name will be another one. */
	if (run->config->ephemeral && !run->config->machine && facts->range.origin == RANGE_OF_NAME)
		facts->has_range = false;
}

static void look_at_cgroup(struct rehearsal *run)
{
	struct cgroup_place place = {.own_fd = -EBADF};
	int r = cgroup_probe(&run->config->arena, &place);
	bool is_delegated = false;

	run->listener.assumption = "assuming that there is none";
	if (r < 0)
		(void)fail(r, "Cannot find our own cgroup");
	run->found.cgroup_obstacle = r < 0 ? CGROUP_NO_HIERARCHY : r;
	if (r == 0) {
		run->found.cgroup = place.directory;
		is_delegated = run->facts.places.is_user && scope_is_delegated(place.own_fd);
		cgroup_place_done(&place);
	}
	look_at_manager(run, is_delegated);
}

static void look_at_devices(struct explain_found *found)
{
	mode_t mode;

	for (size_t i = 0; i < device_count && i < 32; i++)
		if (!device_is_on_host(&devices[i], &mode))
			found->devices_missing |= UINT32_C(1) << i;
}

static void look_at_sources(struct rehearsal *run)
{
	const struct mount_plan *plan = &run->plan.mounts;

	run->listener.assumption = "assuming that it is there";
	for (size_t i = 0; i < plan->count; i++) {
		const struct mount_operation *operation = &plan->items[i];
		auto_close int fd = -EBADF;

		/* The others nspawn makes itself before it opens them. */
		if (!operation->is_custom || operation->kind != OPERATION_BIND ||
		    operation->place != SOURCE_HOST)
			continue;
		fd = open(operation->source, O_PATH | O_CLOEXEC);
		if (fd < 0)
			(void)fail(-errno, "Cannot open the bind source '%s'", operation->source);
	}
}

static void look_at_network(struct rehearsal *run)
{
	run->listener.assumption = "assuming that it is a network namespace";
	net_look(&run->config->arena, &run->plan.net);
}

/* Their contents are not read: a plan has no use for secrets. */
static void look_at_credentials(struct rehearsal *run)
{
	const struct credential_requests *requests = &run->config->credentials;

	run->listener.assumption = "assuming that root may read it";
	for (size_t i = 0; i < requests->count; i++)
		if (requests->items[i].path &&
		    faccessat(AT_FDCWD, requests->items[i].path, R_OK, AT_EACCESS) < 0)
			(void)fail(-errno, "Cannot read the credential '%s' from '%s'",
				   requests->items[i].id, requests->items[i].path);
}

/* Whether the receiver is installed; its version is not asked for, which would start it. */
static void look_at_receiver(struct rehearsal *run)
{
	struct config without_limits = *run->config;
	struct journal_receiver receiver = {.config = &without_limits};

	if (!run->config->forward_journal)
		return;
	without_limits.forward_journal_max_use = without_limits.forward_journal_keep_free = 0;
	without_limits.forward_journal_max_file_size = 0;
	without_limits.forward_journal_max_files = 0;
	(void)journal_receiver_find(&receiver);
}

/* Whether something is mounted over the tree's programs, and so nobody can tell yet. */
static bool programs_may_be_mounted(const struct rehearsal *run)
{
	static const char *const places[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64"};
	const struct strings *words = &run->config->words;
	const struct mount_requests *mounts = &run->config->mounts;

	for (size_t i = 0; i < mounts->count; i++) {
		const char *mounted = mounts->items[i].destination;

		for (size_t place = 0; place < ARRAY_LEN(places); place++)
			if (path_is_below(places[place], mounted) ||
			    path_is_below(mounted, places[place]))
				return true;
		if (words->count > 0 && path_is_below(words->items[0], mounted))
			return true;
	}
	return false;
}

/* A program by its path. */
static void look_at_program(struct rehearsal *run)
{
	const struct plan *plan = &run->plan;
	const char *path;
	int r;

	if (run->directory_fd < 0 || run->found.tree_is_unseen || programs_may_be_mounted(run))
		return;
	if (run->config->start == START_BOOT && !run->facts.tree.init_path)
		(void)program_refuse_missing(plan->programs.items, false);
	path = plan->programs.count == 0 ? plan->arguments.items[0] : "";
	if (*path != '/')
		return;
	run->listener.assumption = "assuming that it is there";
	r = path_status(run->directory_fd, path, NULL);
	if (r < 0)
		(void)fail(r, "Cannot run '%s' in the tree", path);
}

static void look(struct rehearsal *run)
{
	size_t failures;
	int r;

	run->listener.assumption = NULL;
	(void)host_check();
	look_at_template(run);
	run->listener.assumption = "assuming a complete tree without a machine id";
	failures = run->found.failures.count;
	r = facts_look(run->config, &run->facts, &run->directory_fd);
	run->found.tree_is_unseen = run->directory_fd < 0 || (r < 0 && r != -ENOENT);
	/* A tree that was not found is not looked into either: once is enough. */
	if (run->directory_fd < 0 && failures > 0)
		run->found.failures.count = failures;
	/* In a user namespace an ordinary user has them all. */
	if (!run->found.is_root)
		run->facts.capabilities = capabilities_of_root();
	/* Locks and cgroups are what a user can do without. */
	run->listener.is_own_start = false;
	look_at_locks(run);
	look_at_range(run);
	(void)run_take_network(&run->config->arena, run->config, &run->facts, NULL, NULL);
	look_at_cgroup(run);
	look_at_devices(&run->found);
}

/* --- Showing --- */

static unsigned int columns_of_terminal(void)
{
	struct winsize size = {0};
	unsigned int columns;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return COLUMNS_DEFAULT;
	columns = size.ws_col;
	return columns < COLUMNS_MIN ? COLUMNS_MIN : columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
}

static int show(struct rehearsal *run)
{
	int r = 0;

	explain_make(&run->config->arena, &run->plan, &run->found, &run->explanation);
	if (run->config->dry_run == DRY_RUN_JSON)
		r = explain_print_json(&run->explanation, stdout);
	else
		explain_print_text(&run->explanation, columns_of_terminal(), stdout);
	if (r < 0 || fflush(stdout) == EOF)
		return fail(r < 0 ? r : -errno, "Cannot write to standard output");
	return 0;
}

int dry_run(struct config *config)
{
	struct rehearsal run = {.config = config, .directory_fd = -EBADF};

	run.found.is_root = geteuid() == 0;
	run.listener = (struct dry_run_listener){
		.arena = &config->arena,
		.found = &run.found,
		.is_own_start = !run.found.is_root,
	};
	dry_run_listen(&run.listener);
	if (ask(&run) < 0) {
		dry_run_give_up(&run.found);
		return EXIT_FAILURE;
	}
	look(&run);
	run.listener.assumption = NULL;
	(void)plan_make(&config->arena, config, &run.facts, &run.plan);
	run.listener.is_own_start = !run.found.is_root;
	look_at_sources(&run);
	look_at_network(&run);
	look_at_credentials(&run);
	look_at_receiver(&run);
	look_at_program(&run);
	log_set_sink(NULL, NULL);
	if (run.directory_fd >= 0)
		(void)close(run.directory_fd);
	if (show(&run) < 0)
		return EXIT_FAILURE;
	return run.found.failures.count > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
