/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child for each machine, which answers over a pipe.
 * Zone: free; the child is doomed.
 */
#include "control/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/scope.h"
#include "net/netlink.h"

#define TOGETHER 32 /* children at a time */
#define PATIENCE_MSEC 1000
#define OS_RELEASE_MAX 16384
#define ADDRESSES_MAX 64
#define ANSWER_MAX (OS_RELEASE_MAX + (size_t)16384)

/* What the child says: records of a kind and a length, then the bytes. */
enum record_kind {
	RECORD_OS,      /* the text of os-release(5) */
	RECORD_ADDRESS, /* a text */
	RECORD_TRAFFIC, /* two counts of bytes: received, sent */
};

struct record {
	uint32_t kind, length;
};

static void say(int fd, enum record_kind kind, const void *bytes, size_t length)
{
	const struct record record = {kind, (uint32_t)length};

	if (fd_write_all(fd, &record, sizeof(record)) < 0 || fd_write_all(fd, bytes, length) < 0)
		_exit(1);
}

/* --- Network --- */

struct address {
	uint8_t family, scope;
	uint8_t bytes[16];
};

struct network {
	struct address addresses[ADDRESSES_MAX];
	size_t count;
	uint64_t traffic[2];
	bool has_links;
};

static int hear_address(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct network *network = userdata;
	struct netlink_rest rest;
	struct netlink_attribute attribute;
	struct ifaddrmsg message;
	struct address address = {0};
	bool has_bytes = false;

	if (type != RTM_NEWADDR || network->count >= ADDRESSES_MAX ||
	    !netlink_take_head(body, &message, sizeof(message), &rest))
		return 0;
	address.family = message.ifa_family;
	address.scope = message.ifa_scope;
	while (netlink_next(&rest, &attribute)) {
		/* Of a point-to-point link the other one is the peer's. */
		bool is_own = attribute.type == IFA_LOCAL ||
			      (attribute.type == IFA_ADDRESS && !has_bytes);

		if (!is_own || attribute.length != (message.ifa_family == AF_INET ? 4 : 16))
			continue;
		memcpy(address.bytes, attribute.bytes, attribute.length);
		has_bytes = true;
	}
	if (has_bytes && address.scope < RT_SCOPE_HOST)
		network->addresses[network->count++] = address;
	return 0;
}

static int hear_link(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct network *network = userdata;
	struct netlink_rest rest;
	struct netlink_attribute attribute;
	struct rtnl_link_stats64 counts;
	struct ifinfomsg message;

	if (type != RTM_NEWLINK || !netlink_take_head(body, &message, sizeof(message), &rest))
		return 0;
	if (message.ifi_flags & IFF_LOOPBACK)
		return 0;
	while (netlink_next(&rest, &attribute)) {
		size_t known = offsetof(struct rtnl_link_stats64, rx_errors);

		if (attribute.type != IFLA_STATS64 || attribute.length < known)
			continue;
		memcpy(&counts, attribute.bytes, known);
		network->traffic[0] += counts.rx_bytes;
		network->traffic[1] += counts.tx_bytes;
		network->has_links = true;
	}
	return 0;
}

/* What can be reached from afar first, and what is shorter. */
static int compare_addresses(const void *left, const void *right)
{
	const struct address *one = left, *other = right;

	if (one->scope != other->scope)
		return one->scope < other->scope ? -1 : 1;
	return (one->family != AF_INET) - (other->family != AF_INET);
}

static void say_network(int fd, unsigned int what)
{
	const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
	struct netlink_socket socket = NETLINK_CLOSED;
	struct netlink_message message;
	struct network network = {0};
	char text[INET6_ADDRSTRLEN];

	if (netlink_socket_open(&socket) < 0)
		return;
	netlink_begin(&message, RTM_GETADDR, NLM_F_DUMP, &any);
	if (what & PROBE_ADDRESSES)
		(void)netlink_call(&socket, &message, hear_address, &network);
	netlink_begin(&message, RTM_GETLINK, NLM_F_DUMP, &any);
	if (what & PROBE_TRAFFIC)
		(void)netlink_call(&socket, &message, hear_link, &network);
	netlink_socket_close(&socket);
	if (network.count > 0)
		qsort(network.addresses, network.count, sizeof(network.addresses[0]),
		      compare_addresses);
	for (size_t i = 0; i < network.count; i++)
		if (inet_ntop(network.addresses[i].family, network.addresses[i].bytes, text,
			      sizeof(text)))
			say(fd, RECORD_ADDRESS, text, strlen(text));
	if (network.has_links)
		say(fd, RECORD_TRAFFIC, network.traffic, sizeof(network.traffic));
}

/* True once we are in the machine's network, if it has one of its own. */
static bool enter_network(const struct machine_view *machine, bool is_user)
{
	if (machine->is_host)
		return true;
	if (!machine->entry.has_own_network)
		return false;
	return setns(machine->pidfd, CLONE_NEWNET | (is_user ? CLONE_NEWUSER : 0)) == 0;
}

/* --- Operating system --- */

static int open_root(const struct machine_view *machine)
{
	char path[64];
	auto_close int fd = -EBADF;

	if (machine->is_host)
		return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/%d/root", machine->entry.leader);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* The number was the leader's then. */
	return fd_pid(machine->pidfd) == machine->entry.leader ? steal_fd(fd) : -ESRCH;
}

