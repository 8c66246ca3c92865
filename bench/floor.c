/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The least that entering a tree can cost: one clone3 with new namespaces, the tree bound and
 * pivoted into, five mounts, exec, wait. Everything bench/run prints is divided by this. With a
 * network namespace on request, and a cable into it.
 * Zone: free up to the clone; the child is doomed.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int die(const char *step)
{
	fprintf(stderr, "floor: %s: %s\n", step, strerror(errno));
	return 1;
}

/* Makes the tree the root. The old root ends up on top of it, where one umount drops it. */
static int root_enter(const char *tree)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return die("make mounts private");
	if (mount(tree, tree, NULL, MS_BIND | MS_REC, NULL) < 0)
		return die("bind the tree");
	if (chdir(tree) < 0)
		return die("enter the tree");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return die("pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return die("drop the old root");
	return 0;
}

static int api_mount(void)
{
	static const struct {
		const char *type;
		const char *where;
	} mounts[] = {
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/dev"},
		{"tmpfs", "/run"}, {"tmpfs", "/tmp"},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, MS_NOSUID, NULL) < 0)
			return die(mounts[i].where);
	return 0;
}

/* --- A cable: one message of rtnetlink(7) --- */

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[256];
};

static struct rtattr *attribute(struct request *request, unsigned short type, const void *value,
				size_t length)
{
	struct rtattr *made =
		(struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	made->rta_type = type;
	made->rta_len = (unsigned short)RTA_LENGTH(length);
	if (length > 0)
		memcpy(RTA_DATA(made), value, length);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(made->rta_len);
	return made;
}

static void attribute_end(const struct request *request, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((const char *)request + request->header.nlmsg_len -
					 (const char *)nest);
}

/* 0 or a negative errno. */
static int ask(const struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, request, request->header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	(void)close(fd);
	return answer.error.error;
}

/* The end that stays, called after us. */
static struct request cable_request(pid_t pid, unsigned short type, unsigned short flags)
{
	struct request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			   .nlmsg_type = type,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags},
	};
	char name[16];

	(void)snprintf(name, sizeof(name), "floor%d", (int)pid);
	(void)attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return request;
}

static int cable_remove(pid_t pid)
{
	struct request request = cable_request(pid, RTM_DELLINK, 0);

	/* The end of the namespace may be faster. */
	errno = -ask(&request);
	return errno && errno != ENODEV ? die("remove a cable") : 0;
}

/* The other end is born in the namespace of 'pid'. */
static int cable_make(pid_t pid)
{
	struct request request = cable_request(pid, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct rtattr *info, *data, *peer;
	uint32_t number = (uint32_t)pid;

	info = attribute(&request, IFLA_LINKINFO, NULL, 0);
	(void)attribute(&request, IFLA_INFO_KIND, "veth", sizeof("veth"));
	data = attribute(&request, IFLA_INFO_DATA, NULL, 0);
	peer = attribute(&request, VETH_INFO_PEER, &request.link, sizeof(request.link));
	(void)attribute(&request, IFLA_IFNAME, "host0", sizeof("host0"));
	(void)attribute(&request, IFLA_NET_NS_PID, &number, sizeof(number));
	attribute_end(&request, peer);
	attribute_end(&request, data);
	attribute_end(&request, info);
	errno = -ask(&request);
	return errno ? die("make a cable") : 0;
}

/* --- The whole --- */

int main(int argc, char **argv)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	long pid;
	int status, first = 1, made[2] = {-1, -1};
	bool has_cable, is_tidy;

	is_tidy = argc > first && strcmp(argv[first], "--veth-tidy") == 0;
	has_cable = is_tidy || (argc > first && strcmp(argv[first], "--veth") == 0);
	if (has_cable || (argc > first && strcmp(argv[first], "--net") == 0)) {
		args.flags |= CLONE_NEWNET;
		first++;
	}
	if (argc < first + 2) {
		fprintf(stderr, "usage: floor [--net|--veth|--veth-tidy] TREE COMMAND [WORD...]\n");
		return 1;
	}

	if (has_cable && pipe(made) < 0)
		return die("pipe");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return die("clone3");
	if (pid == 0) {
		char word;

		/* The program finds its cable. */
		if (root_enter(argv[first]) == 0 && api_mount() == 0 &&
		    (!has_cable || read(made[0], &word, 1) == 1)) {
			execv(argv[first + 1], argv + first + 1);
			(void)die("exec");
		}
		_exit(1);
	}

	if (has_cable && (cable_make((pid_t)pid) != 0 || write(made[1], "", 1) != 1))
		return 1;
	if (waitpid((pid_t)pid, &status, 0) < 0)
		return die("wait");
	if (is_tidy && cable_remove((pid_t)pid) != 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
