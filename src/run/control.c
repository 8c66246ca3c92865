/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accepts clients, hears them and lets them go.
 * Zone: owing, in the supervisor.
 */
#include "run/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "run/launch.h"

/* One turn of the supervisor's loop hears this much; the rest is still there in the next. */
#define EVENTS_MAX 32

/* What epoll's data says: streams of the console are their descriptor alone. */
#define OF_LISTENER (UINT64_C(1) << 32)
#define OF_CLIENT (UINT64_C(2) << 32)

/* --- The socket --- */

/* The directory may have a longer path than a socket's name has room for. */
static int listen_in(const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int directory_fd = -EBADF;
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET,
			      directory);

	if (fd < 0)
		return -errno;
	if (length >= (int)sizeof(address.sun_path)) {
		directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (directory_fd < 0)
			return -errno;
		(void)snprintf(address.sun_path, sizeof(address.sun_path),
			       "/proc/self/fd/%d/" CONTROL_SOCKET, directory_fd);
	}
	/* bind(2) gives the name the mode of the socket. */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	return steal_fd(fd);
}

void control_open(struct control *control, const char *directory, const char *uuid)
{
	if (control->listen_fd >= 0 || !directory)
		return;
	control->directory = directory;
	(void)snprintf(control->guid, sizeof(control->guid), "%s", uuid);
	control->listen_fd = listen_in(directory);
	if (control->listen_fd < 0)
		warn(control->listen_fd,
		     "Cannot listen in '%s', so that only signals control this machine", directory);
}

static int add(struct control *control, int fd, uint64_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = what | (uint32_t)fd};

	return epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* With the first client; until then the socket alone is waited for. */
static int begin_watching(struct control *control)
{
	if (control->epoll_fd >= 0)
		return 0;
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (control->epoll_fd < 0)
		return -errno;
	control->share.epoll_fd = control->epoll_fd;
	return add(control, control->listen_fd, OF_LISTENER);
}

/* --- Clients --- */

static void let_go(struct control *control, size_t i)
{
	struct control_client *client = control->clients[i];

	bus_peer_end(&client->peer);
	free(client);
	control->clients[i] = control->clients[--control->count];
}

/* For one that comes, the one that said nothing for the longest time goes; not who waits. */
static bool make_way(struct control *control)
{
	size_t idlest = control->count;

	for (size_t i = 0; i < control->count; i++)
		if (control->clients[i]->wait_count == 0 &&
		    (idlest == control->count ||
		     control->clients[i]->heard < control->clients[idlest]->heard))
			idlest = i;
	if (idlest == control->count)
		return false;
	debug("A client that says nothing makes way for another");
	let_go(control, idlest);
	return true;
}

/* Root, and who runs the machine. The kernel says who that is, as of when it connected. */
static bool is_allowed(int fd)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
	       (credentials.uid == 0 || credentials.uid == geteuid());
}

static void welcome(struct control *control, int accepted)
{
	auto_close int fd = accepted;
	struct control_client *client;

	if (!is_allowed(fd)) {
		debug("A client of another user is turned away");
		return;
	}
	if (control->count == CONTROL_CLIENTS_MAX && !make_way(control))
		return;
	client = calloc(1, sizeof(*client));
	if (!client || begin_watching(control) < 0 || add(control, fd, OF_CLIENT) < 0) {
		free(client);
		return;
	}
	bus_peer_begin(&client->peer, steal_fd(fd), control->guid);
	client->heard = ++control->clock;
	control->clients[control->count++] = client;
}

/*
 * Without descriptors left for another client poll(2) would report it for ever: then nobody else is
 * let in.
 */
static void accept_client(struct control *control)
{
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		welcome(control, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		if (make_way(control))
			return;
		warn(-errno, "Cannot accept another client, listening to no more of them");
		scope_close(&control->listen_fd);
		control->listen_fd = -EBADF;
	}
}

