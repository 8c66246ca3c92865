/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nl80211 wants for a radio that moves.
 * Zone: owing. Needs CAP_NET_ADMIN in each network namespace that is touched.
 */
#include "net/wireless.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nl80211.h>
#include <sched.h>
#include <string.h>

#include "base/scope.h"

/* --- Taken apart --- */

bool wireless_parse_family(const struct netlink_rest *body, uint16_t *ret)
{
	struct netlink_attribute attribute;
	char name[GENL_NAMSIZ] = "";
	struct netlink_rest rest;
	uint16_t number = 0;

	if (!netlink_take_head(body, NULL, GENL_HDRLEN, &rest))
		return false;
	while (netlink_next(&rest, &attribute))
		if (attribute.type == CTRL_ATTR_FAMILY_NAME)
			(void)netlink_text(&attribute, name, sizeof(name));
		else if (attribute.type == CTRL_ATTR_FAMILY_ID &&
			 attribute.length == sizeof(number))
			memcpy(&number, attribute.bytes, sizeof(number));
	if (strcmp(name, NL80211_GENL_NAME) != 0 || number < GENL_MIN_ID)
		return false;
	*ret = number;
	return true;
}

bool wireless_parse(const struct netlink_rest *body, struct wireless *ret)
{
	struct netlink_attribute attribute;
	struct wireless found = {0};
	struct netlink_rest rest;
	bool has_radio = false;
	uint32_t index;

	if (!netlink_take_head(body, NULL, GENL_HDRLEN, &rest))
		return false;
	while (netlink_next(&rest, &attribute))
		if (attribute.type == NL80211_ATTR_WDEV && attribute.length == sizeof(found.id))
			memcpy(&found.id, attribute.bytes, sizeof(found.id));
		else if (attribute.type == NL80211_ATTR_WIPHY)
			has_radio = netlink_u32(&attribute, &found.radio);
		else if (attribute.type == NL80211_ATTR_IFINDEX && netlink_u32(&attribute, &index))
			found.index = (int)index;
	if (found.id == 0 || !has_radio || found.index < 0)
		return false;
	*ret = found;
	return true;
}

/* --- Asked --- */

static void begin(struct netlink_message *message, uint16_t family, uint16_t flags, uint8_t command)
{
	const struct genlmsghdr head = {.cmd = command};

	netlink_begin_with(message, family, flags, &head, sizeof(head));
}

static int take_family(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	(void)type;
	(void)wireless_parse_family(body, userdata);
	return 0;
}

/* All of them: asked for one by name that it has not, the kernel loads modules. */
static int find_family(struct wireless_socket *socket)
{
	struct netlink_message message;

	begin(&message, GENL_ID_CTRL, NLM_F_DUMP, CTRL_CMD_GETFAMILY);
	TRY(netlink_call(&socket->netlink, &message, take_family, &socket->family));
	return socket->family ? 0 : -ENOENT;
}

int wireless_open(int namespace_fd, int home_fd, struct wireless_socket *ret)
{
	struct wireless_socket socket = WIRELESS_CLOSED;
	int r;

	if (setns(namespace_fd, CLONE_NEWNET) < 0)
		return -errno;
	r = netlink_socket_open_for(NETLINK_GENERIC, &socket.netlink);
	if (setns(home_fd, CLONE_NEWNET) < 0)
		r = -errno;
	r = r < 0 ? r : find_family(&socket);
	if (r < 0)
		wireless_close(&socket);
	else
		*ret = socket;
	return r;
}

void wireless_close(struct wireless_socket *socket)
{
	netlink_socket_close(&socket->netlink);
}

static int take_interface(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	(void)type;
	(void)wireless_parse(body, userdata);
	return 0;
}

static int find(struct wireless_socket *socket, struct netlink_message *message,
		struct wireless *ret)
{
	struct wireless found = {0};

	TRY(netlink_call(&socket->netlink, message, take_interface, &found));
	if (found.id == 0)
		return -ENODEV;
	*ret = found;
	return 0;
}

int wireless_find(struct wireless_socket *socket, int index, struct wireless *ret)
{
	struct netlink_message message;

	begin(&message, socket->family, 0, NL80211_CMD_GET_INTERFACE);
	netlink_put_u32(&message, NL80211_ATTR_IFINDEX, (uint32_t)index);
	return find(socket, &message, ret);
}

int wireless_find_id(struct wireless_socket *socket, uint64_t id, struct wireless *ret)
{
	struct netlink_message message;

	begin(&message, socket->family, 0, NL80211_CMD_GET_INTERFACE);
	netlink_put(&message, NL80211_ATTR_WDEV, &id, sizeof(id));
	return find(socket, &message, ret);
}

static int take_newest(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct wireless *newest = userdata, found;

	(void)type;
	if (wireless_parse(body, &found) && found.radio == newest->radio && found.id > newest->id)
		newest->id = found.id;
	return 0;
}

int wireless_newest(struct wireless_socket *socket, uint32_t radio, uint64_t *ret)
{
	struct wireless newest = {.radio = radio};
	struct netlink_message message;

	begin(&message, socket->family, NLM_F_DUMP, NL80211_CMD_GET_INTERFACE);
	TRY(netlink_call(&socket->netlink, &message, take_newest, &newest));
	*ret = newest.id;
	return 0;
}

int wireless_remove(struct wireless_socket *socket, uint64_t id)
{
	struct netlink_message message;

	begin(&message, socket->family, 0, NL80211_CMD_DEL_INTERFACE);
	netlink_put(&message, NL80211_ATTR_WDEV, &id, sizeof(id));
	return netlink_call(&socket->netlink, &message, NULL, NULL);
}

int wireless_move(struct wireless_socket *socket, uint32_t radio, int namespace_fd)
{
	struct netlink_message message;

	begin(&message, socket->family, 0, NL80211_CMD_SET_WIPHY_NETNS);
	netlink_put_u32(&message, NL80211_ATTR_WIPHY, radio);
	netlink_put_u32(&message, NL80211_ATTR_NETNS_FD, (uint32_t)namespace_fd);
	return netlink_call(&socket->netlink, &message, NULL, NULL);
}
