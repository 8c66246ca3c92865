/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of mount/mount-plan: which rows a configuration gets, and in which order.
 * Zone: free.
 */
#include "mount/mount-plan.h"

#include <linux/magic.h>

#include "base/scope.h"
#include "config/check.h"
#include "check.h"

static struct mount_plan plan_of(struct config *config, bool network_is_private)
{
	struct mount_facts facts = {.network_is_private = network_is_private,
				    .host_os_release = "/etc/os-release"};
	struct mount_plan plan = {0};

	mount_plan_make(&config->arena, config, &facts, &plan);
	return plan;
}

/* Index of the first operation on 'target' from 'start' on, or -1. */
static int find(const struct mount_plan *plan, const char *target, size_t start)
{
	for (size_t i = start; i < plan->count; i++)
		if (strcmp(plan->items[i].target, target) == 0)
			return (int)i;
	return -1;
}

static void request(struct config *config, struct mount_request wanted)
{
	wanted.position = config->mounts.count;
	*ARRAY_ADD(&config->arena, &config->mounts) = wanted;
}

static void test_networks(struct config *config)
{
	struct mount_plan host = plan_of(config, false), own = plan_of(config, true);
	int sys = find(&host, "/sys", 0), seal;

	CHECK(sys >= 0);
	CHECK_TEXT(host.items[sys].source, "sysfs");
	CHECK((host.items[sys].flags & MOUNT_FLAG_READ_ONLY) != 0);
	CHECK(find(&host, "/proc/sys/net", 0) < 0);
	CHECK(find(&host, "/sys/class", 0) < 0);

	sys = find(&own, "/sys", 0);
	CHECK(sys >= 0);
	CHECK_TEXT(own.items[sys].source, "tmpfs");
	CHECK(find(&own, "/proc/sys/net", 0) > find(&own, "/proc/sys", 0));
	CHECK(find(&own, "/sys/firmware", 0) < 0 && find(&own, "/sys/module", 0) < 0);
	seal = find(&own, "/sys", (size_t)sys + 1);
	CHECK(seal > find(&own, "/sys/class", 0));
	CHECK(own.items[seal].kind == OPERATION_REMOUNT);
}

/* Where there is a container outside, its /sys need not be a sysfs. */
static void test_sysfs_of_the_host(struct config *config)
{
	const struct mount_facts bound = {.sysfs_is_bound = true}, own = {0};
	struct mount_plan plan = {0};
	const struct mount_operation *sys;

	mount_plan_make(&config->arena, config, &own, &plan);
	sys = &plan.items[find(&plan, "/sys", 0)];
	CHECK(sys->kind == OPERATION_NEW && sys->magic == SYSFS_MAGIC);
	plan = (struct mount_plan){0};
	mount_plan_make(&config->arena, config, &bound, &plan);
	sys = &plan.items[find(&plan, "/sys", 0)];
	CHECK(sys->kind == OPERATION_BIND && sys->place == SOURCE_HOST && sys->magic == 0);
	CHECK((sys->flags & MOUNT_FLAG_READ_ONLY) != 0);
}

static void test_nesting(struct config *config)
{
	struct mount_plan plan = plan_of(config, true);
	int proc, sys;

	CHECK(find(&plan, "/run/host/nesting/proc", 0) < 0);
	config->nesting = true;
	plan = plan_of(config, true);
	config->nesting = false;
	proc = find(&plan, "/run/host/nesting/proc", 0);
	sys = find(&plan, "/run/host/nesting/sys", 0);
	CHECK(proc >= (int)plan.early_count && sys >= (int)plan.early_count);
	/* Nothing is mounted over them, and proc can be written to: else the kernel counts neither.
	 */
	CHECK(!(plan.items[proc].flags & MOUNT_FLAG_READ_ONLY));
	for (size_t i = 0; i < plan.count; i++)
		CHECK(strncmp(plan.items[i].target, "/run/host/nesting/proc/", 23) != 0);
}

static void test_environment(struct config *config)
{
	struct mount_plan plan;

	config->tmpfs_on_tmp = false;
	config->api_vfs = API_VFS_WRITABLE;
	plan = plan_of(config, false);
	CHECK(find(&plan, "/tmp", 0) < 0);
	CHECK(find(&plan, "/proc/sys", 0) < 0 && find(&plan, "/proc/kcore", 0) < 0);
	CHECK((plan.items[find(&plan, "/sys", 0)].flags & MOUNT_FLAG_READ_ONLY) == 0);
	config->tmpfs_on_tmp = true;
	config->api_vfs = API_VFS_READ_ONLY;
}

