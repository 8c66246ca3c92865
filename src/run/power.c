/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The halt and reboot protocols of the init systems: a signal, a record in a FIFO, or mode bits of
 * files.
 * Zone: owing. What touches the guest's files runs in a short-lived child (doomed), because a
 * lookup in a file system that the guest serves (FUSE) may never return.
 */
#include "run/power.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/scope.h"
#include "run/errand.h"

/* SIGRTMIN is no constant in C: rows name real-time signals by their distance from it. */
#define REALTIME(distance) (1000 + (distance))

/* Work on files that must be done before the signal is sent. */
typedef int (*power_files)(int guest_root_fd, enum power_request request);

static int tell_sysvinit(int guest_root_fd, enum power_request request);
static int prepare_runit(int guest_root_fd, enum power_request request);

/*
 * Sources: systemd(1), init(8) of sysvinit and its initreq.h, runit-init(8), dinit(8), the usage
 * text of busybox init, the documentation of s6-linux-init; openrc-init takes SIGTERM for a halt
 * and SIGINT for a reboot. In a PID namespace a halt and a power-off end alike, so where an init
 * has signals for both either will do.
 */
/* clang-format off */
static const struct {
	int signals[_POWER_REQUEST_COUNT]; /* 0: none */
	power_files files;                 /* NULL: nothing to do */
} protocols[] = {
	[INIT_UNKNOWN]  = {{[POWER_OFF] = 0,           [POWER_REBOOT] = 0},           NULL},
	[INIT_SYSTEMD]  = {{[POWER_OFF] = REALTIME(4), [POWER_REBOOT] = REALTIME(5)}, NULL},
	[INIT_SYSVINIT] = {{[POWER_OFF] = 0,           [POWER_REBOOT] = 0},           tell_sysvinit},
	[INIT_OPENRC]   = {{[POWER_OFF] = SIGTERM,     [POWER_REBOOT] = SIGINT},      NULL},
	[INIT_RUNIT]    = {{[POWER_OFF] = SIGCONT,     [POWER_REBOOT] = SIGCONT},     prepare_runit},
	[INIT_S6]       = {{[POWER_OFF] = SIGUSR1,     [POWER_REBOOT] = SIGINT},      NULL},
	[INIT_DINIT]    = {{[POWER_OFF] = SIGTERM,     [POWER_REBOOT] = SIGINT},      NULL},
	[INIT_BUSYBOX]  = {{[POWER_OFF] = SIGUSR2,     [POWER_REBOOT] = SIGTERM},     NULL},
};
/* clang-format on */
static_assert(ARRAY_LEN(protocols) == _INIT_KIND_COUNT, "one protocol for each kind of init");

int power_signal(enum init_kind kind, enum power_request request)
{
	int number = protocols[kind].signals[request];

	return number >= REALTIME(0) ? SIGRTMIN + (number - REALTIME(0)) : number;
}

/* --- sysvinit --- */

void power_sysvinit_record(enum power_request request, unsigned char ret_record[POWER_RECORD_BYTES])
{
	/*
	 * The numbers are those of initreq.h: magic, "change the runlevel", which, seconds between
	 * TERM and KILL.
	 */
	const int32_t head[4] = {0x03091969, 1, request == POWER_OFF ? '0' : '6', 3};

	static_assert(sizeof(head) <= POWER_RECORD_BYTES, "the head is part of the record");
	memset(ret_record, 0, POWER_RECORD_BYTES);
	memcpy(ret_record, head, sizeof(head));
}

/*
 * Opens what an O_PATH descriptor refers to, once its type is known: between looking at a file and
 * opening it by name the guest could put a device there, and opening a device is an action.
 */
static int reopen(int fd, int flags)
{
	char path[64];
	int opened;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return opened < 0 ? -errno : opened;
}

