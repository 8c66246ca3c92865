/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits on a pidfd while the machine runs, and looks at the registry after that.
 * Zone: free.
 */
#include "control/await.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/output.h"

#define PATIENCE_USEC (UINT64_C(2) * 1000000) /* until the user hears what is waited for */
#define LOOK_AGAIN_MSEC 20

/* Between "did not" and "within", and between "to" and the end. */
static const char *const deeds[_AWAIT_COUNT] = {
	[AWAIT_END] = "end",
	[AWAIT_REBOOT] = "reboot",
};

enum stage {
	STAGE_SAME, /* nothing has happened yet */
	STAGE_ANEW, /* its supervisor has started it again */
	STAGE_GONE,
};

static void sleep_msec(long msec)
{
	const struct timespec time = {.tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000};

	(void)nanosleep(&time, NULL);
}

static enum stage look_at_ours(struct machines *machines, const struct machine_view *machine)
{
	auto_arena struct arena arena = {0};
	struct registry_entry *entries;
	size_t count;

	if (registry_list(&arena, machines->places, &entries, &count) < 0)
		return STAGE_GONE;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(entries[i].machine, machine->name) != 0)
			continue;
		if (entries[i].supervisor != machine->entry.supervisor)
			return STAGE_GONE; /* whoever has the name now */
		return entries[i].leader == machine->entry.leader &&
				       entries[i].started_usec == machine->entry.started_usec
			       ? STAGE_SAME
			       : STAGE_ANEW;
	}
	return STAGE_GONE;
}

static enum stage look(struct machines *machines, const struct machine_view *machine)
{
	auto_arena struct arena arena = {0};
	const char *path;

	if (machine->is_ours)
		return look_at_ours(machines, machine);
	return machined_find(&arena, &machines->bus, machine->name, &path) == 0 ? STAGE_SAME
										: STAGE_GONE;
}

/* As long as the leader lives nothing else need be looked at. */
static void pass_time(const struct machine_view *machine, uint64_t usec)
{
	struct pollfd end = {.fd = machine->pidfd, .events = POLLIN};
	int msec = (int)((usec < PATIENCE_USEC ? usec : PATIENCE_USEC) / 1000) + 1;

	if (machine->pidfd < 0 || poll(&end, 1, msec) != 0)
		sleep_msec(machine->is_ours ? LOOK_AGAIN_MSEC : LOOK_AGAIN_MSEC * 5);
}

static int await_one(struct machines *machines, const struct machine_view *machine, enum await what,
		     uint64_t begin_usec, uint64_t timeout_usec)
{
	enum stage stage = look(machines, machine);
	uint64_t passed = 0;
	bool is_told = false;

	while (stage == STAGE_SAME && passed < timeout_usec) {
		if (!is_told && passed >= PATIENCE_USEC) {
			note("Waiting for machine '%s' to %s", machine->name, deeds[what]);
			is_told = true;
		}
		pass_time(machine, timeout_usec - passed);
		stage = look(machines, machine);
		passed = clock_now_usec() - begin_usec;
	}
	if (stage == STAGE_SAME) {
		(void)refuse(ETIMEDOUT, "Machine '%s' did not %s within %s", machine->name,
			     deeds[what], output_span(machines->arena, timeout_usec));
		hint("'nspawn terminate %s' kills it", machine->name);
		return -ETIMEDOUT;
	}
	if (stage == STAGE_ANEW && what == AWAIT_END)
		return refuse(ECANCELED, "Machine '%s' has rebooted instead of ending",
			      machine->name);
	return 0;
}

int await_machines(struct machines *machines, enum await what, uint64_t timeout_usec)
{
	uint64_t begin_usec = clock_now_usec();
	int result = 0;

	for (size_t i = 0; i < machines->count; i++) {
		struct machine_view *machine = &machines->items[i];

		if (machine->is_host || machine->result < 0)
			continue;
		machine->result = await_one(machines, machine, what, begin_usec, timeout_usec);
		result = machine->result < 0 ? machine->result : result;
	}
	return result;
}