static void test_read_only(struct config *config)
{
	struct mount_plan plan;

	config->read_only = true;
	plan = plan_of(config, false);
	config->read_only = false;
	CHECK(plan.items[0].kind == OPERATION_BASE);
	CHECK(plan.items[1].kind == OPERATION_REMOUNT && plan.items[1].recursive);
	CHECK_TEXT(plan.items[1].target, "/");
}

static void test_requests(struct config *config)
{
	struct mount_plan plan;
	int outer, inner, covered, files;

	request(config, (struct mount_request){.kind = MOUNT_TMPFS,
					       .destination = "/srv/inner",
					       .options = "size=1m,noexec,mode=0700,dev,ro"});
	request(config, (struct mount_request){.kind = MOUNT_BIND,
					       .destination = "/srv",
					       .source = "/opt",
					       .recursive = true,
					       .read_only = true});
	request(config,
		(struct mount_request){.kind = MOUNT_INACCESSIBLE, .destination = "/srv/secret"});
	request(config, (struct mount_request){.kind = MOUNT_BIND, .destination = "/empty"});
	request(config, (struct mount_request){.kind = MOUNT_BIND,
					       .destination = "/in",
					       .source = "/usr",
					       .source_is_in_tree = true});
	plan = plan_of(config, false);
	files = find(&plan, "/etc", 0);
	outer = find(&plan, "/srv", 0);
	inner = find(&plan, "/srv/inner", 0);
	covered = find(&plan, "/srv/secret", 0);
	CHECK(files >= 0 && files < outer && outer < inner && inner < covered);
	CHECK(plan.items[outer].place == SOURCE_HOST && plan.items[outer].recursive);
	CHECK((plan.items[outer].flags & MOUNT_FLAG_READ_ONLY) != 0);
	CHECK_TEXT(plan.items[inner].options, "size=1m,mode=0700");
	CHECK(plan.items[inner].flags == (MOUNT_FLAG_NOEXEC | MOUNT_FLAG_NODEV |
					  MOUNT_FLAG_STRICTATIME | MOUNT_FLAG_READ_ONLY));
	CHECK(plan.items[covered].kind == OPERATION_COVER && !plan.items[covered].makes_target);
	CHECK(plan.items[find(&plan, "/empty", 0)].place == SOURCE_EMPTY);
	CHECK(plan.items[find(&plan, "/in", 0)].place == SOURCE_TREE);
}

static void test_root(void)
{
	struct config config = {0};
	struct mount_plan plan;

	config_defaults(&config);
	request(&config,
		(struct mount_request){.kind = MOUNT_BIND, .destination = "/", .source = "/opt"});
	config.read_only = true; /* implied by a mount on the root */
	plan = plan_of(&config, false);
	CHECK_TEXT(plan.items[0].source, "/opt");
	/* Looked at before anything is made in it. */
	CHECK(plan.items[1].kind == OPERATION_OS_CHECK);
	CHECK_TEXT(plan.items[1].source, OS_CHECK_WANTS_USR);
	CHECK(plan.items[2].kind == OPERATION_BASE && plan.items[3].kind != OPERATION_REMOUNT);

	/* An init needs more, which other mounts may bring. */
	config.start = START_BOOT;
	plan = plan_of(&config, false);
	CHECK(plan.items[1].kind == OPERATION_BASE);
	CHECK(plan.items[plan.early_count - 1].kind == OPERATION_OS_CHECK);
	CHECK_TEXT(plan.items[plan.early_count - 1].source, OS_CHECK_WANTS_RELEASE);
	config.no_os_check = true;
	plan = plan_of(&config, false);
	CHECK(plan.items[plan.early_count - 1].kind != OPERATION_OS_CHECK);
	arena_done(&config.arena);
}

/* What takes the changes is the first thing of all, so that a start itself changes no tree either.
 */