static int hear(struct control *control, struct control_client *client)
{
	struct bus_message call;
	int r = bus_peer_receive(&client->peer);

	if (r == -EAGAIN)
		return 0;
	TRY(r);
	client->heard = ++control->clock;
	while ((r = bus_peer_next(&client->peer, &call)) > 0)
		TRY(control_answer(control, client, &call));
	return r;
}

/* What it does not take at once waits for it, and it is not heard before it has read that. */
static int speak(struct control *control, struct control_client *client)
{
	struct epoll_event event = {
		.events = EPOLLIN,
		.data.u64 = OF_CLIENT | (uint32_t)client->peer.fd,
	};
	bool has_more;

	TRY(bus_peer_flush(&client->peer));
	has_more = bus_peer_has_output(&client->peer);
	if (has_more == client->is_written_to)
		return 0;
	client->is_written_to = has_more;
	if (has_more)
		event.events = EPOLLOUT;
	return epoll_ctl(control->epoll_fd, EPOLL_CTL_MOD, client->peer.fd, &event) < 0 ? -errno
											: 0;
}

static void attend(struct control *control, int fd)
{
	for (size_t i = 0; i < control->count; i++) {
		struct control_client *client = control->clients[i];
		int r;

		if (client->peer.fd != fd)
			continue;
		r = client->is_written_to ? 0 : hear(control, client);
		if (r == 0)
			r = speak(control, client);
		if (r < 0)
			let_go(control, i);
		return;
	}
}

/* --- The supervisor's loop --- */

int control_fd(struct control *control, struct machine *machine)
{
	if (control->epoll_fd < 0)
		return control->listen_fd;
	console_share_prepare(&control->share, machine ? &machine->console : NULL);
	return control->epoll_fd;
}

unsigned int control_dispatch(struct control *control, struct machine *machine)
{
	struct epoll_event event;
	unsigned int requests;

	control->machine = machine;
	if (control->epoll_fd < 0)
		accept_client(control);
	/* One by one: what is done about the first may end the second, and reuse its number. */
	for (int i = 0; i < EVENTS_MAX && control->epoll_fd >= 0 &&
			epoll_wait(control->epoll_fd, &event, 1, 0) == 1;
	     i++) {
		int fd = (int)(uint32_t)event.data.u64;

		if (event.data.u64 & OF_LISTENER)
			accept_client(control);
		else if (event.data.u64 & OF_CLIENT)
			attend(control, fd);
		else
			console_share_dispatch(&control->share, fd,
					       machine ? &machine->console : NULL);
		console_share_prepare(&control->share, machine ? &machine->console : NULL);
	}
	requests = control->requests;
	control->requests = 0;
	return requests;
}

/* --- What others wait for --- */

struct news {
	bool is_end;
	const char *result;
	int status;
};

/* An end is news for all. */
static int tell_client(struct control *control, struct control_client *client,
		       const struct news *news)
{
	size_t left = 0;

	for (size_t i = 0; i < client->wait_count; i++) {
		const struct control_wait *wait = &client->waits[i];

		if (wait->is_for_end && !news->is_end)
			client->waits[left++] = *wait;
		else
			TRY(control_answer_wait(client, wait->serial, news->result, news->status));
	}
	client->wait_count = left;
	return speak(control, client);
}

static void tell_all(struct control *control, const struct news *news)
{
	for (size_t i = control->count; i-- > 0;)
		if (tell_client(control, control->clients[i], news) < 0)
			let_go(control, i);
}

void control_tell_ready(struct control *control)
{
	tell_all(control, &(const struct news){.result = "ready"});
}

void control_tell_end(struct control *control, const char *result, int status)
{
	tell_all(control, &(const struct news){true, result, status});
}

void control_close(void *argument)
{
	struct control *control = argument;
	auto_free char *path = NULL;

	if (control->listen_fd >= 0 &&
	    asprintf(&path, "%s/" CONTROL_SOCKET, control->directory) >= 0)
		(void)unlink(path);
	while (control->count > 0)
		let_go(control, control->count - 1);
	console_share_end(&control->share);
	scope_close(&control->listen_fd);
	scope_close(&control->epoll_fd);
	*control = CONTROL_NONE;
}
