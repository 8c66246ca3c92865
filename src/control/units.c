/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What start, enable and disable share: the manager, and the jobs that it is asked for.
 * Zone: free.
 */
#include "control/units.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "manager/manager.h"
#include "manager/unit.h"

int units_check_names(const struct strings *machines)
{
	for (size_t i = 0; i < machines->count; i++)
		if (!text_is_hostname(machines->items[i]))
			return refuse(EINVAL, "'%s' cannot be the name of a machine",
				      machines->items[i]);
	return 0;
}

int units_open(struct arena *arena, const struct places *places, struct bus *bus)
{
	const struct manager_place place = {
		.is_user = places->is_user,
		.runtime = places->runtime,
	};

	if (!manager_is_there(places->is_user) || manager_open(arena, &place, bus) < 0)
		return -ENOENT;
	return unit_listen(bus);
}

/* How systemd.exec(5) and org.freedesktop.systemd1(5) call the ends of services and of jobs. */
static const char *explain(const char *why)
{
	static const struct {
		const char *word, *text;
	} words[] = {
		{"exit-code", "nspawn could not start it"},
		{"timeout", "it was not ready in time"},
		{"watchdog", "nspawn did not answer any more"},
		{"signal", "nspawn was killed"},
		{"core-dump", "nspawn crashed"},
		{"protocol", "nspawn ended before the machine was ready"},
		{"resources", "the service manager had no means left"},
		{"start-limit-hit", "it was tried too often"},
		{"oom-kill", "memory was short"},
		{"dependency", "something that it needs did not start"},
		{"canceled", "it was cancelled"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(why, words[i].word) == 0)
			return words[i].text;
	return *why ? why : "the service manager does not say why";
}

int units_start(struct arena *arena, struct bus *bus, const struct strings *machines, bool is_user)
{
	int result = 0;

	for (size_t i = 0; i < machines->count; i++) {
		const char *machine = machines->items[i], *why = "";
		int r = unit_start(arena, bus, unit_of_machine(arena, machine), &why);

		if (r == 0)
			continue;
		result = r;
		if (r == -EREMOTEIO)
			(void)refuse(EIO, "The service manager does not start machine '%s': %s",
				     machine, why);
		else if (r == -ECANCELED)
			(void)refuse(EIO, "Machine '%s' did not start: %s", machine, explain(why));
		else
			return fail(r, "The service manager does not say whether machine '%s' runs",
				    machine);
		if (r == -ECANCELED)
			hint("See 'journalctl %s-n 20 -u nspawn@%s'", is_user ? "--user " : "",
			     machine);
	}
	return result;
}

int units_stop(struct arena *arena, struct bus *bus, const struct strings *machines)
{
	int result = 0;

	for (size_t i = 0; i < machines->count; i++) {
		const char *machine = machines->items[i], *why = "";
		int r = unit_stop(arena, bus, unit_of_machine(arena, machine), &why);

		/* A unit that is not even loaded does not run. */
		if (r == 0 || (r == -EREMOTEIO && strstr(why, "not loaded")))
			continue;
		result = r;
		if (r == -EREMOTEIO || r == -ECANCELED)
			(void)refuse(EIO, "The service manager does not stop machine '%s': %s",
				     machine, explain(why));
		else
			return fail(r, "The service manager does not say whether machine '%s' runs",
				    machine);
	}
	return result;
}