static void test_volatile(void)
{
	struct mount_facts facts = {.delta = "/var/tmp/changes"};
	struct config config = {0};
	struct mount_plan plan;
	int var;

	config_defaults(&config);
	config.read_only = true; /* implied by all of them */
	config.volatile_mode = VOLATILE_OVERLAY;
	plan = plan_of(&config, false);
	CHECK(plan.items[0].kind == OPERATION_OVERLAY && plan.items[0].layer_count == 2);
	CHECK(plan.items[0].layers[0].place == SOURCE_IMAGE);
	CHECK(plan.items[0].layers[1].place == SOURCE_MEMORY);
	CHECK(plan.items[1].kind == OPERATION_BASE && plan.items[2].kind != OPERATION_REMOUNT);

	config.volatile_mode = VOLATILE_YES;
	plan = plan_of(&config, false);
	CHECK(plan.items[0].kind == OPERATION_NEW);
	CHECK_TEXT(plan.items[1].target, "/usr");
	CHECK(plan.items[1].place == SOURCE_IMAGE);
	CHECK(plan.items[1].flags == MOUNT_FLAG_READ_ONLY && plan.items[1].recursive);
	CHECK(plan.items[2].kind == OPERATION_BASE && plan.items[3].kind != OPERATION_REMOUNT);

	config.volatile_mode = VOLATILE_STATE;
	plan = plan_of(&config, false);
	var = find(&plan, "/var", 0);
	CHECK(plan.items[0].kind == OPERATION_BASE && plan.items[1].kind == OPERATION_REMOUNT);
	CHECK(var == 2 && plan.items[var].kind == OPERATION_NEW);

	config.volatile_mode = VOLATILE_NO;
	config.read_only = false;
	plan = (struct mount_plan){0};
	mount_plan_make(&config.arena, &config, &facts, &plan);
	CHECK(plan.items[0].kind == OPERATION_OVERLAY && plan.items[0].flags == 0);
	CHECK(plan.items[0].layers[1].place == SOURCE_HOST);
	CHECK_TEXT(plan.items[0].layers[1].path, facts.delta);
	arena_done(&config.arena);
}

static void test_overlays(void)
{
	static const struct layer_request layers[] = {
		{"/low", false}, {"/mid", true}, {NULL, false}};
	struct mount_facts facts = {.whole_tree = "/srv/tree"};
	struct config config = {0};
	struct mount_plan plan = {0};
	int at;

	config_defaults(&config);
	config.pivot_new = "/new";
	config.pivot_old = "/old";
	request(&config, (struct mount_request){.kind = MOUNT_OVERLAY,
						.destination = "/old/x",
						.layers = layers,
						.layer_count = ARRAY_LEN(layers)});
	request(&config, (struct mount_request){.kind = MOUNT_OVERLAY,
						.destination = "/ro",
						.layers = layers,
						.layer_count = 2,
						.read_only = true});
	mount_plan_make(&config.arena, &config, &facts, &plan);
	at = find(&plan, "/old/x", 0);
	CHECK(plan.items[at].kind == OPERATION_OVERLAY && plan.items[at].flags == 0);
	CHECK(plan.items[at].makes_target && plan.items[at].layer_count == 3);
	CHECK(plan.items[at].layers[0].place == SOURCE_HOST);
	CHECK(plan.items[at].layers[1].place == SOURCE_IMAGE);
	CHECK(plan.items[at].layers[2].place == SOURCE_EMPTY);
	CHECK(plan.items[find(&plan, "/ro", 0)].flags == MOUNT_FLAG_READ_ONLY);
	/* What the old root holds can be mounted on, so it is there first. */
	CHECK(find(&plan, "/old", 0) >= 0 && find(&plan, "/old", 0) < at);
	CHECK_TEXT(plan.items[find(&plan, "/old", 0)].source, "/srv/tree");
	arena_done(&config.arena);
}

