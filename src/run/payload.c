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
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
#include "run/environment.h"
#include "run/init.h"
#include "run/nesting-probe.h"
#include "run/notify.h"
#include "run/payload-confine.h"
#include "run/payload-ids.h"
#include "run/program.h"

static void give_up(struct payload *payload) __attribute__((noreturn));

static void give_up(struct payload *payload)
{
	(void)handshake_say(&payload->request->handshake, HANDSHAKE_FAILED, NULL);
	_exit(EXIT_FAILURE);
}

/* --- Born --- */

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

/*
 * With ids of its own the payload's process is made in between, once all is mounted that shall be
 * locked; from there on we are in its namespaces. Limits that only the host's root may raise come
 * before. Must not: follow any path of the tree but through base/path, nor run anything from it.
 */
static int assemble(struct payload *payload)
{
	if (payload_has_own_ids(payload))
		TRY(payload_ids_assume(payload->request));
	TRY(mount_assemble(&payload->site,
			   payload_has_own_ids(payload) ? MOUNT_PLACE_ASIDE : MOUNT_PLACE_ROOT));
	if (payload_has_own_ids(payload)) {
		TRY(payload_apply_limits(payload->plan));
		TRY(payload_ids_cross(payload->request, payload->site.root_fd));
		TRY(mount_move_in(&payload->site));
	}
	return mount_finish(&payload->site);
}

/* With the mounts that the payload sees. Without it the files stay as they are. */
static int open_names(const struct payload *payload)
{
	if (payload->plan->facts->host_files.etc_is_writable)
		return path_open(payload->site.root_fd, "/etc", O_PATH | O_DIRECTORY, 0);
	return openat(payload->site.run_host_fd, "resolv.conf", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * An ordinary user owns it, but may not look at us: before the exec, and a stub init has none, our
 * memory is a program's of the host.
 */
static int show_network(const struct payload *payload, int *ret_fd)
{
	if (!payload->request->shows_network)
		return 0;
	*ret_fd = openat(payload->site.proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? fail(-errno, "Cannot open the network of the machine") : 0;
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
	if (payload_has_own_ids(payload) &&
	    id_map_to_inside(&payload->plan->ids.maps.users, 0) != UINT32_MAX)
		TRY(mount_lock(&payload->site));
	if (payload->plan->clone_flags & CLONE_NEWUTS &&
	    sethostname(payload->plan->hostname, strlen(payload->plan->hostname)) < 0)
		return fail(-errno, "Cannot set the host name '%s'", payload->plan->hostname);
	if (payload->plan->net.setup.does_guest)
		passengers[PASSENGER_NAMES] = open_names(payload);
	TRY(show_network(payload, &passengers[PASSENGER_NETWORK]));
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
	int passengers[_PASSENGER_COUNT];

	passengers_none(passengers);
	if (be_born(&payload) < 0 || assemble(&payload) < 0 || take_root(&payload, passengers) < 0)
		give_up(&payload);

	/* No sentence: what fails here is the way by which it would go. */
	if (handshake_hear(&request->handshake, HANDSHAKE_PLACED, NULL) < 0 ||
	    handshake_say(&request->handshake, HANDSHAKE_ROOTED, passengers) < 0)
		_exit(EXIT_FAILURE);

	if (settle_in_place(&payload) < 0 || payload_confine(&payload) < 0 ||
	    change_directory(&payload) < 0)
		give_up(&payload);

	if (handshake_hear(&request->handshake, HANDSHAKE_GO, NULL) < 0 ||
	    handshake_say(&request->handshake, HANDSHAKE_CONFINED, NULL) < 0)
		_exit(EXIT_FAILURE);

	(void)run(&payload);
	give_up(&payload);
}
