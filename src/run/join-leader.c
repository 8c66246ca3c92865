/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at process 1 of a machine from outside, and takes what a further process shares with it.
 * Zone: free for waiting, doomed for taking.
 */
#include "run/join-leader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/scope.h"
#include "confine/labels.h"
#include "confine/limits.h"

#define WAIT_MSEC 2000
#define LABEL_MAX 4096

/* --- Waiting --- */

static int read_of(pid_t pid, const char *file, size_t max, char **ret)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_read(AT_FDCWD, path, max, ret, NULL);
}

/* Of a process that lives. */
static int read_stat(pid_t pid, pid_t *ret_parent, pid_t *ret_session)
{
	auto_free char *text = NULL;
	const char *end;
	char state = 0;

	TRY(read_of(pid, "stat", 4096, &text));
	end = strrchr(text, ')');
	if (!end || sscanf(end, ") %c %d %*d %d", &state, ret_parent, ret_session) != 3)
		return -EPROTO;
	return state == 'Z' || state == 'X' ? -ESRCH : 0;
}

/*
 * It becomes a session's leader when the tree is entered and all that makes the machine is mounted
 * (run/payload-confine.c), and stays one.
 */
static int is_rooted(pid_t leader)
{
	pid_t parent, session;

	TRY(read_stat(leader, &parent, &session));
	return session == leader;
}

int join_leader_wait(const char *machine, pid_t leader)
{
	int r = is_rooted(leader);

	for (int waited = 0; r == 0 && waited < WAIT_MSEC; waited += 5) {
		(void)poll(NULL, 0, 5);
		r = is_rooted(leader);
	}
	if (r == 0)
		return refuse(EAGAIN, "Machine '%s' is only about to start", machine);
	if (r < 0)
		return refuse(ESRCH, "Machine '%s' has just ended", machine);
	return 0;
}

static int find_child(pid_t leader, pid_t *ret, int *ret_fd)
{
	auto_free char *text = NULL;
	auto_close int fd = -EBADF;
	pid_t parent, session, pid;
	char file[48];

	(void)snprintf(file, sizeof(file), "task/%d/children", (int)leader);
	TRY(read_of(leader, file, (size_t)1024 * 1024, &text));
	pid = (pid_t)strtol(text, NULL, 10);
	if (pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	/* Still its child, so that the descriptor is not another's that got the number. */
	TRY(read_stat(pid, &parent, &session));
	if (parent != leader)
		return -ESRCH;
	*ret = pid;
	*ret_fd = steal_fd(fd);
	return 0;
}

/* A stub init has entered the tree a moment before it has a child. */
int join_leader_child(pid_t leader, pid_t *ret, int *ret_fd)
{
	int r = find_child(leader, ret, ret_fd);

	for (int waited = 0; r == -ESRCH && is_rooted(leader) > 0 && waited < WAIT_MSEC;
	     waited += 5) {
		(void)poll(NULL, 0, 5);
		r = find_child(leader, ret, ret_fd);
	}
	return r;
}

/* --- Namespaces --- */

/* clang-format off */
static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{"user", CLONE_NEWUSER},
	{"mnt", CLONE_NEWNS},
	{"pid", CLONE_NEWPID},
	{"uts", CLONE_NEWUTS},
	{"ipc", CLONE_NEWIPC},
	{"net", CLONE_NEWNET},
	{"cgroup", CLONE_NEWCGROUP},
};
/* clang-format on */

/*
 * One's own user namespace cannot be entered, and of the others what is the host's only by root,
 * for whom it changes nothing.
 */
int join_leader_namespaces(pid_t leader, int *ret_flags)
{
	int flags = 0;

	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		bool is_looked_at = geteuid() != 0 || namespaces[i].flag == CLONE_NEWUSER;
		int is_same =
			is_looked_at ? process_shares_namespace(leader, namespaces[i].name) : 0;

		TRY(is_same);
		flags |= is_same ? 0 : namespaces[i].flag;
	}
	*ret_flags = flags;
	return 0;
}

/* --- Taking --- */

static void take_limits(pid_t leader)
{
	struct limits_plan plan = {0};

	for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++) {
		struct rlimit own;

		if (prlimit(leader, (enum __rlimit_resource)resource, NULL,
			    &plan.values[resource]) < 0 ||
		    getrlimit((enum __rlimit_resource)resource, &own) < 0)
			continue;
		plan.is_set[resource] = own.rlim_cur != plan.values[resource].rlim_cur ||
					own.rlim_max != plan.values[resource].rlim_max;
	}
	limits_apply(&plan);
}

static void take_score(pid_t leader, int proc_fd)
{
	auto_free char *its = NULL, *own = NULL;

	if (read_of(leader, "oom_score_adj", 32, &its) < 0 ||
	    file_read(proc_fd, "self/oom_score_adj", 32, &own, NULL) < 0 || strcmp(its, own) == 0)
		return;
	if (file_write(proc_fd, "self/oom_score_adj", its) < 0)
		debug("The OOM score adjustment stays the caller's");
}

static void take_processors(pid_t leader)
{
	cpu_set_t its, own;

	if (sched_getaffinity(leader, sizeof(its), &its) == 0 &&
	    sched_getaffinity(0, sizeof(own), &own) == 0 && !CPU_EQUAL(&its, &own))
		(void)sched_setaffinity(0, sizeof(its), &its);
}

static void take_personality(pid_t leader)
{
	auto_free char *text = NULL;
	unsigned long value;

	if (read_of(leader, "personality", 32, &text) < 0)
		return;
	value = strtoul(text, NULL, 16);
	if (value != (unsigned long)personality(0xffffffff))
		(void)personality(value);
}

/* The text without its line's end; NULL without such a module. */
static char *read_label(pid_t leader, const char *file)
{
	char *text = NULL;

	if (read_of(leader, file, LABEL_MAX, &text) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static bool has_selinux(void)
{
	struct statfs status;

	return statfs("/sys/fs/selinux", &status) == 0 &&
	       (unsigned long)status.f_type == SELINUX_MAGIC;
}

bool join_leader_is_labelled(pid_t leader)
{
	auto_free char *profile = read_label(leader, "attr/apparmor/current");

	return (profile && strcmp(profile, "unconfined") != 0 && *profile) || has_selinux();
}

/* A process that is not confined has nothing to hand on: what our own label allows, it keeps. */
static int take_labels(pid_t leader, int proc_fd)
{
	auto_free char *profile = read_label(leader, "attr/apparmor/current"), *context = NULL;
	struct label_plan plan = {0};
	char *mode;

	if (profile && strcmp(profile, "unconfined") != 0 && *profile) {
		mode = strstr(profile, " (");
		if (mode)
			*mode = '\0';
		plan.apparmor_profile = profile;
	}
	if (has_selinux()) {
		context = read_label(leader, "attr/current");
		plan.selinux_context = context && *context ? context : NULL;
	}
	return labels_apply(&plan, proc_fd);
}

int join_leader_take(pid_t leader, int proc_fd)
{
	take_limits(leader);
	take_score(leader, proc_fd);
	take_processors(leader);
	take_personality(leader);
	return take_labels(leader, proc_fd);
}
