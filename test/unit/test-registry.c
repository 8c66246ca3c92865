/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written of a machine is what is read, and only as long as it runs. */
#include "host/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/undo.h"
#include "captured.h"
#include "check.h"
#include "host/locks.h"
#include "host/places.h"

static struct captured captured;
static struct arena arena;
static char directory[] = "/tmp/test-registry-XXXXXX";
static struct places places = {
	.machines = directory, .inode_locks = directory, .registry = directory};

static int hold(struct locks *locks, struct undo *undo, const char *machine)
{
	const struct lock_request request = {.machine = machine, .places = &places};

	return locks_take(locks, &request, undo);
}

static struct registry_entry sample(const char *machine)
{
	static const int interfaces[] = {3, 70000};
	struct registry_entry entry = {
		.machine = machine,
		.leader = getpid(),
		.supervisor = getppid(),
		.tree = "/srv/a \"tree\" with %41 and \xff\n",
		.tree_device = UINT64_C(0x1122334455),
		.tree_inode = 42,
		.kind = REGISTRY_CHANGES_OVERLAY,
		.changes = "/var/tmp/x",
		.owners_from = -1,
		.started_usec = UINT64_C(1700000000000000),
		.uuid = "00112233445566778899aabbccddeeff",
		.service = "nspawn",
		.start = "boot",
		.init = "systemd",
		.unit = "machine-x.scope",
		.unit_is_users = true,
		.cgroup = "/sys/fs/cgroup/x/payload",
		.shift = 65536,
		.interfaces = {interfaces, 2},
		.has_own_network = true,
		.caps_bounding = UINT64_C(0x1ffffffffff),
		.caps_ambient = 1,
		.no_new_privileges = true,
		.filter = "own",
		.is_ready = true,
		.status = "up",
	};

	strings_add(&arena, &entry.ports, "tcp:8000-8010:80");
	strings_add(&arena, &entry.ports, "[::1]:udp:53");
	strings_add(&arena, &entry.host_ports, "tcp:143");
	strings_add(&arena, &entry.environment, "A=1");
	strings_add(&arena, &entry.environment, "B=a\nb\\\"");
	return entry;
}

static void check_same(const struct registry_entry *read, const struct registry_entry *written)
{
	CHECK_TEXT(read->machine, written->machine);
	CHECK_TEXT(read->tree, written->tree);
	CHECK_TEXT(read->changes, written->changes);
	CHECK_TEXT(read->uuid, written->uuid);
	CHECK_TEXT(read->unit, written->unit);
	CHECK_TEXT(read->cgroup, written->cgroup);
	CHECK_TEXT(read->filter, written->filter);
	CHECK_TEXT(read->status, written->status);
	CHECK(read->leader == written->leader && read->supervisor == written->supervisor);
	CHECK(read->tree_device == written->tree_device);
	CHECK(read->kind == written->kind && read->owners_from == -1 && read->shift == 65536);
	CHECK(read->started_usec == written->started_usec && read->is_ready);
	CHECK(read->unit_is_users && read->has_own_network && read->no_new_privileges);
	CHECK(read->caps_bounding == written->caps_bounding && read->caps_ambient == 1);
	CHECK(read->interfaces.count == 2 && read->interfaces.items[1] == 70000);
	CHECK(read->ports.count == 2 && read->host_ports.count == 1);
	CHECK_TEXT(read->ports.items[1], "[::1]:udp:53");
	CHECK(read->environment.count == 2);
	CHECK_TEXT(read->environment.items[1], "B=a\nb\\\"");
}

static void test_one(void)
{
	struct registry_entry written = sample("one"), read;
	struct locks locks = {0};
	struct undo undo = {0};

	CHECK(hold(&locks, &undo, "one") == 0);
	CHECK(registry_find(&arena, &places, "one", &read) == -EAGAIN);
	CHECK(registry_write(&locks, &written) == 0);
	CHECK(registry_find(&arena, &places, "one", &read) == 0);
	check_same(&read, &written);
	/* A shorter line takes the place of all of the longer one. */
	written.status = NULL;
	written.environment = (struct strings){0};
	CHECK(registry_write(&locks, &written) == 0);
	CHECK(registry_find(&arena, &places, "one", &read) == 0);
	CHECK(!read.status && read.environment.count == 0);
	undo_all(&undo);
	CHECK(registry_find(&arena, &places, "one", &read) == -ESRCH);
	CHECK(registry_find(&arena, &places, "../one", &read) == -ESRCH);
}

