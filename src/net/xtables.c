/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table is had as one piece, a rule behind the other; where a packet ends up that no rule of a
 * built-in chain decided about is told apart from it. Zone: free.
 */
#include "net/xtables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/scope.h"

#define TABLE "filter"
#define TABLE_MAX_BYTES ((unsigned int)16 * 1024 * 1024)
#define ATTEMPTS 3 /* it may change between two questions */

static const struct family {
	const char *program, *names;
	int family, level, info, entries;
	size_t target, head; /* where a rule has the offset of its target; its shortest length */
} families[] = {
	{"iptables-legacy", "/proc/net/ip_tables_names", AF_INET, IPPROTO_IP, IPT_SO_GET_INFO,
	 IPT_SO_GET_ENTRIES, offsetof(struct ipt_entry, target_offset), sizeof(struct ipt_entry)},
	{"ip6tables-legacy", "/proc/net/ip6_tables_names", AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO,
	 IP6T_SO_GET_ENTRIES, offsetof(struct ip6t_entry, target_offset),
	 sizeof(struct ip6t_entry)},
};

/* One of both has the layout of the other, but for the rules themselves. */
static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "questions differ");
static_assert(offsetof(struct ipt_get_entries, entrytable) ==
		      offsetof(struct ip6t_get_entries, entrytable),
	      "answers differ");

static const struct family *family_of(int number)
{
	return number == AF_INET6 ? &families[1] : &families[0];
}

const char *xtables_program(int family)
{
	return family_of(family)->program;
}

/* Asked about a table that is not there the kernel would make it. */
static bool has_table(const struct family *family)
{
	auto_free char *names = NULL;

	if (file_read(AT_FDCWD, family->names, 4096, &names, NULL) < 0)
		return false;
	for (const char *name = names; *name; name += strcspn(name, "\n"), name += *name == '\n')
		if (strncmp(name, TABLE "\n", strlen(TABLE "\n")) == 0)
			return true;
	return false;
}

/* All of the table in '*ret', malloc'ed, and what the kernel says of it. */
static int read_table(const struct family *family, int fd, struct ipt_getinfo *info,
		      struct ipt_get_entries **ret)
{
	socklen_t length = sizeof(*info);
	struct ipt_get_entries *table;

	*info = (struct ipt_getinfo){.name = TABLE};
	if (getsockopt(fd, family->level, family->info, info, &length) < 0)
		return -errno;
	if (info->size > TABLE_MAX_BYTES || !(info->valid_hooks & 1U << NF_INET_FORWARD))
		return -EOPNOTSUPP;
	length = (socklen_t)(offsetof(struct ipt_get_entries, entrytable) + info->size);
	table = calloc(1, length);
	if (!table)
		return -ENOMEM;
	*table = (struct ipt_get_entries){.name = TABLE, .size = info->size};
	if (getsockopt(fd, family->level, family->entries, table, &length) < 0) {
		int r = -errno;

		free(table);
		return r;
	}
	*ret = table;
	return 0;
}

/* The rule that is reached when no other of the chain decided: its target has no name. */
static bool drops_at(const struct family *family, const struct ipt_getinfo *info,
		     const uint8_t *rules)
{
	size_t at = info->underflow[NF_INET_FORWARD];
	struct xt_standard_target target;
	uint16_t offset;

	if (at > info->size || info->size - at < family->head)
		return false;
	memcpy(&offset, rules + at + family->target, sizeof(offset));
	if (info->size - at < offset + sizeof(target))
		return false;
	memcpy(&target, rules + at + offset, sizeof(target));
	return !*target.target.u.user.name && target.verdict == -NF_DROP - 1;
}

bool xtables_is_closed(int number)
{
	const struct family *family = family_of(number);
	auto_free struct ipt_get_entries *table = NULL;
	auto_close int fd = -EBADF;
	struct ipt_getinfo info;
	int r = -EAGAIN;

	if (!has_table(family))
		return false;
	fd = socket(family->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (int i = 0; fd >= 0 && i < ATTEMPTS && r == -EAGAIN; i++)
		r = read_table(family, fd, &info, &table);
	return r == 0 && drops_at(family, &info, (const uint8_t *)table->entrytable);
}
