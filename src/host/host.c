/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors and randomness of this process.
 * Zone: free.
 */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"

#define ACTIVATION_FDS_MAX 1024

/* The first kernel that had every call a start makes, and is still maintained. */
#define BASELINE_MAJOR 6
#define BASELINE_MINOR 1

int host_fill_standard_fds(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR);

		if (fd < 0)
			return -errno;
		if (fd > STDERR_FILENO)
			return close(fd);
	}
}

/* CAP_* that this process could raise, and those of them that it had before execve(2). */
static void read_capabilities(uint64_t *ret_permitted, uint64_t *ret_ambient)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	*ret_permitted = *ret_ambient = 0;
	if (syscall(SYS_capget, &header, data) == 0)
		*ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	for (unsigned int i = 0; i < 64; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			*ret_ambient |= UINT64_C(1) << i;
}

int host_check_rights(void)
{
	bool is_raised = getuid() != geteuid() || getgid() != getegid();
	uint64_t permitted, ambient;

	/*
	 * AT_SECURE alone is no proof: security modules set it at transitions of theirs
	 * (getauxval(3)).
	 */
	if (!is_raised && getuid() != 0 && getauxval(AT_SECURE)) {
		read_capabilities(&permitted, &ambient);
		is_raised = permitted & ~ambient;
	}
	if (!is_raised)
		return 0;
	(void)refuse(EPERM,
		     "nspawn does not run set-user-id, set-group-id or with file capabilities");
	hint("Take that from its file with chmod ug-s and setcap -r: an ordinary user needs none of it");
	return -EPERM;
}

unsigned int host_count_activation_fds(void)
{
	const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	uint32_t pid, count;

	if (!pid_text || !count_text || parse_u32(pid_text, &pid) < 0 ||
	    parse_u32(count_text, &count) < 0)
		return 0;
	if (pid != (uint32_t)getpid() || count > ACTIVATION_FDS_MAX)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		if (fcntl(3 + (int)i, F_GETFD) < 0) {
			warn(-errno,
			     "LISTEN_FDS names %u sockets, but descriptor %u is not open, passing on none",
			     count, 3 + i);
			return 0;
		}
	}
	return count;
}

bool host_network_is_anothers(void)
{
	auto_close int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_close int owner_fd = fd < 0 ? -EBADF : ioctl(fd, NS_GET_USERNS);

	/* The kernel tells owners that are above us to nobody. */
	return fd >= 0 && owner_fd < 0 && errno == EPERM;
}

bool host_is_in_user_namespace(void)
{
	struct stat status;

	/* The first one always has this number (<linux/nsfs.h>, USER_NS_INIT_INO). */
	return stat("/proc/self/ns/user", &status) == 0 && status.st_ino != 0xeffffffd;
}

int host_check(void)
{
	struct utsname name = {0};
	unsigned long major, minor;
	char *rest;

	(void)uname(&name); /* cannot fail for a buffer of ours */
	major = strtoul(name.release, &rest, 10);
	minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
	if (major < BASELINE_MAJOR || (major == BASELINE_MAJOR && minor < BASELINE_MINOR))
		return refuse(ENOSYS, "This kernel is Linux %s; nspawn needs %d.%d or newer",
			      name.release, BASELINE_MAJOR, BASELINE_MINOR);
	return 0;
}

int host_random(void *bytes, size_t count)
{
	return getrandom(bytes, count, 0) == (ssize_t)count ? 0 : -EIO;
}
