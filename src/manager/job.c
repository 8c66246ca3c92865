/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hears of the ends of jobs.
 * Zone: any.
 */
#include "manager/job.h"

#include <string.h>

#include "base/scope.h"

/* "u id, o job, s unit, s result" */
int job_await(struct bus *bus, const char *job, const char **ret_result)
{
	for (;;) {
		const char *path, *unit, *result;
		struct bus_message message;
		uint32_t id;

		TRY(bus_next(bus, &message));
		if (message.type != BUS_SIGNAL || strcmp(message.member, "JobRemoved") != 0 ||
		    strcmp(message.signature, "uoss") != 0)
			continue;
		TRY(bus_get_u32(&message.body, &id));
		TRY(bus_get_text(&message.body, &path));
		TRY(bus_get_text(&message.body, &unit));
		TRY(bus_get_text(&message.body, &result));
		if (strcmp(path, job) == 0) {
			*ret_result = result;
			return 0;
		}
	}
}
