/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fills /run/host, on a tmpfs that nobody else sees yet: plain names relative to its descriptor are
 * safe here.
 * Zone: doomed.
 */
#include "mount/run-host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/log.h"
#include "base/scope.h"
#include "ids/ids.h"
#include "mount/bind-user.h"

struct inaccessible {
	const char *name;
	mode_t kind;
	bool is_vital; /* device nodes may be forbidden; then nothing can be covered with them */
};

/* clang-format off */
static const struct inaccessible inaccessibles[] = {
	{"host/inaccessible/reg", S_IFREG, true},   {"host/inaccessible/dir", S_IFDIR, true},
	{"host/inaccessible/fifo", S_IFIFO, true},  {"host/inaccessible/sock", S_IFSOCK, true},
	{"host/inaccessible/chr", S_IFCHR, false}, {"host/inaccessible/blk", S_IFBLK, false},
};
/* clang-format on */

const char *run_host_inaccessible(unsigned int mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "host/inaccessible/dir";
	case S_IFIFO:
		return "host/inaccessible/fifo";
	case S_IFSOCK:
		return "host/inaccessible/sock";
	case S_IFCHR:
		return "host/inaccessible/chr";
	case S_IFBLK:
		return "host/inaccessible/blk";
	default:
		return "host/inaccessible/reg";
	}
}

static int make_file(int run_fd, const char *name, const char *line, mode_t mode)
{
	auto_close int fd =
		openat(run_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	const struct iovec parts[] = {
		{.iov_base = (void *)line, .iov_len = line ? strlen(line) : 0},
		{.iov_base = (void *)"\n", .iov_len = 1},
	};

	if (fd < 0)
		return -errno;
	/* A file on tmpfs takes a line at once or not at all. */
	return line && writev(fd, parts, ARRAY_LEN(parts)) < 0 ? -errno : 0;
}

static int make_inaccessibles(int run_fd)
{
	if (mkdirat(run_fd, "host/inaccessible", 0755) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(inaccessibles); i++) {
		const struct inaccessible *row = &inaccessibles[i];
		int r = row->kind == S_IFDIR ? mkdirat(run_fd, row->name, 0)
					     : mknodat(run_fd, row->name, row->kind, 0);

		if (r < 0 && row->is_vital)
			return -errno;
	}
	return fchmodat(run_fd, "host/inaccessible", 0555, 0) < 0 ? -errno : 0;
}

static int make_users(int run_fd, const struct bound_users *users, const struct ids *ids)
{
	/* Other writers have us among the payload's ids already. */
	const struct id_maps *maps = ids->writer == IDS_WRITER_SELF ? &ids->maps : NULL;
	auto_close int host_fd = -EBADF;

	if (users->count == 0)
		return 0;
	host_fd = openat(run_fd, "host", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return host_fd < 0 ? -errno : bind_user_write(host_fd, users, maps);
}

static int fill(int run_fd, const struct run_host_request *request)
{
	if (mkdirat(run_fd, "host", 0755) < 0)
		return -errno;
	TRY(make_file(run_fd, "host/container-manager", request->service, 0444));
	TRY(make_file(run_fd, "host/container-uuid", request->machine_uuid, 0444));
	TRY(make_file(run_fd, "host/proc-sys-kernel-random-boot-id", request->boot_id, 0444));
	TRY(make_file(run_fd, "host/os-release", NULL, 0444));
	if (mkfifoat(run_fd, "host/proc-kmsg", 0600) < 0)
		return -errno;
	if (request->has_exchange && (mkdirat(run_fd, "host/incoming", 0600) < 0 ||
				      mkdirat(run_fd, "host/unix-export", 0755) < 0))
		return -errno;
	if (request->has_manager_sockets) {
		TRY(make_file(run_fd, "host/io.systemd.NamespaceResource", NULL, 0444));
		TRY(make_file(run_fd, "host/io.systemd.MountFileSystem", NULL, 0444));
	}
	if (request->has_credentials && mkdirat(run_fd, "host/credentials", 0500) < 0)
		return -errno;
	if (request->has_journal_socket) {
		if (mkdirat(run_fd, "host/journal", 0755) < 0)
			return -errno;
		TRY(make_file(run_fd, "host/journal/socket", NULL, 0600));
	}
	TRY(make_users(run_fd, request->bound_users, request->ids));
	/* Nobody but root has any business there, and root none that it knows of. */
	if (request->has_nesting && (mkdirat(run_fd, "host/nesting", 0700) < 0 ||
				     mkdirat(run_fd, "host/nesting/proc", 0) < 0 ||
				     mkdirat(run_fd, "host/nesting/sys", 0) < 0 ||
				     fchmodat(run_fd, "host/nesting", 0, 0) < 0))
		return -errno;
	return make_inaccessibles(run_fd);
}

int run_host_make(int run_fd, const struct run_host_request *request)
{
	int r = fill(run_fd, request);

	return r < 0 ? fail(r, "Cannot fill '/run/host' in the tree") : 0;
}

int run_host_open_kmsg(int run_fd)
{
	int fd = openat(run_fd, "host/proc-kmsg", O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}
