/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Only what is well known is recognised: firewalld, ufw, and chains that drop by their policy, of
 * nf_tables and of the older tables. Rules of others are never changed.
 * Zone: owing.
 */
#include "net/walls.h"

#include <linux/netfilter.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/scope.h"
#include "net/forward.h"
#include "net/nft.h"
#include "net/xtables.h"

#define UFW_CHAIN "ufw-user-forward" /* others stay when it is disabled */

static const int families[] = {AF_INET, AF_INET6};

struct wall {
	bool is_firewalld, is_ufw;
	struct nft_chain closed; /* one that drops what it does not know */
};

static int look_at_chain(const struct nft_chain *chain, void *userdata)
{
	struct wall *wall = userdata;

	if (strcmp(chain->table, "firewalld") == 0)
		wall->is_firewalld = true;
	else if (strcmp(chain->name, UFW_CHAIN) == 0)
		wall->is_ufw = true;
	else if (chain->is_base && chain->is_filter && chain->is_closed &&
		 chain->hook == NF_INET_FORWARD && strcmp(chain->table, NFT_TABLE) != 0)
		wall->closed = *chain;
	return 0;
}

/* Names of tables are of the host's root, who needs no protection from himself. */
static void mention_chain(const struct nft_chain *chain, const char *link)
{
	const char *family = chain->family == NFPROTO_IPV4   ? "ip"
			     : chain->family == NFPROTO_IPV6 ? "ip6"
							     : "inet";

	note("The table '%s' of the host drops what passes through it and is not known: it needs "
	     "'nft insert rule %s %s %s iifname %s accept' and 'nft insert rule %s %s %s oifname "
	     "%s ct state established,related accept'",
	     chain->table, family, chain->table, chain->name, link, family, chain->table,
	     chain->name, link);
}

bool walls_are_there(void)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket table = NETLINK_CLOSED;
	struct wall wall = {0};

	return nft_open(&table) < 0 || nft_list_chains(&table, look_at_chain, &wall) < 0 ||
	       wall.is_firewalld || wall.is_ufw || wall.closed.is_base ||
	       xtables_is_closed(AF_INET) || xtables_is_closed(AF_INET6);
}

static void mention_xtables(const char *link, int family)
{
	const char *program = xtables_program(family);

	note("The older tables of the host drop what passes through it and is not known: it needs "
	     "'%s -I FORWARD -i %s -j ACCEPT' and '%s -I FORWARD -o %s -m conntrack --ctstate "
	     "RELATED,ESTABLISHED -j ACCEPT'",
	     program, link, program, link);
}

void walls_mention(const char *link)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket table = NETLINK_CLOSED;
	struct wall wall = {0};

	if (nft_open(&table) < 0 || nft_list_chains(&table, look_at_chain, &wall) < 0)
		return;
	if (wall.is_firewalld)
		note("firewalld keeps back what it does not know: 'firewall-cmd --zone=trusted "
		     "--change-interface=%s' lets the machine through",
		     link);
	else if (wall.is_ufw)
		note("ufw keeps back what it does not know: 'ufw route allow in on %s' and 'ufw allow "
		     "in on %s' let the machine through",
		     link, link);
	else if (wall.closed.is_base)
		mention_chain(&wall.closed, link);
	for (size_t i = 0; i < ARRAY_LEN(families) && !wall.is_firewalld && !wall.is_ufw; i++)
		if (forward_is_open(link, families[i]) && xtables_is_closed(families[i]))
			mention_xtables(link, families[i]);
}
