/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at the host's devices by stat(2).
 * Zone: free.
 */
#include "mount/device-facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/device-values.h"

#define DEPTH_MAX 4    /* /dev/bus/usb/001/002 from /dev/bus */
#define NODES_MAX 1024 /* of one directory; a filter has a row for each */
#define TABLE_MAX_BYTES 65536

static bool is_device(mode_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

static void add_rule(struct arena *arena, struct device_rules *rules, const struct stat *status,
		     unsigned int access)
{
	*ARRAY_ADD(arena, rules) = (struct device_rule){
		.is_block = S_ISBLK(status->st_mode),
		.major_first = major(status->st_rdev),
		.major_last = major(status->st_rdev),
		.minor = (int)minor(status->st_rdev),
		.access = access,
	};
}

/* --- Directories --- */

struct search {
	struct arena *arena;
	const char *prefix; /* only names that are this and a number; NULL: all */
	/* Is told of each device: its path below the directory, which lives in the arena. */
	void (*found)(struct search *search, const char *below, const struct stat *status);
	size_t count;
	void *userdata;
	unsigned int access;
};

static bool is_wanted(const struct search *search, const char *name)
{
	size_t length = search->prefix ? strlen(search->prefix) : 0;

	if (!search->prefix)
		return true;
	return strncmp(name, search->prefix, length) == 0 && name[length] &&
	       name[length + strspn(name + length, "0123456789")] == '\0';
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static void search_directory(struct search *search, int parent_fd, const char *name,
			     const char *below, unsigned int depth);

static void look_at_entry(struct search *search, int directory_fd, const char *name,
			  const char *below, unsigned int depth)
{
	struct stat status;
	const char *path = *below ? arena_format(search->arena, "%s/%s", below, name)
				  : arena_copy(search->arena, name);

	if (name[0] == '.' || search->count > NODES_MAX ||
	    fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX && !search->prefix)
		search_directory(search, directory_fd, name, path, depth + 1);
	else if (is_device(status.st_mode) && is_wanted(search, name) &&
		 ++search->count <= NODES_MAX)
		search->found(search, path, &status);
}

/* Links are left out: what they lead to is in the directory as well, or was not asked for. */
static void search_directory(struct search *search, int parent_fd, const char *name,
			     const char *below, unsigned int depth)
{
	struct dirent **entries = NULL;
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = fd < 0 ? -1 : scandirat(fd, ".", &entries, NULL, by_name);

	for (int i = 0; i < count; i++) {
		look_at_entry(search, fd, entries[i]->d_name, below, depth);
		free(entries[i]);
	}
	free(entries);
	scope_close(&fd);
}

/* --- --device= --- */

struct gathering {
	const struct config *config;
	struct arena *arena;
	struct device_facts *facts;
	const struct device_request *request;
	const char *host, *inside; /* the directory that is searched */
};

static void add_node(struct gathering *g, const char *host, const char *inside,
		     const struct stat *status)
{
	*ARRAY_ADD(g->arena, &g->facts->nodes) = (struct device_node){
		.host = host,
		.inside = inside + strlen("/dev/"),
		.mode = status->st_mode & (S_IFMT | 0777),
		.group = status->st_gid,
		.major = major(status->st_rdev),
		.minor = minor(status->st_rdev),
		.access = g->request->access,
		.request = (size_t)(g->request - g->config->devices.items),
	};
}

static void add_found_node(struct search *search, const char *below, const struct stat *status)
{
	struct gathering *g = search->userdata;

	add_node(g, arena_format(g->arena, "%s/%s", g->host, below),
		 arena_format(g->arena, "%s/%s", g->inside, below), status);
}

static int gather_directory(struct gathering *g, const char *path, const char *inside,
			    const char *prefix)
{
	struct search search = {
		.arena = g->arena, .prefix = prefix, .found = add_found_node, .userdata = g};

	g->host = path;
	g->inside = inside;
	search_directory(&search, AT_FDCWD, path, "", 1);
	if (search.count > NODES_MAX)
		return refuse(E2BIG, "The directory '%s' has more than %d devices in it", path,
			      NODES_MAX);
	/* Loop devices are made when they are needed. */
	return search.count > 0 || prefix
		       ? 0
		       : refuse(ENODEV, "The directory '%s' has no device in it", path);
}

/* A device that somebody above us denies is better told now than by a program inside. */
static int try_device(const struct gathering *g, const char *path)
{
	auto_close int fd = -EBADF;

	if (!g->request->kind || !g->request->kind->may_be_opened)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	/* A plan is for whoever starts the machine, who may be root. */
	if (fd >= 0 || (errno == EACCES && geteuid() != 0))
		return 0;
	(void)fail(-errno, "Cannot open the device '%s' of the host", path);
	hint("What nspawn may not open, the payload may not either");
	return -ENODEV;
}

static int gather_place(struct gathering *g, const char *path, const char *inside,
			const char *prefix)
{
	struct stat status;

	if (stat(path, &status) < 0) {
		int r = -errno;

		(void)fail(r, "Cannot find the device '%s' on the host", path);
		if (g->request->kind)
			hint("%s", g->request->kind->advice);
		return r;
	}
	if (S_ISDIR(status.st_mode))
		return gather_directory(g, path, inside, prefix);
	if (!is_device(status.st_mode))
		return refuse(ENODEV, "'%s' is no device, and no directory of devices", path);
	TRY(try_device(g, path));
	add_node(g, path, inside, &status);
	return 0;
}

static void read_table(char **ret)
{
	if (file_read(AT_FDCWD, "/proc/devices", TABLE_MAX_BYTES, ret, NULL) < 0)
		*ret = NULL;
}

static int gather_request(struct gathering *g)
{
	const struct device_request *request = g->request;
	const struct device_kind *kind = request->kind;
	auto_free char *table = NULL;

	if (!kind)
		return gather_place(g, request->path, request->inside, NULL);
	TRY(gather_place(g, kind->paths[0], request->inside ?: kind->paths[0], NULL));
	if (!kind->block_glob)
		return 0;
	TRY(gather_place(g, kind->paths[1], kind->paths[1], kind->block_glob));
	read_table(&table);
	(void)device_rules_from_property(g->arena,
					 arena_format(g->arena, "block-%s %s%s%s", kind->block_glob,
						      request->access & DEVICE_READ ? "r" : "",
						      request->access & DEVICE_WRITE ? "w" : "",
						      request->access & DEVICE_MAKE ? "m" : ""),
					 table ? table : "", &g->facts->rules);
	return 0;
}

/* --- --bind= --- */

static void add_found_rule(struct search *search, const char *below, const struct stat *status)
{
	(void)below;
	add_rule(search->arena, search->userdata, status, search->access);
}

/*
 * Whoever binds a node, or a directory of them below /dev, wants it to work. Not /dev as a whole:
 * that is where the host's disks are.
 */
static void gather_bind(const struct mount_request *bind, struct arena *arena,
			struct device_rules *rules)
{
	unsigned int access = bind->read_only ? DEVICE_READ : DEVICE_READ | DEVICE_WRITE;
	struct search search = {
		.arena = arena, .found = add_found_rule, .userdata = rules, .access = access};
	struct stat status;

	if (bind->kind != MOUNT_BIND || !bind->source || bind->source_is_in_tree ||
	    stat(bind->source, &status) < 0)
		return;
	if (is_device(status.st_mode))
		add_rule(arena, rules, &status, access);
	else if (S_ISDIR(status.st_mode) && path_is_below(bind->source, "/dev") &&
		 strcmp(bind->source, "/dev") != 0)
		search_directory(&search, AT_FDCWD, bind->source, "", 1);
}

/* --- --property=DeviceAllow= --- */

/* "  7 loop" lines below a heading, which is all that tells the two kinds apart. */
static void add_from_table(struct arena *arena, const char *table, bool is_block, const char *glob,
			   unsigned int access, struct device_rules *rules)
{
	struct strings lines = {0};
	bool is_here = false;

	text_words(arena, table, "\n", &lines);
	for (size_t i = 0; i < lines.count; i++) {
		struct strings words = {0};
		uint64_t number;

		text_words(arena, lines.items[i], BLANKS, &words);
		if (text_has_prefix(lines.items[i], "Character") ||
		    text_has_prefix(lines.items[i], "Block"))
			is_here = text_has_prefix(lines.items[i], "Block") == is_block;
		else if (is_here && words.count == 2 && parse_u64(words.items[0], &number) == 0 &&
			 number <= DEVICE_MAJOR_MAX && fnmatch(glob, words.items[1], 0) == 0)
			*ARRAY_ADD(arena, rules) =
				(struct device_rule){is_block, (unsigned int)number,
						     (unsigned int)number, DEVICE_ANY, access};
	}
}

bool device_rules_from_property(struct arena *arena, const char *value, const char *table,
				struct device_rules *rules)
{
	unsigned int access = DEVICE_READ | DEVICE_WRITE | DEVICE_MAKE;
	bool is_block = text_has_prefix(value, "block-");
	struct strings words = {0};
	struct stat status;
	const char *what;

	text_words(arena, value, BLANKS, &words);
	if (words.count == 2)
		access = device_access_from_text(words.items[1]);
	if (words.count < 1 || words.count > 2 || access == 0)
		return false;
	what = words.items[0];
	if (*what == '/') {
		if (stat(what, &status) == 0 && is_device(status.st_mode))
			add_rule(arena, rules, &status, access);
		return true;
	}
	if (!is_block && !text_has_prefix(what, "char-"))
		return false;
	what += strcspn(what, "-") + 1;
	if (strcmp(what, "*") == 0)
		*ARRAY_ADD(arena, rules) =
			(struct device_rule){is_block, 0, DEVICE_MAJOR_MAX, DEVICE_ANY, access};
	else
		add_from_table(arena, table, is_block, what, access, rules);
	return true;
}

static void gather_properties(const struct config *config, struct arena *arena,
			      struct device_rules *rules)
{
	auto_free char *table = NULL;

	for (size_t i = 0; i < config->properties.count; i++) {
		const char *property = config->properties.items[i];

		if (!text_has_prefix(property, "DeviceAllow="))
			continue;
		property += strlen("DeviceAllow=");
		if (!table)
			read_table(&table);
		if (!*property)
			rules->count = 0;
		else if (!device_rules_from_property(arena, property, table ? table : "", rules))
			warn(0, "The property DeviceAllow= does not take '%s', going on without it",
			     property);
	}
}

int device_facts_gather(const struct config *config, struct arena *arena, struct device_facts *ret)
{
	struct gathering g = {.config = config, .arena = arena, .facts = ret};
	int result = 0;

	ret->are_for_users = config->nesting;
	gather_properties(config, arena, &ret->rules);
	for (size_t i = 0; i < config->mounts.count; i++)
		gather_bind(&config->mounts.items[i], arena, &ret->rules);
	for (size_t i = 0; i < config->devices.count; i++) {
		int r;

		g.request = &config->devices.items[i];
		r = gather_request(&g);
		result = result < 0 ? result : r;
	}
	return result;
}
