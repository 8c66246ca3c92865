/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of kernel file systems and protections that every payload gets. Container managers and
 * init systems rely on these targets, flags and sizes; the order is parents first, and a protection
 * after what it protects.
 * Zone: free.
 */
#include "mount/api-mounts.h"

#include <linux/magic.h>

#include "base/scope.h"

#define RO MOUNT_FLAG_READ_ONLY
#define NOSUID MOUNT_FLAG_NOSUID
#define NODEV MOUNT_FLAG_NODEV
#define NOEXEC MOUNT_FLAG_NOEXEC
#define STRICT MOUNT_FLAG_STRICTATIME
#define WRITABLE MOUNT_FLAG_WRITABLE
#define LOCKED (NOSUID | NODEV | NOEXEC)

#define TMP_OPTIONS "mode=01777,size=10%,nr_inodes=400k"
#define PTS_OPTIONS API_PTS_OPTIONS_WITHOUT_GROUP ",gid=" STRING_OF(API_TTY_GROUP)
#define STRING_OF(number) STRING_OF_TOKEN(number)
#define STRING_OF_TOKEN(token) #token

/* clang-format off */
#define NEW(at, type, opts, bits, must, f_type) \
	{.kind = OPERATION_NEW, .target = (at), .source = (type), .options = (opts), .flags = (bits), .need = (must), \
	 .makes_target = true, .magic = (f_type)}
#define SEAL(at, bits, must)      {.kind = OPERATION_BIND, .place = SOURCE_TARGET, .target = (at), .flags = (bits), .need = (must)}
#define FROM(where, src, at, bits, must) \
	{.kind = OPERATION_BIND, .place = (where), .source = (src), .target = (at), .flags = (bits), .need = (must), \
	 .makes_target = (where) == SOURCE_SYSFS}
#define COVER(at)                 {.kind = OPERATION_COVER, .target = (at), .need = NEED_IF_EXISTS}

