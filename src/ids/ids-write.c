/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has the maps written by whom ids_decide() found to have the right to.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "ids/ids.h"
#include "ids/single.h"

int ids_write(const struct ids *ids, const struct ids_facts *facts, pid_t pid)
{
	int r;

	if (ids->writer == IDS_WRITER_PROGRAMS)
		return newidmap_write(facts->programs, pid, &ids->maps);
	r = ids->writer == IDS_WRITER_SINGLE ? ids_write_single(AT_FDCWD, pid, &ids->maps)
					     : id_maps_write(pid, &ids->maps);
	if (r == -EPERM && facts->restriction == NULL && !facts->may_map)
		return restriction_explain(r, true);
	return r < 0 ? fail(r, "Cannot map the ids of the machine to those from %u on", ids->shift)
		     : 0;
}
