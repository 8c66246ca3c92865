/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts the program: standard descriptors, then the verb, or without one a machine.
 * Zone: free.
 */
#include <stdlib.h>

#include "base/log.h"
#include "host/host.h"
#include "run/run.h"
#include "verbs.h"

int main(int argc, char **argv)
{
	const struct verb *verb = verb_find(argc, argv);
	int status;

	if (host_fill_standard_fds() < 0)
		return EXIT_FAILURE; /* nowhere to say why */
	if (host_check_rights() < 0) {
		log_flush();
		return EXIT_FAILURE;
	}
	status = verb ? verb_run(verb, argc, argv) : run_machine(argc, argv);
	log_flush();
	return status;
}
