/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shift_tree() as a program: SHIFT DIRECTORY. Exits with 0, or with 1 after a complaint. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "ids/shift.h"

int main(int argc, char **argv)
{
	const struct shift_request request = {.path = argc == 3 ? argv[2] : ""};
	int fd = argc == 3 ? open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 2;
	return shift_tree(fd, (uint32_t)strtoul(argv[1], NULL, 0), &request) < 0 ? 1 : 0;
}
