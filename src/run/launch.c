/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent's side of the story. Paragraphs carry the same titles as in run/payload.c; between two
 * of them stands one line of the handshake.
 *
 * Zone: owing. Namespaces are the host's throughout. Must: push an undo entry after each side
 * effect. Must never: exit, or run or open anything of the tree.
 */
#include "run/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "ids/nsresource.h"
#include "mount/credentials.h"
#include "run/describe.h"
#include "run/guard.h"
#include "run/notify.h"
#include "run/payload.h"
#include "run/supervise.h"

static void close_fd(void *argument)
{
	int *fd = argument;

	scope_close(fd);
	*fd = -EBADF;
}

int machine_kill(const struct machine *machine)
{
	int r = 0;

	/* ESRCH: it died meanwhile. */
	if (syscall(SYS_pidfd_send_signal, machine->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		r = -errno;
	/* A security module is asked about signals from process to process, but not here. */
	return r < 0 && machine->has_cgroup ? cgroup_kill(&machine->cgroup) : r;
}

/*
 * Whatever happened: nobody of the machine survives its supervisor. PID 1 takes its namespace
 * along.
 */
static void kill_payload(void *argument)
{
	struct machine *machine = argument;
	int r = machine->pid > 0 ? machine_kill(machine) : 0;

	if (r < 0) {
		warn(r, "Cannot kill the payload of machine '%s', leaving it running",
		     machine->plan->machine);
	} else if (machine->pid > 0) {
		pidfd_wait(machine->pidfd);
		machine->pid = 0;
	}
	close_fd(&machine->pidfd);
}

/* --- Born --- */

/*
 * With ids of its own the payload comes second, out of a process that assembles the tree: as root
 * among the host's ids, otherwise in a namespace where we may.
 */
static uint64_t first_clone_flags(const struct plan *plan)
{
	switch (plan->ids.writer) {
	case IDS_WRITER_NONE:
		return plan->clone_flags;
	case IDS_WRITER_SELF:
		return CLONE_NEWNS;
	case IDS_WRITER_MANAGER: /* it enters a user namespace first, to have the rights for more */
		return 0;
	case IDS_WRITER_PROGRAMS:
	case IDS_WRITER_SINGLE:
	default:
		return CLONE_NEWNS | CLONE_NEWUSER;
	}
}

/* CLONE_INTO_CGROUP needs no migration; a kernel may refuse it where moving is still possible. */
static pid_t clone_payload(struct machine *machine, bool into_cgroup)
{
	struct clone_args arguments = {
		.flags = first_clone_flags(machine->plan) | CLONE_PIDFD |
			 (into_cgroup ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&machine->pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = into_cgroup ? (uint64_t)machine->cgroup.payload_fd : 0,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	return pid < 0 ? -errno : (pid_t)pid;
}

static int explain_clone_failure(int r)
{
	(void)fail(r, "Cannot create the namespaces of the machine");
	if (r == -EPERM)
		hint("Creating them needs root (CAP_SYS_ADMIN); run nspawn as root");
	else if (r == -ENOSPC)
		hint("A limit of /proc/sys/user/max_*_namespaces is reached");
	return r;
}

/*
 * The container is gone. Its last words may still wait for us, as we noticed while we spoke
 * ourselves; without any, only its own signal or an out-of-memory kill did it.
 */
static int explain_silence(struct machine *machine, int r)
{
	char name[SIGNAL_NAME_MAX];
	siginfo_t info = {0};
	int heard;

	if (r == HANDSHAKE_IS_FAILED)
		return r; /* its own sentence said why */
	if (r == -EPROTO)
		return refuse(EPROTO,
			      "The payload and its supervisor disagree about the next step");
	if (r == -EINTR) {
		(void)refuse(EINTR, "Told to stop while the payload was still being set up");
		hint("What holds it up may be a file system that does not answer");
		return -EINTR;
	}
	if (r != -EPIPE)
		return fail(r, "Cannot talk with the payload while it is set up");
	do
		heard = handshake_overhear(&machine->handshake);
	while (heard == 0);
	if (heard == HANDSHAKE_IS_FAILED)
		return heard;
	if (waitid(P_PIDFD, (id_t)machine->pidfd, &info, WEXITED | WNOWAIT) < 0 ||
	    info.si_code == CLD_EXITED)
		return refuse(EIO, "The payload ended while it was set up, without a word");
	(void)refuse(EIO, "The payload was killed by signal %s while it was set up",
		     signal_name(info.si_status, name));
	if (info.si_status == SIGKILL)
		hint("Unless somebody killed it, memory was short: see the kernel log");
	return -EIO;
}

/* The process that assembled the tree is gone; the payload's is ours now. */
static int adopt_payload(struct machine *machine)
{
	int passengers[_PASSENGER_COUNT], r;

	if (ids_are_written_late(&machine->plan->ids)) {
		TRY(ids_write(&machine->plan->ids, &machine->plan->facts->ids, machine->pid));
		r = handshake_say(&machine->handshake, HANDSHAKE_MAPPED, NULL);
		if (r < 0)
			return explain_silence(machine, r);
	}
	r = handshake_hear(&machine->handshake, HANDSHAKE_BORN, passengers);
	if (r < 0)
		return explain_silence(machine, r);
	pidfd_wait(machine->pidfd);
	(void)close(machine->pidfd);
	machine->pidfd = passengers[PASSENGER_PIDFD];
	r = fd_pid(machine->pidfd);
	if (r <= 0)
		return fail(r < 0 ? r : -ESRCH, "Cannot find the payload's process");
	machine->pid = r;
	return 0;
}

static bool restricts_devices(const struct config *config)
{
	for (size_t i = 0; i < config->devices.count; i++)
		if (config->devices.items[i].access_is_said)
			return true;
	return false;
}

/*
 * At once, while the child assembles the root, which takes longer: the kernel's compiler needs a
 * tenth of the time of a start. Nothing of the tree runs before PLACED.
 */
static int filter_devices(const struct machine *machine)
{
	const struct plan *plan = machine->plan;
	int r = -ENOENT;

	if (machine->has_cgroup)
		r = device_filter_attach(machine->arena, machine->cgroup.payload_fd,
					 &plan->device_rules);
	if (r < 0 && restricts_devices(plan->config)) {
		(void)fail(r, "Cannot restrict what the payload may do with a device");
		hint("It takes a cgroup of its own and the right to load BPF programs; "
		     "'--device' without 'r', 'w' and 'm' does without");
		return r;
	}
	if (r < 0)
		debug("Devices are not filtered (%s)", strerrordesc_np(-r));
	return 0;
}

/*
 * Whoever gave the ids gives the group to them, after the payload's birth: an ordinary user may not
 * put processes into it any more. A machine without runs as well; what it lacks was told.
 */
static void lend_cgroup(struct machine *machine)
{
	auto_close int fd = -EBADF;

	if (machine->plan->ids.writer != IDS_WRITER_MANAGER || !machine->has_cgroup)
		return;
	fd = openat(machine->cgroup.payload_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		warn(-errno,
		     "Cannot read the payload's cgroup, leaving it to the host's root alone");
	else
		(void)nsresource_add_cgroup(NULL, machine->ids_fd, fd);
}

static int bear(struct machine *machine, struct handshake *container)
{
	struct payload_request request = {
		.plan = machine->plan,
		.sources = &machine->sources,
		.arena = machine->arena,
		.locks = machine->locks,
		.credentials = machine->credentials,
		.supervisor_fd = machine->handshake.fd,
		.handshake = *container,
		.ids_fd = machine->ids_fd,
		.network_fd = machine->net.join_fd,
		.has_cgroup = machine->has_cgroup,
		.shows_network = machine->plan->clone_flags & CLONE_NEWNET && !ports_are_early(),
	};
	bool must_move = false;
	int r;

	machine->guard_fd = -EBADF;
	machine->pid = clone_payload(machine, machine->has_cgroup);
	if (machine->pid < 0 && machine->has_cgroup) {
		machine->pid = clone_payload(machine, /* into_cgroup= */ false);
		must_move = true;
	}
	if (machine->pid < 0)
		return explain_clone_failure(machine->pid);
	if (machine->pid == 0)
		payload_run(&request);
	if (machine->credentials)
		credentials_take_back(machine->credentials);
	undo_push(machine->undo, guard_stop, machine, "guard");
	undo_push(machine->undo, kill_payload, machine, "payload");
	scope_close(&container->fd);
	container->fd = -EBADF;
	TRY(filter_devices(machine));
	if (machine->plan->ids.writer != IDS_WRITER_NONE)
		TRY(adopt_payload(machine));
	if (guard_is_needed(machine->plan))
		TRY(guard_start(machine));
	if (!(machine->plan->clone_flags & CLONE_NEWPID) && !machine->has_cgroup)
		warn(0, "Without a cgroup of its own the machine's processes are only known by the "
			"first one, leaving the others to themselves at its end");
	r = must_move ? cgroup_move(&machine->cgroup, machine->pid) : 0;
	if (r < 0)
		return fail(r, "Cannot move the payload into its cgroup");
	lend_cgroup(machine);
	return 0;
}

/* --- Root --- */

/* Its console, its notification socket and its /proc/kmsg are ours to hold now. */
static int take_passengers(struct machine *machine, const int passengers[_PASSENGER_COUNT])
{
	machine->notify_fd = passengers[PASSENGER_NOTIFY];
	undo_push(machine->undo, close_fd, &machine->notify_fd, "notification socket");
	machine->kmsg_fd = passengers[PASSENGER_KMSG];
	undo_push(machine->undo, close_fd, &machine->kmsg_fd, "kernel log FIFO");
	machine->names_fd = passengers[PASSENGER_NAMES];
	undo_push(machine->undo, close_fd, &machine->names_fd, "files of names");
	machine->network_fd = passengers[PASSENGER_NETWORK];
	undo_push(machine->undo, close_fd, &machine->network_fd, "network namespace");
	undo_push(machine->undo, console_stop, &machine->console, "console");
	TRY(console_start(&machine->console, &machine->plan->console,
			  passengers[PASSENGER_CONSOLE]));
	console_share_with(&machine->console, &machine->control->share);
	return 0;
}

/* Once for all boots, after the line by which others find it. */
static void open_door(struct machine *machine)
{
	struct control *control = machine->control;
	bool is_kept = machine->plan->config->start == START_BOOT &&
		       machine->plan->console.pty_is_needed && control->listen_fd < 0;

	if (!machine->entry || !machine->entry->directory)
		return;
	if (is_kept)
		console_log_open(machine->entry->directory, &control->share.log);
	control_open(control, machine->entry->directory, machine->entry->uuid);
}

/* --- The story --- */

static int accompany(struct machine *machine)
{
	int passengers[_PASSENGER_COUNT], r;

	/*
	 * Place: links belong here; scope and cgroup were there before the clone. Whoever hears
	 * from the payload can find the machine, and noting it takes no time of anybody's. Machine
	 * managers have until the root is there for their answer.
	 */
	r = net_place(&machine->net, machine->pid);
	if (r < 0)
		return r == -EPIPE ? explain_silence(machine, r) : r;
	if (ports_are_early())
		TRY(ports_place(&machine->ports,
				machine->net.join_fd >= 0 ? machine->net.join_fd : machine->pidfd));
	managers_tell(machine);

	r = handshake_say(&machine->handshake, HANDSHAKE_PLACED, NULL);
	if (r == 0)
		describe_running(machine);
	if (r == 0)
		open_door(machine);
	if (r == 0)
		r = handshake_hear(&machine->handshake, HANDSHAKE_ROOTED, passengers);
	if (r < 0)
		return explain_silence(machine, r);

	TRY(take_passengers(machine, passengers));
	if (machine->network_fd >= 0)
		TRY(ports_place(&machine->ports, machine->network_fd));
	TRY(managers_confirm(machine));

	r = handshake_say(&machine->handshake, HANDSHAKE_GO, NULL);
	if (r == 0)
		r = handshake_hear(&machine->handshake, HANDSHAKE_CONFINED, NULL);
	return r < 0 ? explain_silence(machine, r) : 0;
}

int launch(struct machine *machine)
{
	struct handshake container;
	int r;

	r = handshake_open(&machine->handshake, &container);
	if (r < 0)
		return fail(r, "Cannot make the socket for talking with the payload");
	undo_push(machine->undo, close_fd, &machine->handshake.fd, "handshake");
	machine->watch = (struct handshake_watch){supervise_watch_stop(), &machine->pidfd};
	TRY(machine->watch.stop_fd);
	undo_push(machine->undo, close_fd, &machine->watch.stop_fd, "stop signals");
	machine->handshake.watch = &machine->watch;
	r = bear(machine, &container);
	scope_close(&container.fd);
	TRY(r);
	mount_sources_close(&machine->sources);
	return accompany(machine);
}
