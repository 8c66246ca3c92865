/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and addresses of links are what they have always been; what the kernel says is taken apart
 * without trust.
 */
#include "net/net-plan.h"

#include <linux/genetlink.h>
#include <linux/nl80211.h>
#include <linux/veth.h>

#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "config/network-values.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/siphash.h"
#include "net/wireless.h"

static struct arena arena;

/* The key 00 01 … 0f and texts 00 01 … of the paper's reference. */
static void test_hash(void)
{
	uint8_t key[16], text[64];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)i;
	CHECK(siphash(key, text, 0) == UINT64_C(0x726fdb47dd0e0e31));
	CHECK(siphash(key, text, 1) == UINT64_C(0x74f839c593dc67fd));
	CHECK(siphash(key, text, 8) == UINT64_C(0x93f5f5799a932462));
	CHECK(siphash(key, text, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void test_link_names(void)
{
	static const char *const good[] = {
		"eth0", "a", "host0", "br-1.2", "en_p", "x.y", "123456789012345", "0x1", "ALL"};
	static const char *const bad[] = {"",
					  ".",
					  "..",
					  "all",
					  "default",
					  "a/b",
					  "a:b",
					  "a b",
					  "a\nb",
					  "a%d",
					  "12",
					  "\x7f",
					  "ä",
					  "a\t",
					  "../x",
					  "0",
					  "x1234567890123456"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(is_link_name(good[i], 15) ==
		      (strspn(good[i], "0123456789") != strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!is_link_name(bad[i], 15));
	CHECK(is_link_name("a2345678901234567890", 127));
}

static void test_addresses(void)
{
	static const char *const bad[] = {"",
					  "02:00:00:12:34",
					  "02:00:00:12:34:5",
					  "02:00:00:12:34:567",
					  "01:00:00:00:00:00",
					  "ff:ff:ff:ff:ff:ff",
					  "00:00:00:00:00:00",
					  "02-00:00:00:00:00",
					  "02:00:00:00:00-00",
					  "0g:00:00:00:00:00",
					  "020000123456",
					  "02.00.00.12.34.56"};
	uint8_t mac[6] = {0};

	CHECK(parse_mac("02:00:00:12:34:56", mac) == 0);
	CHECK(memcmp(mac, "\x02\x00\x00\x12\x34\x56", 6) == 0);
	CHECK(parse_mac("AE-BC-de-12-34-56", mac) == 0);
	CHECK_TEXT(net_mac_text(&arena, mac), "ae:bc:de:12:34:56");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(parse_mac(bad[i], mac) < 0);
}

static void test_long_names(void)
{
	const char *alternative = "untouched", *one, *two;
	char name[200];

	CHECK_TEXT(net_name(&arena, "ve-123456789012", &alternative), "ve-123456789012");
	CHECK(!alternative);
	one = net_name(&arena, "ve-1234567890123", &alternative);
	CHECK(strlen(one) == 15 && strncmp(one, "ve-12345678", 11) == 0);
	CHECK_TEXT(alternative, "ve-1234567890123");
	two = net_name(&arena, "ve-1234567890124", &alternative);
	CHECK(strlen(two) == 15 && strncmp(two, "ve-12345678", 11) == 0 && strcmp(one, two) != 0);
	/* Part of the interface: scripts and networkd know them. */
	CHECK_TEXT(one, net_name(&arena, "ve-1234567890123", &alternative));
	CHECK_TEXT(net_name(&arena, "ve-averyveryverylongname1", &alternative), "ve-averyverusPL");
	memset(name, 'n', sizeof(name));
	name[127] = '\0';
	CHECK(strlen(net_name(&arena, name, &alternative)) == 15 && alternative);
	name[127] = 'n';
	name[128] = '\0';
	CHECK(strlen(net_name(&arena, name, &alternative)) == 15 && !alternative);
}

static void plan(const struct config *config, const char *machine, uint8_t host,
		 struct net_plan *ret)
{
	const struct net_facts facts = {.host_id = {host}, .may_make_links = true};

	CHECK(net_plan_make(&arena, config, machine, &facts, ret) == 0);
}

static bool have_same_mac(const uint8_t *one, const uint8_t *two)
{
	return memcmp(one, two, LINK_MAC_BYTES) == 0;
}

/* The same each time; another one for each end, cable, machine and host. */
static void test_stable_addresses(void)
{
	struct link_request extra[] = {{"x", NULL}, {"y", "z"}};
	struct config config = {.network_veth = true, .network_veths_extra = {extra, 2, 2}};
	const uint8_t *seen[18];
	struct net_plan one, again, other, elsewhere;
	size_t count = 0;

	plan(&config, "web", 1, &one);
	plan(&config, "web", 1, &again);
	plan(&config, "web2", 1, &other);
	plan(&config, "web", 2, &elsewhere);
	CHECK(one.count == 3);
	for (size_t i = 0; i < one.count; i++) {
		CHECK(have_same_mac(one.items[i].host_mac, again.items[i].host_mac));
		CHECK(have_same_mac(one.items[i].inside_mac, again.items[i].inside_mac));
		seen[count++] = one.items[i].host_mac;
		seen[count++] = one.items[i].inside_mac;
		seen[count++] = other.items[i].host_mac;
		seen[count++] = other.items[i].inside_mac;
		seen[count++] = elsewhere.items[i].host_mac;
		seen[count++] = elsewhere.items[i].inside_mac;
	}
	for (size_t i = 0; i < count; i++) {
		CHECK((seen[i][0] & 3) == 2);
		for (size_t j = 0; j < i; j++)
			CHECK(!have_same_mac(seen[i], seen[j]));
	}
	CHECK_TEXT(one.items[2].host, "y");
	CHECK_TEXT(one.items[2].inside, "z");
	CHECK_TEXT(one.items[1].inside, "x");
}

/* The first cable is called as it always was; a number is in no machine's name. */
static void test_several_bridges(void)
{
	struct new_link_request bridges[] = {
		{.bridge = "br0"},
		{.bridge = "br1", .inside = "lan", .mac_is_set = true, .mac = {2, 0, 0, 0, 0, 9}},
		{.bridge = "br2"},
	};
	struct config config = {.network_bridges = {bridges, 3, 3}}, single = config;
	struct net_facts facts = {.host_id = {1}};
	struct net_plan several, one, assumed;
	size_t found = 0;

	single.network_bridges.count = 1;
	plan(&config, "web", 1, &several);
	plan(&single, "web", 1, &one);
	CHECK(several.count == 3 && one.count == 1);
	CHECK_TEXT(several.items[0].host, "vb-web");
	CHECK_TEXT(several.items[0].inside, "host0");
	CHECK_TEXT(several.items[1].host, "vb-web+1");
	CHECK_TEXT(several.items[1].inside, "lan");
	CHECK_TEXT(several.items[2].host, "vb-web+2");
	CHECK_TEXT(several.items[2].inside, "host2");
	CHECK(have_same_mac(several.items[0].host_mac, one.items[0].host_mac));
	CHECK(have_same_mac(several.items[0].inside_mac, one.items[0].inside_mac));
	CHECK(have_same_mac(several.items[1].inside_mac, bridges[1].mac));
	/* Whoever cleans up finds them by name and address alone. */
	net_plan_assume(&arena, "web", &facts, &assumed);
	CHECK(assumed.count == 2 * NET_CABLES_MAX);
	for (size_t i = 0; i < assumed.count; i++)
		for (size_t j = 0; j < several.count; j++)
			found +=
				strcmp(assumed.items[i].host, several.items[j].host) == 0 &&
				have_same_mac(assumed.items[i].host_mac, several.items[j].host_mac);
	CHECK(found == several.count);
}

static void check_refused(const struct config *config, const char *expected)
{
	const struct net_facts root = {.may_make_links = true}, nobody = {0};
	struct captured captured;
	struct net_plan ret;

	capture_start(&captured);
	CHECK(net_plan_make(&arena, config, "web", expected ? &root : &nobody, &ret) < 0);
	CHECK(strstr(captured.first, expected ? expected : "Only root"));
	log_set_sink(NULL, NULL);
}

static void test_refusals(void)
{
	struct link_request host0[] = {{"a", "host0"}}, ve[] = {{"ve-web", "b"}},
			    twice[] = {{"e", "f"}, {"e", "g"}}, same[] = {{"e", "f"}, {"h", "f"}};
	struct config config = {.network_veth = true, .network_interfaces = {host0, 1, 1}};

	check_refused(&config, "called 'host0'");
	config = (struct config){.network_veth = true, .network_veths_extra = {ve, 1, 1}};
	check_refused(&config, "'ve-web' of the host is there twice");
	config = (struct config){.network_interfaces = {twice, 2, 2}};
	check_refused(&config, "'e' of the host is there twice");
	config = (struct config){.network_macvlans = {same, 2, 2}};
	check_refused(&config, "called 'f'");
	config = (struct config){.network_zone = "z"};
	check_refused(&config, NULL);
}

/* --- Messages --- */

/* Of a bridge, what it does with VLANs; of other kinds the same number is something else. */
static void test_vlan_filtering(void)
{
	static const struct {
		const char *kind;
		int filters; /* -1: not said */
		enum link_vlans expected;
	} cases[] = {
		{"bridge", 1, LINK_VLANS_FILTERED},
		{"bridge", 0, LINK_VLANS_IGNORED},
		{"bridge", -1, LINK_VLANS_UNKNOWN},
		{"other", 1, LINK_VLANS_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct ifinfomsg head = {.ifi_index = 7};
		const uint8_t value = cases[i].filters == 1;
		struct netlink_message message;
		struct netlink_rest body;
		struct link link;
		size_t info, data;

		netlink_begin(&message, RTM_NEWLINK, 0, &head);
		netlink_put_text(&message, IFLA_IFNAME, "br0");
		info = netlink_open(&message, IFLA_LINKINFO);
		netlink_put_text(&message, IFLA_INFO_KIND, cases[i].kind);
		data = netlink_open(&message, IFLA_INFO_DATA);
		if (cases[i].filters >= 0)
			netlink_put(&message, IFLA_BR_VLAN_FILTERING, &value, sizeof(value));
		netlink_close(&message, data);
		netlink_close(&message, info);
		body = (struct netlink_rest){message.bytes + sizeof(struct nlmsghdr),
					     message.length - sizeof(struct nlmsghdr)};
		CHECK(link_parse(&body, NULL, &link) && link.vlans == cases[i].expected);
	}
}

static void make_link(struct netlink_message *message)
{
	const struct ifinfomsg body = {.ifi_index = 7, .ifi_flags = 1};
	size_t info, list;

	netlink_begin(message, RTM_NEWLINK, 0, &body);
	netlink_put_text(message, IFLA_IFNAME, "ve-web");
	netlink_put_u32(message, IFLA_MASTER, 3);
	netlink_put(message, IFLA_ADDRESS, "\1\2\3\4\5\6", 6);
	info = netlink_open(message, IFLA_LINKINFO);
	netlink_put_text(message, IFLA_INFO_KIND, "veth");
	netlink_close(message, info);
	list = netlink_open(message, IFLA_PROP_LIST);
	netlink_put_text(message, IFLA_ALT_IFNAME, "first");
	netlink_put_text(message, IFLA_ALT_IFNAME, "second");
	netlink_close(message, list);
}

static void test_round_trip(void)
{
	struct netlink_message message;
	struct netlink_rest body;
	struct link link;

	make_link(&message);
	CHECK(!message.is_full);
	body = (struct netlink_rest){message.bytes + sizeof(struct nlmsghdr),
				     message.length - sizeof(struct nlmsghdr)};
	CHECK(link_parse(&body, "second", &link));
	CHECK(link.index == 7 && link.flags == 1 && link.master == 3 && link.has_mac &&
	      link.is_also);
	CHECK_TEXT(link.name, "ve-web");
	CHECK_TEXT(link.kind, "veth");
	CHECK(link_parse(&body, "third", &link) && !link.is_also);
	CHECK(link_parse(&body, NULL, &link) && !link.is_also);
}

/* An interface and a family of generic netlink, which have the same head. */
static struct netlink_rest begin_generic(struct netlink_message *message)
{
	const struct genlmsghdr head = {.version = 1};

	netlink_begin_with(message, GENL_MIN_ID, 0, &head, sizeof(head));
	return (struct netlink_rest){message->bytes + sizeof(struct nlmsghdr), 0};
}

static void test_wireless(void)
{
	const uint64_t id = UINT64_C(0x300000002);
	struct netlink_message message;
	struct netlink_rest body = begin_generic(&message);
	struct wireless found = {.id = 1};

	netlink_put_u32(&message, NL80211_ATTR_IFINDEX, 9);
	netlink_put(&message, NL80211_ATTR_WDEV, &id, sizeof(id));
	body.length = message.length - sizeof(struct nlmsghdr);
	CHECK(!wireless_parse(&body, &found) && found.id == 1);
	netlink_put_u32(&message, NL80211_ATTR_WIPHY, 0);
	for (body.length = 0; body.length < message.length - sizeof(struct nlmsghdr); body.length++)
		CHECK(!wireless_parse(&body, &found));
	CHECK(wireless_parse(&body, &found) && found.id == id && found.radio == 0 &&
	      found.index == 9);
}

static void test_wireless_family(void)
{
	static const struct {
		const char *name;
		uint16_t number;
		bool is_it;
	} cases[] = {
		{"nl80211", 28, true}, {"nl80211", 0, false},   {"nl80211", 3, false},
		{"nlctrl", 16, false}, {"nl80211x", 28, false}, {NULL, 28, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct netlink_message message;
		struct netlink_rest body = begin_generic(&message);
		uint16_t number = 0;

		if (cases[i].name)
			netlink_put_text(&message, CTRL_ATTR_FAMILY_NAME, cases[i].name);
		netlink_put(&message, CTRL_ATTR_FAMILY_ID, &cases[i].number, 2);
		body.length = message.length - sizeof(struct nlmsghdr);
		CHECK(wireless_parse_family(&body, &number) == cases[i].is_it);
		CHECK(number == (cases[i].is_it ? cases[i].number : 0));
	}
}

/* Cut anywhere, and with any one byte changed: never read past the end (sanitizers look). */
static void test_damage(void)
{
	struct netlink_message message;
	struct link link;

	make_link(&message);
	for (size_t length = 0; length <= message.length; length++) {
		uint8_t *copy = malloc(length + 1);
		struct netlink_rest body = {copy, length}, inside;
		struct nlmsghdr header;

		memcpy(copy, message.bytes, length);
		(void)link_parse(&body, "second", &link);
		while (netlink_next_message(&body, &header, &inside))
			(void)link_parse(&inside, "second", &link);
		free(copy);
	}
	for (size_t i = 0; i < message.length; i++)
		for (unsigned int value = 0; value < 256; value += 51) {
			uint8_t *copy = malloc(message.length);
			struct netlink_rest body = {copy, message.length};

			memcpy(copy, message.bytes, message.length);
			copy[i] = (uint8_t)value;
			(void)link_parse(&body, "second", &link);
			free(copy);
		}
}

static void test_full(void)
{
	const struct ifinfomsg body = {0};
	struct netlink_message message;
	char text[512];
	size_t opened;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	netlink_begin(&message, RTM_NEWLINK, 0, &body);
	opened = netlink_open(&message, IFLA_LINKINFO);
	for (int i = 0; i < 5; i++)
		netlink_put_text(&message, IFLA_IFNAME, text);
	netlink_close(&message, opened);
	CHECK(message.is_full && message.length <= sizeof(message.bytes));
	netlink_begin(&message, RTM_NEWLINK, 0, &body);
	netlink_put(&message, IFLA_IFNAME, text, (size_t)100 * 1024);
	CHECK(message.is_full);
}

int main(void)
{
	test_hash();
	test_link_names();
	test_addresses();
	test_long_names();
	test_stable_addresses();
	test_several_bridges();
	test_refusals();
	test_round_trip();
	test_vlan_filtering();
	test_wireless();
	test_wireless_family();
	test_damage();
	test_full();
	arena_done(&arena);
	return check_result();
}
