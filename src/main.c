/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts the program: standard descriptors, then the verb.
 * Zone: free.
 */
#include <stdlib.h>

#include "host/host.h"
#include "run/run.h"

int main(int argc, char **argv)
{
	if (host_fill_standard_fds() < 0)
		return EXIT_FAILURE; /* nowhere to say why */
	return run_machine(argc, argv);
}
