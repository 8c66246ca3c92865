/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's side of the story. Paragraphs carry the same titles as in run/launch.c; between
 * two of them stands one line of the handshake.
 *
 * Zone: doomed. On failure: the sentence goes through the handshake, then FAILED, then _exit(2).
 * Nothing is undone here, nothing is written to the terminal. All memory comes from the arena
 * inherited over the clone.
 */
#include "run/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "confine/syscalls.h"
#include "confine/users.h"
#include "run/bind-user-find.h"
#include "run/environment.h"
#include "run/init.h"
#include "run/nesting-probe.h"
#include "run/notify.h"
#include "run/payload-ids.h"
#include "run/program.h"

/* What the container's side has in hand while it becomes the payload. */
struct payload {
	struct payload_request *request;
	const struct plan *plan;
	struct mount_site site;
	struct strings environment;
	struct user_identity user;
	int console_fd; /* slave of our pty, -EBADF in a pipe without terminals */
	int label_fd;   /* by which the stub init labels itself, -EBADF without need */
};

static void give_up(struct payload *payload) __attribute__((noreturn));

static void give_up(struct payload *payload)
{
	(void)handshake_say(&payload->request->handshake, HANDSHAKE_FAILED, NULL);
	_exit(EXIT_FAILURE);
}

/* --- Born --- */

static bool has_own_ids(const struct payload *payload)
{
	return payload->plan->ids.writer != IDS_WRITER_NONE;
}

/* Before anything shows it: what is mounted of the kernel tells of the network of who mounts it. */
static int join_network(const struct payload *payload)
{
	if (setns(payload->request->network_fd, CLONE_NEWNET) < 0)
		return fail(-errno, "Cannot join the network namespace '%s'",
			    payload->plan->net.namespace_path);
	return 0;
}

/*
 * User namespace: the host's, or one where somebody else is about to map our ids. Mount, pid, uts,
 * ipc (and network, if private): our own, with the host's mounts still in it; with ids of its own
 * only the mount namespace. Cgroup namespace: the host's. Must: die with the supervisor. Must not
 * yet: touch anything of the tree.
 */
static int be_born(struct payload *payload)
{
	sigset_t none;

	/*
	 * First of all: a lock and a socket live as long as any descriptor of them. Of a supervisor
	 * that is killed now the locks must go with it, and its end of the handshake, so that we
	 * hear of it.
	 */
	(void)close(payload->request->supervisor_fd);
	for (size_t i = 0; i < payload->request->locks->count; i++)
		(void)close(payload->request->locks->items[i].fd);
	/*
	 * What the caller ignored, under nohup(1) say, is not the payload's affair. Nobody starts
	 * programs with real-time signals ignored.
	 */
	for (int number = 1; number <= SIGSYS; number++)
		(void)signal(number, SIG_DFL);
	log_set_sink(handshake_log_sink, &payload->request->handshake);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(-errno, "Cannot tie the payload's life to the supervisor's");
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(0);
	/*
	 * Until the exec we are the host's program inside the payload's namespaces: nobody there
	 * may look into us. Whoever maps our ids must first.
	 */
	if (payload->plan->ids.writer <= IDS_WRITER_SELF && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(-errno, "Cannot make the payload's set-up unobservable");
	return payload->request->network_fd >= 0 ? join_network(payload) : 0;
}

/* --- Root --- */

/* A private network starts with lo down; programs expect 127.0.0.1 to answer (netdevice(7)). */
static int bring_up_loopback(void)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return fail(-errno,
			    "Cannot bring up the loopback interface of the private network");
	return 0;
}