const struct api_mount api_mounts[] = {
	{{.kind = OPERATION_BASE, .target = "/"},                                                   API_ALWAYS},
	/* Root inside may have no right to make it. */
	{{.kind = OPERATION_DIRECTORY, .target = "/tmp"},                                           API_TMP | API_OWN_IDS},
	{{.kind = OPERATION_NEW, .target = "/tmp", .source = "tmpfs", .options = TMP_OPTIONS, .flags = NOSUID | NODEV | STRICT,
	  .makes_target = true, .skips_mount_point = true},                                         API_TMP},
	{NEW("/sys", "sysfs", NULL, RO | LOCKED, NEED_FATAL, SYSFS_MAGIC),                          API_SYSFS_WHOLE | API_PROTECTED},
	{NEW("/sys", "sysfs", NULL, LOCKED, NEED_FATAL, SYSFS_MAGIC),                               API_SYSFS_WHOLE | API_SYSFS_WRITABLE},
	{NEW("/sys", "tmpfs", "mode=0555,size=4m,nr_inodes=1k", LOCKED, NEED_FATAL, TMPFS_MAGIC),   API_SYSFS_SKELETON},
	{NEW("/dev", "tmpfs", "mode=0755,size=4m,nr_inodes=64k", NOSUID | STRICT, NEED_FATAL, TMPFS_MAGIC), API_ALWAYS},
	{{.kind = OPERATION_DEVICES, .target = "/dev"},                                             API_ALWAYS},
	{NEW("/dev/shm", "tmpfs", TMP_OPTIONS, NOSUID | NODEV | STRICT, NEED_FATAL, TMPFS_MAGIC),   API_ALWAYS},
	{NEW("/dev/pts", "devpts", PTS_OPTIONS, NOSUID | NOEXEC, NEED_FATAL, DEVPTS_SUPER_MAGIC),   API_ALWAYS},
	{NEW("/dev/mqueue", "mqueue", NULL, LOCKED, NEED_NICE, 0),                                  API_ALWAYS},
	{NEW("/run", "tmpfs", "mode=0755,size=20%,nr_inodes=800k", NOSUID | NODEV | STRICT, NEED_FATAL, TMPFS_MAGIC), API_ALWAYS},
	{{.kind = OPERATION_RUN_HOST, .target = "/run"},                                            API_ALWAYS},
	{SEAL("/run/host", RO | LOCKED, NEED_FATAL),                                                API_ALWAYS},
	{NEW("/proc", "proc", NULL, LOCKED, NEED_FATAL, PROC_SUPER_MAGIC),                          API_ALWAYS},

	/* The kernel's settings belong to the host, but for those of a network that is the payload's own. */
	{SEAL("/proc/sys", RO | LOCKED, NEED_FATAL),                                                API_PROTECTED},
	{SEAL("/proc/sys/net", WRITABLE | LOCKED, NEED_IF_EXISTS),                                             API_PROTECTED | API_NET_SYSCTL},
	{COVER("/proc/kallsyms"),                                                                   API_PROTECTED},
	{COVER("/proc/kcore"),                                                                      API_PROTECTED},
	{COVER("/proc/keys"),                                                                       API_PROTECTED},
	{COVER("/proc/sysrq-trigger"),                                                              API_PROTECTED},
	{COVER("/proc/timer_list"),                                                                 API_PROTECTED},
	{SEAL("/proc/acpi", RO | LOCKED, NEED_IF_EXISTS),                                           API_PROTECTED},
	{SEAL("/proc/apm", RO | LOCKED, NEED_IF_EXISTS),                                            API_PROTECTED},
	{SEAL("/proc/asound", RO | LOCKED, NEED_IF_EXISTS),                                         API_PROTECTED},
	{SEAL("/proc/bus", RO | LOCKED, NEED_IF_EXISTS),                                            API_PROTECTED},
	{SEAL("/proc/fs", RO | LOCKED, NEED_IF_EXISTS),                                             API_PROTECTED},
	{SEAL("/proc/irq", RO | LOCKED, NEED_IF_EXISTS),                                            API_PROTECTED},
	{SEAL("/proc/scsi", RO | LOCKED, NEED_IF_EXISTS),                                           API_PROTECTED},
	/* Each start looks like a boot of its own, and reads no kernel log of the host. */
	{FROM(SOURCE_TREE, "/run/host/proc-sys-kernel-random-boot-id", "/proc/sys/kernel/random/boot_id", RO | LOCKED, NEED_FATAL), API_ALWAYS},
	{FROM(SOURCE_TREE, "/run/host/proc-kmsg", "/proc/kmsg", LOCKED, NEED_IF_EXISTS),            API_ALWAYS},

	/* Firmware, modules, power and kernel parameters stay out of a machine with its own network. */
	{FROM(SOURCE_SYSFS, "block", "/sys/block", RO | LOCKED, NEED_IF_EXISTS),                    API_SYSFS_SKELETON},
	{FROM(SOURCE_SYSFS, "bus", "/sys/bus", RO | LOCKED, NEED_IF_EXISTS),                        API_SYSFS_SKELETON},
	{FROM(SOURCE_SYSFS, "class", "/sys/class", RO | LOCKED, NEED_IF_EXISTS),                    API_SYSFS_SKELETON},
	{FROM(SOURCE_SYSFS, "dev", "/sys/dev", RO | LOCKED, NEED_IF_EXISTS),                        API_SYSFS_SKELETON},
	{FROM(SOURCE_SYSFS, "devices", "/sys/devices", RO | LOCKED, NEED_IF_EXISTS),                API_SYSFS_SKELETON},
	{FROM(SOURCE_SYSFS, "kernel", "/sys/kernel", RO | LOCKED, NEED_IF_EXISTS),                  API_SYSFS_SKELETON},
	{{.kind = OPERATION_DIRECTORY, .target = "/sys/fs/cgroup"},                                 API_SYSFS_SKELETON},
	{{.kind = OPERATION_DIRECTORY, .target = "/sys/fs/bpf"},                                    API_SYSFS_SKELETON},
	{{.kind = OPERATION_REMOUNT, .target = "/sys", .flags = RO | LOCKED},                       API_SYSFS_SKELETON},
};
/* clang-format on */

const size_t api_mount_count = ARRAY_LEN(api_mounts);

const struct mount_operation api_cgroup_mount = {
	.kind = OPERATION_NEW,
	.target = "/sys/fs/cgroup",
	.source = "cgroup2",
	.options = "nsdelegate,memory_recursiveprot",
	.flags = LOCKED,
	.need = NEED_NICE,
};