/* The record goes out in one piece: it is shorter than PIPE_BUF (pipe(7)). */
static int write_to_fifo(int guest_root_fd, const char *path, const void *record, size_t bytes)
{
	auto_close int place = path_open(guest_root_fd, path, O_PATH, 0);
	auto_close int listened = -EBADF, fifo = -EBADF;
	struct stat status;

	TRY(place);
	if (fstat(place, &status) < 0)
		return -errno;
	if (!S_ISFIFO(status.st_mode))
		return -EINVAL;
	/* Fails with ENXIO if nobody reads. */
	listened = reopen(place, O_WRONLY | O_NONBLOCK);
	TRY(listened);
	/*
	 * Holding the reading side too makes SIGPIPE impossible, should the reader leave at this
	 * moment.
	 */
	fifo = reopen(place, O_RDWR | O_NONBLOCK);
	TRY(fifo);
	return fd_write_all(fifo, record, bytes);
}

static int tell_sysvinit(int guest_root_fd, enum power_request request)
{
	/*
	 * The second is where the FIFO was before 2.89 (2016) and may still be a link to the first.
	 */
	static const char *const places[] = {"/run/initctl", "/dev/initctl"};
	unsigned char record[POWER_RECORD_BYTES];
	int r = -ENXIO;

	power_sysvinit_record(request, record);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		r = write_to_fifo(guest_root_fd, places[i], record, sizeof(record));
		if (r == 0)
			break;
	}
	return r;
}

/* --- runit --- */

/* Opens (O_PATH) a regular file that is itself at 'path' or where links inside the guest lead. */
static int open_regular(int guest_root_fd, const char *path)
{
	auto_close int place = path_open(guest_root_fd, path, O_PATH, 0);
	struct stat status;

	TRY(place);
	if (fstat(place, &status) < 0)
		return -errno;
	return S_ISREG(status.st_mode) ? steal_fd(place) : -EINVAL;
}

/* chmod(2) of an O_PATH descriptor: fchmodat2(2) is younger than the oldest kernel we run on. */
static int set_mode(int place, mode_t mode)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int set_flag_files(int guest_root_fd, const char *stop_path, const char *reboot_path,
			  enum power_request request)
{
	auto_close int stop = open_regular(guest_root_fd, stop_path);
	auto_close int reboot = open_regular(guest_root_fd, reboot_path);

	TRY(stop);
	if (reboot >= 0)
		TRY(set_mode(reboot, request == POWER_REBOOT ? 0100 : 0));
	else if (request == POWER_REBOOT || reboot != -ENOENT)
		return reboot;
	return set_mode(stop, 0100);
}

/*
 * runit looks at the owner's execute bit of two files. Stage 1 of every distribution makes them
 * (runit-init(8)); where stage 1 has not run yet, runit does not listen, so nothing is made here.
 */
static int prepare_runit(int guest_root_fd, enum power_request request)
{
	/* Debian's places, then the author's, which distributions link to their own. */
	int r = set_flag_files(guest_root_fd, "/run/runit.stopit", "/run/runit.reboot", request);

	if (r == -ENOENT)
		r = set_flag_files(guest_root_fd, "/etc/runit/stopit", "/etc/runit/reboot",
				   request);
	return r;
}

/* --- asking --- */

struct work {
	power_files files;
	int guest_root_fd;
	enum power_request request;
};

static int do_work(const void *argument)
{
	const struct work *work = argument;

	return work->files(work->guest_root_fd, work->request);
}

int power_ask(enum init_kind kind, enum power_request request, int pidfd, int guest_root_fd)
{
	int number = power_signal(kind, request);
	power_files files = protocols[kind].files;

	if (number == 0 && !files)
		return 1;
	if (files)
		TRY(errand_run(ERRAND_OWN, do_work, &(struct work){files, guest_root_fd, request}));
	if (number != 0 && pidfd_send_signal(pidfd, number, NULL, 0) < 0)
		return -errno;
	return 0;
}