static void say_os(int fd, int root_fd)
{
	static const char *const places[] = {"/etc/os-release", "/usr/lib/os-release"};
	auto_free char *text = NULL;
	size_t length;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (path_read(root_fd, places[i], OS_RELEASE_MAX, &text, &length) < 0)
			continue;
		say(fd, RECORD_OS, text, length);
		return;
	}
}

__attribute__((noreturn)) static void run_child(const struct machines *machines,
						const struct machine_view *machine,
						unsigned int what, int fd)
{
	bool is_user = machines->places->is_user;
	int root_fd;

	/* In a user namespace of the machine's its root must not get hold of us. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(1);
	(void)signal(SIGPIPE, SIG_DFL);
	root_fd = what & PROBE_OS ? open_root(machine) : -EBADF;
	if (what & (PROBE_ADDRESSES | PROBE_TRAFFIC) && enter_network(machine, is_user))
		say_network(fd, what);
	if (root_fd >= 0) /* last: it may never end */
		say_os(fd, root_fd);
	_exit(0);
}

/* --- The parent --- */

struct child {
	struct machine_view *machine;
	pid_t pid;
	int fd; /* -EBADF: it has said all */
	char *answer;
	size_t length;
};

static void understand_record(struct arena *arena, struct machine_view *machine,
			      const struct record *record, const char *bytes)
{
	uint64_t traffic[2];

	switch (record->kind) {
	case RECORD_OS:
		os_release_parse(arena, bytes, record->length, &machine->os);
		return;
	case RECORD_ADDRESS:
		strings_add(arena, &machine->addresses, arena_copy_n(arena, bytes, record->length));
		return;
	case RECORD_TRAFFIC:
		if (record->length != sizeof(traffic))
			return;
		memcpy(traffic, bytes, sizeof(traffic));
		machine->received_bytes = traffic[0];
		machine->sent_bytes = traffic[1];
		machine->has_traffic = true;
		return;
	default:
		return;
	}
}

static void understand(struct arena *arena, const struct child *child)
{
	struct record record;
	size_t at = 0;

	while (child->length - at >= sizeof(record)) {
		memcpy(&record, child->answer + at, sizeof(record));
		at += sizeof(record);
		if (record.length > child->length - at)
			return; /* cut short */
		understand_record(arena, child->machine, &record, child->answer + at);
		at += record.length;
	}
}

static bool start(struct machines *machines, struct machine_view *machine, unsigned int what,
		  struct child *ret)
{
	int ends[2];

	*ret = (struct child){.machine = machine, .fd = -EBADF};
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	ret->pid = fork();
	if (ret->pid == 0) {
		(void)close(ends[0]);
		run_child(machines, machine, what, ends[1]);
	}
	(void)close(ends[1]);
	if (ret->pid < 0) {
		(void)close(ends[0]);
		return false;
	}
	ret->fd = ends[0];
	ret->answer = arena_allocate(machines->arena, ANSWER_MAX);
	return true;
}

static void receive(struct child *child)
{
	ssize_t got = read(child->fd, child->answer + child->length, ANSWER_MAX - child->length);

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		scope_close(&child->fd);
		child->fd = -EBADF;
		return;
	}
	child->length += (size_t)got;
}

static void listen_to(struct child *children, size_t count)
{
	int64_t deadline = clock_now_msec() + PATIENCE_MSEC, left;
	struct pollfd fds[TOGETHER];
	bool is_over = false;

	while (!is_over && (left = deadline - clock_now_msec()) > 0) {
		is_over = true;
		for (size_t i = 0; i < count; i++) {
			fds[i] = (struct pollfd){.fd = children[i].fd, .events = POLLIN};
			is_over = is_over && children[i].fd < 0;
		}
		if (is_over || poll(fds, count, (int)left) < 0)
			continue;
		for (size_t i = 0; i < count; i++)
			if (fds[i].fd >= 0 && fds[i].revents)
				receive(&children[i]);
	}
}

static void finish(struct arena *arena, struct child *child)
{
	bool is_late = child->fd >= 0;

	if (is_late)
		(void)kill(child->pid, SIGKILL);
	scope_close(&child->fd);
	/* One that waits for a guest's file system may be beyond signals: nobody waits for it. */
	while (waitpid(child->pid, NULL, is_late ? WNOHANG : 0) < 0 && errno == EINTR)
		;
	understand(arena, child);
}

/* Those that only the manager knows. */
static void ask_manager(struct machines *machines, struct machine_view *machine, unsigned int what)
{
	if (what & PROBE_OS)
		(void)machined_os(machines->arena, &machines->bus, machine->name, &machine->os);
	if (what & PROBE_ADDRESSES)
		(void)machined_addresses(machines->arena, &machines->bus, machine->name,
					 &machine->addresses);
}

void probe_machines(struct machines *machines, unsigned int what)
{
	struct child children[TOGETHER];
	size_t i = 0, count;

	(void)fflush(NULL);
	while (i < machines->count) {
		count = 0;
		for (; i < machines->count && count < TOGETHER; i++) {
			struct machine_view *machine = &machines->items[i];

			if (machine->path)
				ask_manager(machines, machine, what);
			else if ((machine->pidfd >= 0 || machine->is_host) &&
				 start(machines, machine, what, &children[count]))
				count++;
		}
		listen_to(children, count);
		for (size_t child = 0; child < count; child++)
			finish(machines->arena, &children[child]);
	}
}