static void test_filter(void)
{
	static const struct sock_filter filter[] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
	struct registry_entry entry = {.directory = directory};
	const struct sock_filter *read;
	char path[128];
	size_t length;

	CHECK(registry_read_filter(&arena, &entry, &read, &length) == -ENOENT);
	CHECK(registry_write_filter(directory, filter, 2) == 0);
	CHECK(registry_read_filter(&arena, &entry, &read, &length) == 0 && length == 2);
	CHECK(memcmp(read, filter, sizeof(filter)) == 0);
	(void)snprintf(path, sizeof(path), "%s/" REGISTRY_FILTER_FILE, directory);
	CHECK(truncate(path, 9) == 0);
	CHECK(registry_read_filter(&arena, &entry, &read, &length) == -EBADMSG);
	CHECK(unlink(path) == 0);
}

static void make_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	CHECK(mkdir(path, 0755) == 0);
	(void)snprintf(path, sizeof(path), "%s/%s/state.json", directory, name);
	file = fopen(path, "w");
	CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void remove_file(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s/state.json", directory, name);
	CHECK(unlink(path) == 0);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	CHECK(rmdir(path) == 0);
}

/* Those that run, by name; what is about to start, was killed or is garbage is none of them. */
static void test_list(void)
{
	struct registry_entry b = sample("b"), a = sample("a"), *entries;
	struct locks first = {0}, second = {0}, third = {0};
	struct strings left = {0};
	struct undo undo = {0};
	size_t count;

	CHECK(registry_list(&arena, &places, &entries, &count) == 0 && count == 0);
	make_file("killed", "{\"version\":2}\n");
	make_file(".hidden", "");
	CHECK(hold(&first, &undo, "b") == 0 && registry_write(&first, &b) == 0);
	CHECK(hold(&second, &undo, "a") == 0 && registry_write(&second, &a) == 0);
	CHECK(hold(&third, &undo, "starting") == 0);
	CHECK(registry_list(&arena, &places, &entries, &count) == 0 && count == 2);
	CHECK_TEXT(entries[0].machine, "a");
	CHECK_TEXT(entries[1].machine, "b");
	CHECK(registry_list_left(&arena, &places, &left) == 0 && left.count == 1);
	CHECK_TEXT(left.items[0], "killed");
	undo_all(&undo);
	remove_file("killed");
	remove_file(".hidden");
	places.machines = "/no/such/directory";
	CHECK(registry_list(&arena, &places, &entries, &count) == 0 && count == 0);
	places.machines = directory;
}

/* Our own process is no child of its parent's parent, and the lock must be held. */
static void test_leader(void)
{
	struct registry_entry entry = sample("one"), read;
	struct locks locks = {0};
	struct undo undo = {0};
	int pidfd = -EBADF;

	CHECK(hold(&locks, &undo, "one") == 0 && registry_write(&locks, &entry) == 0);
	CHECK(registry_find(&arena, &places, "one", &read) == 0);
	CHECK(registry_leader(&read, &pidfd) == 0 && pidfd >= 0 && close(pidfd) == 0);
	read.supervisor = getpid();
	CHECK(registry_leader(&read, &pidfd) == -ESRCH);
	read.supervisor = getppid();
	undo_all(&undo);
	CHECK(registry_leader(&read, &pidfd) == -ESRCH);
}

int main(void)
{
	CHECK(mkdtemp(directory) != NULL);
	capture_start(&captured);
	test_one();
	test_filter();
	test_list();
	test_leader();
	CHECK(rmdir(directory) == 0);
	arena_done(&arena);
	return check_result();
}
