/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the guest's own getent(1), a program we do not trust, about a user that its files do not
 * hold (LDAP and the like), and reads its answer strictly.
 * Zone: doomed.
 */
#include "confine/users.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <grp.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "ids/id-map.h"

#define ANSWER_MAX_BYTES ((size_t)64 * 1024)
#define ANSWER_TIMEOUT_MSEC 5000
#define GROUPS_MAX 65536

/*
 * Exit statuses: getent(1) says 2 for "no such key"; 126 is our child's own failure, 127 a program
 * that is missing.
 */
enum getent_status {
	GETENT_UNKNOWN = 2,
	GETENT_SETUP_FAILED = 126,
	GETENT_MISSING = 127,
};

/* clang-format off */
static const struct {
	__rlimit_resource_t resource;
	rlim_t value;
} limits[] = {
	{RLIMIT_CPU, 5},
	{RLIMIT_AS, (rlim_t)512 * 1024 * 1024},
	{RLIMIT_NOFILE, 64},
	{RLIMIT_FSIZE, 0},
	{RLIMIT_CORE, 0},
	{RLIMIT_MEMLOCK, 0},
	{RLIMIT_NPROC, 0}, /* no children that could stay behind */
};
/* clang-format on */

/*
 * The order is the point: the bounding set needs CAP_SETPCAP, the ids need CAP_SETUID; after them
 * nothing is left.
 */
static int give_up_rights(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	for (unsigned long capability = 0; capability < 64; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    setgroups(0, NULL) < 0 || setresgid(ID_NOBODY, ID_NOBODY, ID_NOBODY) < 0 ||
	    setresuid(ID_NOBODY, ID_NOBODY, ID_NOBODY) < 0)
		return -errno;
	if (syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int limit_resources(void)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const struct rlimit limit = {.rlim_cur = limits[i].value,
					     .rlim_max = limits[i].value};

		if (setrlimit(limits[i].resource, &limit) < 0)
			return -errno;
	}
	return 0;
}

static int restore_signals(void)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		(void)sigaction(number, &plain, NULL); /* some cannot be changed */
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/*
 * Standard input and error are /dev/null if the guest has one, else closed; output is the pipe;
 * nothing else stays.
 */
