/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The line of a machine in its lock file: whatever is there, it is read or not; and what was read
 * is written and read the same.
 */
#include "host/registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/locks.h"
#include "host/places.h"

#define MACHINE "fuzzed"

static char folder[] = "/tmp/fuzz-registry-XXXXXX";
static char file[sizeof(folder) + sizeof("/" MACHINE "/" LOCKS_NAME_FILE)];

/* In the place of libc's: a line that makes no sense is not about to. */
int nanosleep(const struct timespec *span, struct timespec *ret)
{
	(void)span, (void)ret;
	return 0;
}

static void leave(void)
{
	(void)unlink(file);
	*strrchr(file, '/') = '\0';
	(void)rmdir(file);
	(void)rmdir(folder);
}

static void arrive(void)
{
	if (*file)
		return;
	MUST(mkdtemp(folder));
	(void)snprintf(file, sizeof(file), "%s/" MACHINE, folder);
	MUST(mkdir(file, 0700) == 0);
	(void)snprintf(file, sizeof(file), "%s/" MACHINE "/" LOCKS_NAME_FILE, folder);
	MUST(atexit(leave) == 0);
}

static void must_be_same(const char *a, const char *b)
{
	MUST(a == b || (a && b && strcmp(a, b) == 0));
}

static void compare(const struct registry_entry *a, const struct registry_entry *b)
{
	must_be_same(a->machine, b->machine);
	must_be_same(a->tree, b->tree);
	must_be_same(a->changes, b->changes);
	must_be_same(a->uuid, b->uuid);
	must_be_same(a->service, b->service);
	must_be_same(a->start, b->start);
	must_be_same(a->init, b->init);
	must_be_same(a->unit, b->unit);
	must_be_same(a->cgroup, b->cgroup);
	must_be_same(a->filter, b->filter);
	must_be_same(a->status, b->status);
	MUST(a->leader == b->leader && a->supervisor == b->supervisor && a->kind == b->kind);
	MUST(a->tree_inode == b->tree_inode);
	MUST(a->owners_from == b->owners_from && a->shift == b->shift);
	MUST(a->caps_bounding == b->caps_bounding && a->caps_ambient == b->caps_ambient);
	MUST(a->is_ready == b->is_ready && a->has_own_network == b->has_own_network);
	MUST(a->interfaces.count == b->interfaces.count);
	for (size_t i = 0; i < a->interfaces.count; i++)
		MUST(a->interfaces.items[i] == b->interfaces.items[i]);
	MUST(a->ports.count == b->ports.count && a->host_ports.count == b->host_ports.count);
	MUST(a->environment.count == b->environment.count);
	for (size_t i = 0; i < a->environment.count; i++)
		must_be_same(a->environment.items[i], b->environment.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct places places = {0};
	struct registry_entry entry, again;
	struct arena arena = {0};
	struct locks locks = {0};
	int fd, r;

	arrive();
	places.machines = folder;
	fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	r = registry_read_left(&arena, &places, MACHINE, &entry);
	MUST(r <= 0);
	if (r == 0) {
		MUST(entry.leader > 0 && entry.supervisor > 0);
		MUST(entry.machine && entry.tree && entry.uuid && entry.service && entry.start);
		locks.items[0].fd = fd;
		locks.name = &locks.items[0];
		MUST(registry_write(&locks, &entry) == 0);
		MUST(registry_read_left(&arena, &places, MACHINE, &again) == 0);
		compare(&entry, &again);
	}
	(void)close(fd);
	arena_done(&arena);
	return 0;
}