/* A label goes on what is made in memory, commas and all, unless a tmpfs has one of its own. */
static void test_context(void)
{
	static const char label[] = "u:object_r:t:s0:c1,c2";
	struct mount_facts facts = {.context = label, .network_is_private = true};
	struct config config = {0};
	struct mount_plan plan = {0};
	size_t labelled = 0;

	config_defaults(&config);
	request(&config, (struct mount_request){.kind = MOUNT_TMPFS, .destination = "/mine"});
	request(&config, (struct mount_request){.kind = MOUNT_TMPFS,
						.destination = "/theirs",
						.options = "mode=0700,context=u:r:x"});
	mount_plan_make(&config.arena, &config, &facts, &plan);
	for (size_t i = 0; i < plan.count; i++) {
		const struct mount_operation *operation = &plan.items[i];

		if (!operation->context)
			continue;
		labelled++;
		CHECK_TEXT(operation->context, label);
		CHECK(operation->kind == OPERATION_NEW);
		CHECK(strcmp(operation->source, "tmpfs") == 0 ||
		      strcmp(operation->source, "devpts") == 0);
	}
	/* /tmp, /sys, /dev, /dev/shm, /dev/pts, /run */
	CHECK(labelled == 7 && plan.items[find(&plan, "/mine", 0)].context);
	CHECK(!plan.items[find(&plan, "/theirs", 0)].context);
	arena_done(&config.arena);
}

static bool is_early(const struct mount_plan *plan, const char *target)
{
	return find(plan, target, 0) >= 0 && (size_t)find(plan, target, 0) < plan->early_count;
}

/* What shows namespaces of the payload comes last, with what the user puts over that. */
static void test_late(void)
{
	struct config config = {0};
	struct mount_plan plan;

	config_defaults(&config);
	request(&config,
		(struct mount_request){.kind = MOUNT_INACCESSIBLE, .destination = "/proc/version"});
	request(&config, (struct mount_request){
				 .kind = MOUNT_BIND, .destination = "/dev/x", .source = "/x"});
	request(&config, (struct mount_request){
				 .kind = MOUNT_BIND, .destination = "/process", .source = "/x"});
	plan = plan_of(&config, false);
	CHECK(is_early(&plan, "/sys") && is_early(&plan, "/dev") && is_early(&plan, "/run/host"));
	CHECK(is_early(&plan, "/dev/x") && is_early(&plan, "/process"));
	CHECK(!is_early(&plan, "/proc") && !is_early(&plan, "/proc/version"));
	CHECK(!is_early(&plan, "/dev/pts") && !is_early(&plan, "/dev/mqueue"));
	CHECK(find(&plan, "/proc", 0) < find(&plan, "/proc/version", 0));
	plan = plan_of(&config, true);
	CHECK(!is_early(&plan, "/sys") && !is_early(&plan, "/sys/class"));
	request(&config,
		(struct mount_request){.kind = MOUNT_BIND, .destination = "/dev", .source = "/x"});
	plan = plan_of(&config, false);
	CHECK(is_early(&plan, "/dev") && !is_early(&plan, "/dev/x"));
	CHECK(find(&plan, "/dev", (size_t)find(&plan, "/dev", 0) + 1) < find(&plan, "/dev/x", 0));
	arena_done(&config.arena);
}

/* Not locked where that takes nothing away from the user: links of the tree may lead into it. */
static void test_late_tmp(void)
{
	const struct mount_facts own = {.ids_are_own = true}, hosts = {0};
	struct config config = {0};
	struct mount_plan plan = {0};

	config_defaults(&config);
	mount_plan_make(&config.arena, &config, &hosts, &plan);
	CHECK(is_early(&plan, "/tmp"));
	plan = (struct mount_plan){0};
	mount_plan_make(&config.arena, &config, &own, &plan);
	CHECK(plan.items[find(&plan, "/tmp", 0)].kind == OPERATION_DIRECTORY);
	CHECK(find(&plan, "/tmp", (size_t)find(&plan, "/tmp", 0) + 1) >= (int)plan.early_count);
	request(&config, (struct mount_request){
				 .kind = MOUNT_BIND, .destination = "/var/tmp/x", .source = "/x"});
	plan = (struct mount_plan){0};
	mount_plan_make(&config.arena, &config, &own, &plan);
	CHECK(find(&plan, "/tmp", (size_t)find(&plan, "/tmp", 0) + 1) < (int)plan.early_count);
	arena_done(&config.arena);
}

int main(void)
{
	struct config config = {0};

	config_defaults(&config);
	test_networks(&config);
	test_sysfs_of_the_host(&config);
	test_nesting(&config);
	test_environment(&config);
	test_read_only(&config);
	test_requests(&config);
	test_root();
	test_volatile();
	test_overlays();
	test_context();
	test_late();
	test_late_tmp();
	arena_done(&config.arena);
	return check_result();
}
