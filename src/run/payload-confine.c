/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The paragraph "Confinement" of the container's story: login session, labels, user, streams,
 * limits, descriptors, capabilities, in the one order that works.
 * Zone: doomed.
 */
#include "run/payload-confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "run/bind-user-find.h"
#include "run/environment.h"

bool payload_has_own_ids(const struct payload *payload)
{
	return payload->plan->ids.writer != IDS_WRITER_NONE;
}

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

int payload_apply_limits(const struct plan *plan)
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

static int refuse_unmapped(const struct payload *payload, const char *name, const char *kind,
			   uint32_t id)
{
	const struct ids *ids = &payload->plan->ids;

	(void)refuse(EINVAL, "The user '%s' has the %s id %u, which is not among the machine's ids",
		     name, kind, id);
	if (ids->improvement)
		hint("%s; without -u it is root, who is there", ids->improvement);
	else if (ids->writer == IDS_WRITER_SELF)
		hint("Without -u it is root, who is there; --private-users=BASE:COUNT gives more ids");
	else
		hint("Without -u it is root, who is there");
	return -EINVAL;
}

/* A manager's maps may not be known here: what it gave has room for every system. */
static bool has_id(const struct id_map *map, uint32_t id)
{
	return map->count == 0 || id_map_to_outside(map, id) != UINT32_MAX;
}

/* The kernel would say EINVAL at whatever comes first, which tells nobody what is missing. */
static int check_user_is_mapped(const struct payload *payload, const char *name)
{
	const struct id_maps *maps = &payload->plan->ids.maps;
	const struct user_identity *user = &payload->user;

	if (!has_id(&maps->users, user->uid))
		return refuse_unmapped(payload, name, "user", user->uid);
	if (!has_id(&maps->groups, user->gid))
		return refuse_unmapped(payload, name, "group", user->gid);
	/* They are not taken then. */
	if (payload->plan->capabilities.groups_are_fixed)
		return 0;
	for (size_t i = 0; i < user->group_count; i++)
		if (!has_id(&maps->groups, user->groups[i]))
			return refuse_unmapped(payload, name, "group", user->groups[i]);
	return 0;
}

/*
 * The tree's own files first; a name they do not have is asked of the tree's getent, itself
 * confined. That runs as nobody, who is not there with a single id.
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
	if (r == -ESRCH && has_id(&payload->plan->ids.maps.users, ID_NOBODY))
		r = users_ask_guest(name, payload->plan->filter,
				    (unsigned short)payload->plan->filter_length, &payload->user);
	if (r == -ESRCH || r == -ENOENT) {
		(void)refuse(ESRCH, "There is no user '%s' in the tree", name);
		hint("Look at /etc/passwd there, or give a number");
		return -ESRCH;
	}
	if (r < 0)
		return fail(r, "Cannot look up the user '%s' in the tree", name);
	TRY(check_user_is_mapped(payload, name));
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
	 * does the getty of an init, and in a user namespace, whether the machine's own or one that
	 * we are in ourselves, nobody can take it from us.
	 */
	if (plan->config->start != START_PID2 &&
	    !(plan->config->start == START_BOOT &&
	      (payload_has_own_ids(payload) || plan->facts->is_in_user_namespace)) &&
	    ioctl(payload->console_fd, TIOCSCTTY, 0) < 0)
		return fail(-errno, "Cannot make the console the controlling terminal");
	return 0;
}

/*
 * Closed, not only marked: the stub init stays this process, and a payload with CAP_SYS_PTRACE
 * would find the host's directories in /proc/1/fd. Left until the exec are the handshake, the root
 * directory, which is the payload's own, and what the stub init labels itself by.
 */
static int keep_only_passed_fds(const struct payload *payload)
{
	int kept[] = {payload->request->handshake.fd, payload->site.root_fd, payload->label_fd};
	unsigned int first = 3 + payload->plan->facts->activation_fds;
	int r;

	for (unsigned int fd = 3; fd < first; fd++)
		if (fcntl((int)fd, F_SETFD, 0) < 0)
			return fail(-errno, "Cannot pass on the activation socket %u", fd);
	r = fd_close_others(first, kept, ARRAY_LEN(kept));
	return r < 0 ? fail(r, "Cannot keep descriptors from the payload") : 0;
}

int payload_confine(struct payload *payload)
{
	const struct plan *plan = payload->plan;
	int r;

	leave_login_session(plan);
	TRY(take_labels(payload));
	TRY(find_user(payload));
	correct_listen_pid(payload);
	environment_add_user(payload->request->arena, &payload->environment, &payload->user);
	TRY(connect_streams(payload));
	if (!payload_has_own_ids(payload))
		TRY(payload_apply_limits(plan));
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