static int arrange_descriptors(int answer_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (dup2(answer_fd, STDOUT_FILENO) < 0)
		return -errno;
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		(void)close(STDIN_FILENO);
	if (null_fd < 0 || dup2(null_fd, STDERR_FILENO) < 0)
		(void)close(STDERR_FILENO);
	return close_range(STDERR_FILENO + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int load_filter(const struct sock_filter *filter, unsigned short filter_length)
{
	const struct sock_fprog program = {.len = filter_length,
					   .filter = (struct sock_filter *)filter};

	if (!filter)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

__attribute__((noreturn)) static void become_getent(const char *database, const char *key,
						    int answer_fd, const struct sock_filter *filter,
						    unsigned short filter_length)
{
	static const char *const programs[] = {"/usr/bin/getent", "/bin/getent"};
	char *const arguments[] = {(char *)"getent", (char *)database, (char *)key, NULL};
	char *const environment[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C", NULL};

	/*
	 * The limits come after the ids: execve(2) refuses a process whose change of ids ran into
	 * RLIMIT_NPROC, but only fork(2) minds one that was lowered later. A change of ids also
	 * clears the parent-death signal (prctl(2)).
	 */
	if (setsid() < 0 || restore_signals() < 0 || chdir("/") < 0 ||
	    arrange_descriptors(answer_fd) < 0 || give_up_rights() < 0 || limit_resources() < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || load_filter(filter, filter_length) < 0)
		_exit(GETENT_SETUP_FAILED);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		(void)execve(programs[i], arguments, environment);
	_exit(GETENT_MISSING);
}

/* Reads to end of file, into 'size' bytes with a NUL after them. */
static int read_answer(int fd, int64_t deadline_msec, char *buffer, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		int64_t left = deadline_msec - clock_now_msec();
		ssize_t got;
		int ready;

		if (left <= 0)
			return -ETIMEDOUT;
		ready = poll(&waiting, 1, (int)left);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			continue;
		got = read(fd, buffer + used, size - used);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used == size)
			return -EBADMSG;
	}
	/* A text is asked for: NUL has no place in it. */
	if (memchr(buffer, '\0', used))
		return -EBADMSG;
	buffer[used] = '\0';
	return 0;
}

/* Waits for a child that closed its output until the deadline, then no longer asks but kills. */
static int reap(pid_t child, int pidfd, int64_t deadline_msec, bool may_wait)
{
	struct pollfd waiting = {.fd = pidfd, .events = POLLIN};
	int64_t left = deadline_msec - clock_now_msec();
	bool is_late = may_wait && (left <= 0 || poll(&waiting, 1, (int)left) <= 0);
	siginfo_t info = {0};

	/* Our own child, not yet reaped: the number cannot be anyone else's. */
	if (!may_wait || is_late)
		(void)kill(child, SIGKILL);
	while (waitid(P_PID, (id_t)child, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	if (info.si_code != CLD_EXITED)
		return is_late ? -ETIMEDOUT : -EBADMSG;
	switch (info.si_status) {
	case 0:
		return 0;
	case GETENT_UNKNOWN:
		return -ESRCH;
	case GETENT_MISSING:
		return -ENOENT;
	case GETENT_SETUP_FAILED:
		return -EPERM;
	default:
		return -EBADMSG;
	}
}

static int ask(const char *database, const char *key, const struct sock_filter *filter,
	       unsigned short filter_length, char *buffer, size_t size)
{
	auto_close int answer = -EBADF, answer_write = -EBADF, pidfd = -EBADF;
	int64_t deadline_msec = clock_now_msec() + ANSWER_TIMEOUT_MSEC;
	int pipe_fds[2], r, status;
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	answer = pipe_fds[0];
	answer_write = pipe_fds[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become_getent(database, key, answer_write, filter, filter_length);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	/* So that the end of the child is the end of the file. */
	(void)close(steal_fd(answer_write));
	r = read_answer(answer, deadline_msec, buffer, size);
	status = reap(child, pidfd, deadline_msec, r == 0 && pidfd >= 0);
	return r < 0 ? r : status;
}

/* "NAME GID GID …" in one line, blanks between. Cuts up 'text'. */
static int parse_initgroups(char *text, struct user_identity *identity)
{
	char *word = strsep(&text, " \t\n");

	if (!word || strcmp(word, identity->name) != 0)
		return -EBADMSG;
	while ((word = strsep(&text, " \t\n"))) {
		uint32_t gid;
		gid_t *larger;

		if (*word == '\0')
			continue;
		if (parse_uid(word, &gid) < 0 || identity->group_count == GROUPS_MAX)
			return -EBADMSG;
		if (gid == identity->gid)
			continue;
		larger = reallocarray(identity->groups, identity->group_count + 1, sizeof(gid_t));
		if (!larger)
			return -ENOMEM;
		identity->groups = larger;
		identity->groups[identity->group_count++] = gid;
	}
	return 0;
}

int users_ask_guest(const char *name, const struct sock_filter *filter,
		    unsigned short filter_length, struct user_identity *ret)
{
	auto_user_identity struct user_identity identity = {0};
	auto_free char *buffer = malloc(ANSWER_MAX_BYTES + 1);
	int r;

	if (!buffer)
		return -ENOMEM;
	/*
	 * A key that getent would read as an option or as a number must not get this far;
	 * users_find() has judged it.
	 */
	if (*name == '-' || name[strspn(name, "0123456789")] == '\0')
		return -EINVAL;
	TRY(ask("passwd", name, filter, filter_length, buffer, ANSWER_MAX_BYTES));
	r = users_parse_passwd(buffer, name, 0, &identity);
	if (r == -ESRCH)
		return -EBADMSG;
	TRY(r);
	TRY(ask("initgroups", name, filter, filter_length, buffer, ANSWER_MAX_BYTES));
	TRY(parse_initgroups(buffer, &identity));
	*ret = identity;
	identity = (struct user_identity){0};
	return 0;
}
