/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * To watch files costs a command that is over at once more, in the kernel, than it gains: watching
 * begins a little later, and what has changed until then is seen then.
 * Zone: owing. What touches the machine's files runs in a short-lived child.
 */
#include "run/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "mount/host-files-later.h"
#include "net/resolvers.h"
#include "run/errand.h"
#include "run/launch.h"

#define BEGIN_USEC UINT64_C(250000)

struct telling {
	int place_fd;
	uid_t owner;
	const char *told, *text;
};

/* In a child, as the machine's own root: more than that cannot be asked of us. */
static int tell(const void *argument)
{
	const struct telling *telling = argument;

	TRY(host_files_become(telling->owner));
	return host_files_tell(telling->place_fd, "resolv.conf", telling->told, telling->text);
}

static int take_back(const void *argument)
{
	const struct telling *telling = argument;

	TRY(host_files_become(telling->owner));
	return host_files_take_back(telling->place_fd, "hosts", NET_HOSTS_MARK);
}

static struct telling of_machine(const struct machine *machine)
{
	return (struct telling){.place_fd = machine->names_fd, .owner = machine->plan->ids.shift};
}

void names_begin(struct names *names, const struct machine *machine)
{
	const char *text = machine->plan->net.setup.resolv_conf;

	*names = (struct names){.machine = machine, .watch_fd = -EBADF, .next_usec = CLOCK_NEVER};
	if (machine->names_fd < 0 || !text || machine->plan->config->resolv_conf != HOW_AUTO)
		return;
	names->told = strdup(text);
	if (names->told)
		names->next_usec = clock_now_usec() + BEGIN_USEC;
}

void names_end(struct names *names)
{
	scope_close(&names->watch_fd);
	names->watch_fd = -EBADF;
	names->next_usec = CLOCK_NEVER;
	free(names->told);
	names->told = NULL;
}

/* What has no server that can be reached is no news: the machine keeps what it has. */
static void look(struct names *names)
{
	struct telling telling = of_machine(names->machine);
	auto_arena struct arena arena = {0};
	struct strings servers;
	int r;

	telling.told = names->told;
	telling.text = resolvers_read(&arena, names->watch_fd, &servers);
	if (!telling.text || strcmp(telling.text, telling.told) == 0)
		return;
	r = errand_run(ERRAND_OWN, tell, &telling);
	if (r == -ESTALE) {
		debug("The machine has a resolv.conf of its own, leaving it alone from here on");
		names_end(names);
	} else if (r < 0) {
		warn(r,
		     "Cannot tell machine '%s' of the host's new name servers, leaving it those "
		     "that it has",
		     names->machine->plan->machine);
	} else {
		free(names->told);
		names->told = strdup(telling.text);
		if (!names->told)
			names_end(names);
	}
}

void names_work(struct names *names)
{
	names->next_usec = CLOCK_NEVER;
	if (names->watch_fd >= 0)
		resolvers_drain(names->watch_fd);
	else
		names->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (names->watch_fd < 0)
		warn(-errno, "Cannot watch the host's resolv.conf, leaving the machine's as it is");
	else
		look(names);
}

void names_take_back(const struct machine *machine)
{
	const struct plan *plan = machine->plan;
	const struct telling telling = of_machine(machine);
	int r;

	/* What is thrown away may keep them, and what is mounted has gone. */
	if (machine->names_fd < 0 || !plan->net.setup.hosts || plan->config->ephemeral)
		return;
	r = errand_run(ERRAND_SHARED, take_back, &telling);
	if (r < 0 && r != -ESTALE && r != -EISDIR && r != -ENOTDIR && r != -EROFS)
		warn(r, "Cannot take our lines out of '/etc/hosts' of the tree, leaving them");
}