/* Our pty lives in the payload's own devpts: the caller's terminal is never handed over. */
static int open_console(struct payload *payload, int *ret_master_fd)
{
	auto_close int master_fd =
		openat(payload->site.pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char target[32];
	int unlock = 0, number;

	if (master_fd < 0 || ioctl(master_fd, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(master_fd, TIOCGPTN, &number) < 0)
		return fail(-errno, "Cannot make a pseudo-terminal for the console");
	payload->console_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (payload->console_fd < 0)
		return fail(-errno, "Cannot open the pseudo-terminal of the console");
	*ret_master_fd = steal_fd(master_fd);
	if (payload->plan->console.mode == CONSOLE_PIPE)
		return 0;
	(void)snprintf(target, sizeof(target), "pts/%d", number);
	if (symlinkat(target, payload->site.dev_fd, "console") < 0)
		return fail(-errno, "Cannot make the link '/dev/console' in the tree");
	return 0;
}

static int apply_limits(const struct plan *plan);

/*
 * With ids of its own the payload's process is made in between, once all is mounted that shall be
 * locked; from there on we are in its namespaces. Limits that only the host's root may raise come
 * before. Must not: follow any path of the tree but through base/path, nor run anything from it.
 */
static int assemble(struct payload *payload)
{
	if (has_own_ids(payload))
		TRY(payload_ids_assume(payload->request));
	TRY(mount_assemble(&payload->site,
			   has_own_ids(payload) ? MOUNT_PLACE_ASIDE : MOUNT_PLACE_ROOT));
	if (has_own_ids(payload)) {
		TRY(apply_limits(payload->plan));
		TRY(payload_ids_cross(payload->request, payload->site.root_fd));
		TRY(mount_move_in(&payload->site));
	}
	return mount_finish(&payload->site);
}

/*
 * Every namespace but the cgroup's is the payload's. Must: leave nothing of the host's file system
 * in reach.
 */
static int take_root(struct payload *payload, int passengers[_PASSENGER_COUNT])
{
	passengers[PASSENGER_KMSG] = payload->site.kmsg_fd;
	passengers[PASSENGER_NOTIFY] = notify_listen(payload->site.run_host_fd);
	if (passengers[PASSENGER_NOTIFY] < 0)
		return fail(passengers[PASSENGER_NOTIFY],
			    "Cannot make the notification socket '/run/host/notify'");
	if (payload->plan->console.pty_is_needed)
		TRY(open_console(payload, &passengers[PASSENGER_CONSOLE]));
	TRY(mount_enter(&payload->site));
	/* Settings of the kernel obey the host's root by its id, whatever rights it has not. */
	if (has_own_ids(payload) &&
	    id_map_to_inside(&payload->plan->ids.maps.users, 0) != UINT32_MAX)
		TRY(mount_lock(&payload->site));
	if (payload->plan->clone_flags & CLONE_NEWUTS &&
	    sethostname(payload->plan->hostname, strlen(payload->plan->hostname)) < 0)
		return fail(-errno, "Cannot set the host name '%s'", payload->plan->hostname);
	return payload->plan->clone_flags & CLONE_NEWNET ? bring_up_loopback() : 0;
}

/* --- Place --- */

/*
 * Our group becomes the top of the hierarchy that the payload sees, and only then is that hierarchy
 * mounted.
 */
static int settle_in_place(struct payload *payload)
{
	if (payload->request->has_cgroup && payload->plan->config->cgroup_namespace) {
		if (unshare(CLONE_NEWCGROUP) < 0)
			return fail(-errno, "Cannot make a cgroup namespace");
		TRY(mount_apply_one(&payload->site, &payload->plan->mounts.cgroup));
	}
	TRY(mount_share(&payload->site));
	if (!payload->plan->config->nesting)
		return 0;
	return nesting_probe(payload->site.proc_fd);
}

/* --- Confinement --- */

/*
 * Audit sessions and keys of whoever started us are not the payload's. Neither needs to exist in
 * this kernel.
 */
static void leave_login_session(const struct plan *plan)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		debug("No session keyring of its own for the payload");
	/* A process among the host's is still whoever started it. */
	if (plan->clone_flags & CLONE_NEWPID &&
	    file_write(AT_FDCWD, "/proc/self/loginuid", "4294967295") < 0)
		debug("The audit login id is not reset");
}

/*
 * For the next exec of this process, which may be the one of the tree's getent, and of its
 * children. Once more for the process itself if that stays.
 */
static int take_labels(struct payload *payload)
{
	const struct plan *plan = payload->plan;

	TRY(labels_apply(&plan->labels, payload->site.proc_fd));
	return plan->config->start == START_PID2
		       ? labels_open_self(&plan->labels, payload->site.proc_fd, &payload->label_fd)
		       : 0;
}

/* What sd_listen_fds(3) compares with: known only now where we are not PID 1. */
static void correct_listen_pid(struct payload *payload)
{
	struct arena *arena = payload->request->arena;

	if (!(payload->plan->clone_flags & CLONE_NEWPID) &&
	    payload->plan->facts->activation_fds > 0)
		environment_set(arena, &payload->environment,
				arena_format(arena, "LISTEN_PID=%d", getpid()));
}

static int apply_limits(const struct plan *plan)
{
	const struct config *config = plan->config;
	char text[16];
	int r;

	if (config->oom_score_adjust_is_set) {
		(void)snprintf(text, sizeof(text), "%d", config->oom_score_adjust);
		r = file_write(AT_FDCWD, "/proc/self/oom_score_adj", text);
		if (r < 0)
			return fail(r, "Cannot set the OOM score adjustment to %s", text);
	}
	if (CPU_COUNT(&config->cpu_affinity) > 0 &&
	    sched_setaffinity(0, sizeof(config->cpu_affinity), &config->cpu_affinity) < 0) {
		r = fail(-errno, "Cannot set the CPU affinity");
		if (r == -EINVAL)
			hint("None of these processors is there for us, see Cpus_allowed_list in /proc/self/status");
		return r;
	}
	if (config->personality_is_set && personality(config->personality) < 0)
		return fail(-errno, "Cannot set the personality");
	limits_apply(&plan->limits);
	return 0;
}

/*
 * The tree's own files first; a name they do not have is asked of the tree's getent, itself
 * confined.
 */
static int find_user(struct payload *payload)
{
	const char *name = payload->plan->config->user ? payload->plan->config->user : "root";
	int r = bound_users_identify(&payload->plan->facts->bound_users, payload->site.root_fd,
				     name, &payload->user);

	if (r == -ESRCH)
		r = users_find(payload->site.root_fd, name, &payload->user);
	if (r == -ESRCH && !payload->plan->config->user) {
		/* A tree without passwd still has a root. */
		payload->user =
			(struct user_identity){.name = strdup("root"), .home = strdup("/root")};
		return 0;
	}
	if (r == -ESRCH)
		r = users_ask_guest(name, payload->plan->filter,
				    (unsigned short)payload->plan->filter_length, &payload->user);
	if (r == -ESRCH || r == -ENOENT) {
		(void)refuse(ESRCH, "There is no user '%s' in the tree", name);
		hint("Look at /etc/passwd there, or give a number");
		return -ESRCH;
	}
	if (r < 0)
		return fail(r, "Cannot look up the user '%s' in the tree", name);
	if (payload->user.uid != 0) {
		r = users_make_home(payload->site.root_fd, &payload->user);
		if (r < 0)
			warn(r, "Cannot make the home directory '%s', going on without",
			     payload->user.home);
	}
	return 0;
}

/* Standard streams: our pty where the plan says so, else what the caller gave. */
static int connect_streams(struct payload *payload)
{
	const struct plan *plan = payload->plan;

	if (setsid() < 0)
		return fail(-errno, "Cannot start a session for the payload");
	for (int stream = 0; stream < 3; stream++)
		if (plan->console.stream_is_pty[stream] && dup3(payload->console_fd, stream, 0) < 0)
			return fail(-errno, "Cannot connect the payload to its console");
	if (payload->console_fd < 0)
		return 0;
	if (fchown(payload->console_fd, payload->user.uid, (gid_t)-1) < 0)
		return fail(-errno, "Cannot give the console to the user '%s'", payload->user.name);
	/*
	 * With a stub init the payload is in another session, which takes the terminal itself. So
	 * does the getty of an init, and in a user namespace nobody can take it from us.
	 */
	if (plan->config->start != START_PID2 &&
	    !(plan->config->start == START_BOOT && has_own_ids(payload)) &&
	    ioctl(payload->console_fd, TIOCSCTTY, 0) < 0)
		return fail(-errno, "Cannot make the console the controlling terminal");
	return 0;
}

static int compare_fds(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

/*
 * Closed, not only marked: the stub init stays this process, and a payload with CAP_SYS_PTRACE
 * would find the host's directories in /proc/1/fd. Left until the exec are the handshake, the root
 * directory, which is the payload's own, and what the stub init labels itself by.
 */
static int keep_only_passed_fds(const struct payload *payload)
{
	int kept[] = {payload->request->handshake.fd, payload->site.root_fd, payload->label_fd};
	unsigned int first = 3 + payload->plan->facts->activation_fds, next = first;

	for (unsigned int fd = 3; fd < first; fd++)
		if (fcntl((int)fd, F_SETFD, 0) < 0)
			return fail(-errno, "Cannot pass on the activation socket %u", fd);
	qsort(kept, ARRAY_LEN(kept), sizeof(kept[0]), compare_fds);
	for (size_t i = 0; i <= ARRAY_LEN(kept); i++) {
		unsigned int end = i < ARRAY_LEN(kept) ? (unsigned int)kept[i] - 1 : ~0U;

		if (i < ARRAY_LEN(kept) && kept[i] < 0)
			continue;
		if (next <= end && close_range(next, end, 0) < 0)
			return fail(-errno, "Cannot keep descriptors from the payload");
		next = end + 2;
	}
	return 0;
}

/*
 * Every namespace is our own. Must: give up everything the payload must not have, the filter last.
 * Must not yet: run anything of the tree with rights (getent, if it runs, has none).
 */
static int confine(struct payload *payload)
{
	const struct plan *plan = payload->plan;
	int r;

	leave_login_session(plan);
	TRY(take_labels(payload));
	TRY(find_user(payload));
	correct_listen_pid(payload);
	environment_add_user(payload->request->arena, &payload->environment, &payload->user);
	TRY(connect_streams(payload));
	if (!has_own_ids(payload))
		TRY(apply_limits(plan));
	TRY(keep_only_passed_fds(payload));
	(void)umask(0022);
	if (plan->config->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(-errno, "Cannot set no_new_privs");
	r = capabilities_apply(&plan->capabilities, payload->user.uid, payload->user.gid,
			       payload->user.groups, payload->user.group_count);
	if (r < 0)
		return fail(r, "Cannot give up capabilities and become the user '%s'",
			    payload->user.name);
	/* Changing ids cleared it (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(-errno, "Cannot tie the payload's life to the supervisor's");
	return 0;
}

/* --- Run --- */

static const char *starting_directory(const struct payload *payload)
{
	const struct plan *plan = payload->plan;

	if (plan->config->working_directory)
		return plan->config->working_directory;
	return plan->is_login_shell && payload->user.home ? payload->user.home : "/";
}

/*
 * As the user, in the final root: nothing outside of it can be reached by any path or magic link
 * (path_open()).
 */
static int change_directory(const struct payload *payload)
{
	const char *directory = starting_directory(payload);
	auto_close int fd = path_open(payload->site.root_fd, directory, O_PATH | O_DIRECTORY, 0);

	if (fd >= 0 && fchdir(fd) == 0)
		return 0;
	if (!payload->plan->config->working_directory)
		return chdir("/") < 0 ? fail(-errno, "Cannot enter the root directory of the tree")
				      : 0;
	return fail(fd < 0 ? fd : -errno, "Cannot change to the directory '%s' in the tree",
		    directory);
}

static int execute_program(char *const *environment, void *userdata)
{
	struct payload *payload = userdata;
	const struct program program = {
		.root_fd = payload->site.root_fd,
		.candidates = payload->plan->programs.items,
		.arguments = payload->plan->arguments.items,
		.environment = environment,
		.is_login_shell = payload->plan->is_login_shell,
		.search_path = environment_get(&payload->environment, "PATH"),
	};

	return program_execute(&program);
}

/*
 * Without a sentence it was the program that could not be executed, which program_execute() told.
 */
static void report_stub_failure(int error, const char *deed, void *userdata)
{
	struct payload *payload = userdata;

	if (deed)
		(void)fail(error, "Cannot %s for the stub init", deed);
	(void)handshake_say(&payload->request->handshake, HANDSHAKE_FAILED, NULL);
}

static int confine_stub(void *userdata)
{
	struct payload *payload = userdata;

	return labels_confine_self(&payload->plan->labels, payload->label_fd);
}

static int run_stub(struct payload *payload)
{
	char uuid[33], *end = uuid;
	const struct init_request request = {
		.service = payload->plan->config->container_service,
		.uuid = uuid,
		.environment = (char **)payload->environment.items,
		.has_terminal = payload->console_fd >= 0,
		.execute = execute_program,
		.confine = confine_stub,
		.report = report_stub_failure,
		.userdata = payload,
	};

	for (const char *digit = payload->plan->machine_uuid; *digit; digit++)
		if (*digit != '-')
			*end++ = *digit;
	*end = '\0';
	return init_run(&request);
}

/* Only returns when it failed, and has said so. */
static int run(struct payload *payload)
{
	const struct plan *plan = payload->plan;
	int r;

	if (plan->filter) {
		r = syscalls_load(plan->filter, plan->filter_length);
		if (r < 0) {
			(void)fail(r, "Cannot load the system call filter");
			if (r == -EINVAL || r == -ENOSYS)
				hint("This kernel may have no seccomp filters; SYSTEMD_SECCOMP=no goes without");
			return r;
		}
	}
	if (plan->config->start == START_PID2)
		_exit(run_stub(payload));
	return execute_program((char *const *)payload->environment.items, payload);
}

/* --- The story --- */

void payload_run(struct payload_request *request)
{
	struct payload payload = {
		.request = request,
		.plan = request->plan,
		.site =
			{
				.plan = &request->plan->mounts,
				.sources = request->sources,
				.run_host = &request->plan->run_host,
				.host_files = &request->plan->host_files,
				.root_id = request->plan->ids.writer == IDS_WRITER_SELF
						   ? request->sources->root_id
						   : 0,
				.maps = request->plan->ids.writer == IDS_WRITER_SELF
						? &request->plan->ids.maps
						: NULL,
			},
		.environment = request->plan->environment,
		.console_fd = -EBADF,
		.label_fd = -EBADF,
	};
	int passengers[_PASSENGER_COUNT] = {-EBADF, -EBADF, -EBADF, -EBADF};

	if (be_born(&payload) < 0 || assemble(&payload) < 0 || take_root(&payload, passengers) < 0)
		give_up(&payload);

	/* No sentence: what fails here is the way by which it would go. */
	if (handshake_hear(&request->handshake, HANDSHAKE_PLACED, NULL) < 0 ||
	    handshake_say(&request->handshake, HANDSHAKE_ROOTED, passengers) < 0)
		_exit(EXIT_FAILURE);

	if (settle_in_place(&payload) < 0 || confine(&payload) < 0 ||
	    change_directory(&payload) < 0)
		give_up(&payload);

	if (handshake_hear(&request->handshake, HANDSHAKE_GO, NULL) < 0 ||
	    handshake_say(&request->handshake, HANDSHAKE_CONFINED, NULL) < 0)
		_exit(EXIT_FAILURE);

	(void)run(&payload);
	give_up(&payload);
}
