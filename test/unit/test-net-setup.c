/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of machines are what they have always been; what others wrote about names and networks
 * is taken with care.
 */
#include "net/setup-plan.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/scope.h"
#include "check.h"
#include "config/config.h"
#include "net/networkd.h"

static struct arena arena;

static struct prefix prefix_of(int family, const char *text, unsigned int length)
{
	struct prefix prefix = {.address.family = family, .length = length};

	CHECK(inet_pton(family, text, prefix.address.bytes) == 1);
	return prefix;
}

static const char *text_of(const struct prefix *prefix)
{
	char text[ADDRESS_TEXT_MAX];

	return arena_format(&arena, "%s/%u", address_text(&prefix->address, text), prefix->length);
}

static void test_overlap(void)
{
	static const struct {
		const char *a, *b;
		unsigned int a_length, b_length;
		bool is_so;
	} rows[] = {
		{"10.0.0.0", "10.1.2.3", 8, 32, true},    {"10.1.2.3", "10.0.0.0", 32, 8, true},
		{"10.0.0.0", "10.0.0.16", 28, 28, false}, {"10.0.0.0", "10.0.0.15", 28, 32, true},
		{"0.0.0.0", "1.2.3.4", 0, 32, true},      {"10.0.128.0", "10.0.0.0", 17, 17, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct prefix a = prefix_of(AF_INET, rows[i].a, rows[i].a_length),
				    b = prefix_of(AF_INET, rows[i].b, rows[i].b_length);

		CHECK(prefix_overlaps(&a, &b) == rows[i].is_so);
	}
}

static void test_candidates(void)
{
	static const uint8_t host_id[16] = {1, 2, 3};
	struct net_candidate_request request = {
		.host_id = host_id, .network = "web", .machine = "web"};
	static const struct {
		unsigned int number;
		const char *pool;
		unsigned int length;
	} rows[] = {{0, "10.0.0.0", 8},     {15, "10.0.0.0", 8},     {16, "172.16.0.0", 12},
		    {31, "172.16.0.0", 12}, {32, "192.168.0.0", 16}, {47, "192.168.0.0", 16}};
	struct net_addresses ipv4, ipv6;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct prefix pool = prefix_of(AF_INET, rows[i].pool, rows[i].length);
		struct prefix subnet;

		net_candidate(&request, rows[i].number, &ipv4, &ipv6);
		subnet = net_subnet(&ipv4.host);
		CHECK(prefix_overlaps(&pool, &subnet) && ipv4.host.length == 28);
		CHECK(prefix_overlaps(&subnet, &ipv4.guest));
		CHECK(ipv4.host.address.bytes[3] % 16 == 1 &&
		      ipv4.guest.address.bytes[3] % 16 == 2);
		CHECK(ipv6.host.address.bytes[0] == 0xfd && ipv6.host.length == 64);
	}
	/* Part of the interface. */
	net_candidate(&request, 0, &ipv4, &ipv6);
	CHECK_TEXT(text_of(&ipv4.guest), "10.132.224.194/28");
	CHECK_TEXT(text_of(&ipv6.guest), "fd4e:d820:9b4d:a3fa::2/64");
}

static void test_places(void)
{
	static const uint8_t host_id[16] = {0};
	struct net_candidate_request request = {
		.host_id = host_id, .network = "vz-shop", .machine = "web", .is_shared = true};
	bool is_taken[256] = {false};
	struct net_addresses ipv4, ipv6;

	net_candidate(&request, 0, &ipv4, &ipv6);
	CHECK(ipv4.host.length == 24);
	for (unsigned int i = 0; i < NET_PLACES + 1; i++)
		if (net_candidate_place(&request, i, &ipv4)) {
			CHECK(!is_taken[ipv4.guest.address.bytes[3]]);
			is_taken[ipv4.guest.address.bytes[3]] = true;
		}
	CHECK(!is_taken[0] && !is_taken[1] && !is_taken[255] && is_taken[2] && is_taken[254]);
	CHECK(net_candidate_place(&request, 0, &ipv6));
	CHECK(ipv6.guest.address.bytes[8] & 2);
	/* A bridge with an address of somebody else's choice. */
	ipv4.host = prefix_of(AF_INET, "192.0.2.1", 30);
	for (unsigned int i = 0; i < 8; i++)
		if (net_candidate_place(&request, i, &ipv4))
			CHECK_TEXT(text_of(&ipv4.guest), "192.0.2.2/30");
	ipv4.host = prefix_of(AF_INET, "192.0.2.1", 32);
	CHECK(!net_candidate_place(&request, 0, &ipv4));
}

static void test_resolv_conf(void)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"", NULL},
		{"nameserver 127.0.0.53\noptions edns0\n", NULL},
		{"nameserver ::1\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\n", NULL},
		{"# x\nsearch a b\nnameserver 127.0.0.1\nnameserver 192.0.2.1\n",
		 "search a b\nnameserver 192.0.2.1\n"},
		{"nameserver 2001:db8::1\nsortlist 1.2.3.4\n", "nameserver 2001:db8::1\n"},
		{"nameserver\t192.0.2.1", "nameserver 192.0.2.1\n"},
		{"nameserver 192.0.2.1; rm\x1b[31m\nnameserver x\nnameserver\n", NULL},
		{"nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n",
		 "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strings servers;
		const char *text = net_resolv_conf(&arena, rows[i].text, &servers);

		if (rows[i].wanted)
			CHECK_TEXT(text, rows[i].wanted);
		else
			CHECK(!text && servers.count == 0);
	}
}

static void test_networkd_files(void)
{
	static const struct {
		const char *text, *link, *kind;
		bool is_so;
	} rows[] = {
		{"[Match]\nKind=veth\nName=ve-*\n", "ve-web", "veth", true},
		{"[Match]\nDriver=veth\nName=ve-*\n", "ve-web", "veth", true},
		{"[Match]\nKind=bridge\nName=vz-*\n", "vz-shop", "bridge", true},
		{"[Match]\nName=vb-*\n", "ve-web", "veth", false},
		{"[Match]\nName=en* ve-web\n", "ve-web", "veth", true},
		{"[Match]\nName=*\n", "ve-web", "veth", false},
		{"[Match]\nName=!ve-*\n", "ve-web", "veth", false},
		{"[Match]\nType=ether\n", "ve-web", "veth", false},
		{"[Match]\nKind=veth\nType=ether\n", "ve-web", "veth", true},
		{"[Match]\nName=ve-*\n[Link]\nUnmanaged=yes\n", "ve-web", "veth", false},
		{"[Network]\nName=ve-*\n", "ve-web", "veth", false},
		{"# [Match]\n;Name=ve-*\n", "ve-web", "veth", false},
		{"  [Match] \n Name = ve-* \n", "ve-web", "veth", true},
		{"[Match]\nMACAddress=02:00:00:00:00:01\nName=ve-*\n", "ve-web", "veth", false},
		{"", "ve-web", "veth", false},
		{"[Match\nName=ve-*\n=\n==\n[\n", "ve-web", "veth", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK(networkd_file_matches(&arena, rows[i].text, rows[i].link, rows[i].kind) ==
		      rows[i].is_so);
}

int main(void)
{
	test_overlap();
	test_candidates();
	test_places();
	test_resolv_conf();
	test_networkd_files();
	arena_done(&arena);
	return check_result();
}
