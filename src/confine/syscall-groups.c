/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy of the syscall filter as tables: groups, what is always allowed, what a capability
 * allows, what is knowingly refused and why. A call in none of them, and a number without a name,
 * does not exist in the payload's eyes (ENOSYS), so that a C library that tries a newer call first
 * falls back to an older one. What is refused is EPERM.
 * Zone: any.
 *
 * A call that a future kernel adds needs one word in one of these lists, and a row in the
 * supplement of generate-filter.c until libseccomp knows it. A unit test fails while a call up to
 * SYSCALL_NEWEST is in no list.
 */
#include "confine/syscall-tables.h"

#include <linux/capability.h>
#include <string.h>

/* clang-format off */
const struct syscall_group syscall_groups[] = {
	{ "@aio", "asynchronous input and output",
	  "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit "
	  "io_uring_enter io_uring_register io_uring_setup" },
	{ "@basic-io", "reading, writing, descriptors",
	  "_llseek close close_range dup dup2 dup3 llseek lseek pread64 preadv preadv2 pwrite64 "
	  "pwritev pwritev2 read readv write writev" },
	{ "@chown", "owners of files",
	  "chown chown32 fchown fchown32 fchownat lchown lchown32" },
	{ "@clock", "setting the time",
	  "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday" },
	{ "@cpu-emulation", "odd processor modes",
	  "modify_ldt subpage_prot switch_endian vm86 vm86old" },
	{ "@debug", "looking into other programs",
	  "lookup_dcookie perf_event_open pidfd_getfd ptrace rtas s390_runtime_instr "
	  "sys_debug_setcontext" },
	{ "@default", "what every program needs",
	  "@sandbox arch_prctl brk cacheflush clock_getres clock_getres_time64 clock_gettime "
	  "clock_gettime64 clock_nanosleep clock_nanosleep_time64 execve exit exit_group futex "
	  "futex_time64 futex_waitv get_robust_list get_thread_area getegid getegid32 geteuid "
	  "geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getrandom "
	  "getresgid getresgid32 getresuid getresuid32 getrlimit getsid gettid gettimeofday getuid "
	  "getuid32 lsm_get_self_attr lsm_list_modules membarrier mmap mmap2 mprotect mseal munmap "
	  "nanosleep pause prlimit64 restart_syscall riscv_flush_icache riscv_hwprobe rseq "
	  "rt_sigreturn sched_getaffinity sched_yield set_robust_list set_thread_area "
	  "set_tid_address set_tls sigreturn time ugetrlimit uretprobe" },
	{ "@file-system", "files and directories",
	  "access chdir chmod close creat faccessat faccessat2 fallocate fchdir fchmod fchmodat "
	  "fchmodat2 fcntl fcntl64 fgetxattr file_getattr file_setattr flistxattr fremovexattr "
	  "fsetxattr fstat fstat64 fstatat fstatat64 fstatfs fstatfs64 ftruncate ftruncate64 "
	  "futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init "
	  "inotify_init1 inotify_rm_watch lgetxattr link linkat listmount listxattr listxattrat "
	  "llistxattr lremovexattr lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat newfstat "
	  "newfstatat oldfstat oldlstat oldstat open openat openat2 readlink readlinkat removexattr "
	  "removexattrat rename renameat renameat2 rmdir setxattr setxattrat stat stat64 statfs "
	  "statfs64 statmount statx symlink symlinkat truncate truncate64 unlink unlinkat utime "
	  "utimensat utimensat_time64 utimes" },
	{ "@io-event", "waiting for descriptors",
	  "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
	  "epoll_wait epoll_wait_old eventfd eventfd2 poll ppoll ppoll_time64 pselect6 "
	  "pselect6_time64 select" },
	{ "@ipc", "pipes, queues, shared memory",
	  "ipc memfd_create mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
	  "mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 "
	  "process_madvise process_vm_readv process_vm_writev semctl semget semop semtimedop "
	  "semtimedop_time64 shmat shmctl shmdt shmget" },
	{ "@keyring", "keys held by the kernel", "add_key keyctl request_key" },
	{ "@memlock", "memory that is not swapped", "mlock mlock2 mlockall munlock munlockall" },
	{ "@module", "kernel modules", "delete_module finit_module init_module" },
	{ "@mount", "mounts and roots",
	  "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree "
	  "open_tree_attr pivot_root umount umount2" },
	{ "@network-io", "sockets",
	  "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom "
	  "recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket "
	  "socketcall socketpair" },
	{ "@obsolete", "retired",
	  "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle "
	  "lock mpx prof profil putpmsg query_module security sgetmask ssetmask stime stty sysfs "
	  "tuxcall ulimit uselib ustat vserver" },
	{ "@pkey", "memory protection keys", "pkey_alloc pkey_free pkey_mprotect" },
	{ "@privileged", "what needs some capability",
	  "@chown @clock @module @raw-io @reboot @swap _sysctl acct bpf capset chroot fanotify_init "
	  "fanotify_mark nfsservctl open_by_handle_at pivot_root quotactl quotactl_fd setdomainname "
	  "setfsuid setfsuid32 setgroups setgroups32 sethostname setresuid setresuid32 setreuid "
	  "setreuid32 setuid setuid32 vhangup" },
	{ "@process", "processes and namespaces",
	  "capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl "
	  "rt_sigqueueinfo rt_tgsigqueueinfo setns swapcontext tgkill times tkill unshare vfork "
	  "wait4 waitid waitpid" },
	{ "@raw-io", "ports and buses",
	  "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write s390_pci_mmio_read "
	  "s390_pci_mmio_write" },
	{ "@reboot", "reboot and kexec", "kexec_file_load kexec_load reboot" },
	{ "@resources", "scheduling and limits",
	  "ioprio_set mbind migrate_pages move_pages nice sched_setaffinity sched_setattr "
	  "sched_setparam sched_setscheduler set_mempolicy set_mempolicy_home_node setpriority "
	  "setrlimit" },
	{ "@sandbox", "giving up rights",
	  "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp" },
	{ "@setuid", "ids of the process",
	  "setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 "
	  "setresuid setresuid32 setreuid setreuid32 setuid setuid32" },
	{ "@signal", "signals",
	  "rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait "
	  "rt_sigtimedwait_time64 sigaction sigaltstack signal signalfd signalfd4 sigpending "
	  "sigprocmask sigsuspend" },
	{ "@swap", "swap space", "swapoff swapon" },
	{ "@sync", "flushing to storage",
	  "fdatasync fsync msync sync sync_file_range sync_file_range2 syncfs" },
	{ "@system-service", "what services commonly need",
	  "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io "
	  "@process @resources @setuid @signal @sync @timer arm_fadvise64_64 capget capset "
	  "copy_file_range fadvise64 fadvise64_64 flock get_mempolicy getcpu getpriority ioctl "
	  "ioprio_get kcmp madvise mremap name_to_handle_at oldolduname olduname personality "
	  "readahead readdir remap_file_pages sched_get_priority_max sched_get_priority_min "
	  "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	  "sched_rr_get_interval_time64 sched_yield sendfile sendfile64 setfsgid setfsgid32 "
	  "setfsuid setfsuid32 setpgid setsid splice sysinfo tee umask uname userfaultfd vmsplice" },
	{ "@timer", "timers",
	  "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime "
	  "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
	  "timerfd_gettime64 timerfd_settime timerfd_settime64 times" },
	{ "@known", "every call in the tables", "" },
	{ NULL, NULL, NULL },
};

/*
 * After the groups, calls that no group of the list has. futex_requeue, futex_wait, futex_wake, get_tls,
 * map_shadow_stack and uprobe are newer than the public sets or missing from them, and act on the caller alone.
 * process_vm_readv and process_vm_writev come with @ipc; the kernel itself asks for ptrace rights over their target.
 */
const char syscalls_always_allowed[] =
	"@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @mount @network-io "
	"@process @resources @setuid @signal @sync @timer "
	"arm_fadvise64_64 brk cachestat capget capset copy_file_range fadvise64 fadvise64_64 "
	"flock futex_requeue futex_wait futex_wake get_mempolicy get_tls getcpu getpriority "
	"getrandom ioctl ioprio_get kcmp madvise map_shadow_stack mincore mprotect mremap "
	"name_to_handle_at oldolduname olduname personality readahead readdir remap_file_pages "
	"sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
	"sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	"sched_yield sendfile sendfile64 setdomainname setfsgid setfsgid32 setfsuid setfsuid32 "
	"sethostname setpgid setsid splice sysinfo tee umask uname uprobe userfaultfd vmsplice";

const struct syscall_capability_rule syscall_capability_rules[] = {
	{ CAP_SYS_TIME,      "@clock" },
	{ CAP_SYS_MODULE,    "@module" },
	{ CAP_SYS_RAWIO,     "@raw-io" },
	{ CAP_IPC_LOCK,      "@memlock" },
	{ CAP_SYS_PACCT,     "acct" },
	{ CAP_SYS_PTRACE,    "ptrace" },
	{ CAP_SYS_BOOT,      "reboot" },
	{ CAP_SYSLOG,        "syslog" },
	{ CAP_SYS_TTY_CONFIG,"vhangup" },
	{ CAP_BPF,           "bpf" },
	{ 0,                 NULL },
};

const struct syscall_exclusion syscall_exclusions[] = {
	{ "@cpu-emulation", "switches the processor into modes that no program of a system tree needs" },
	{ "@obsolete", "retired: current programs do not call it" },
	{ "@pkey", "memory protection keys: programs manage without" },
	{ "@swap", "swap space belongs to the host" },
	{ "arm_sync_file_range", "superseded by sync_file_range2" },
	{ "atomic_barrier atomic_cmpxchg_32 getpagesize", "a service that only one architecture once had" },
	{ "breakpoint usr26 usr32", "changes the processor mode or traps, for debuggers of one architecture" },
	{ "cachectl sysmips timerfd", "never did anything that a program can rely on" },
	{ "fanotify_init fanotify_mark", "watches whole file systems, which are shared with the host" },
	{ "kexec_file_load kexec_load", "replaces the kernel of the host" },
	{ "lookup_dcookie", "profiles the whole machine" },
	{ "lsm_set_self_attr", "security labels are given from outside" },
	{ "memfd_secret", "memory that the host can neither swap nor account for" },
	{ "multiplexer rtas spu_create spu_run sys_debug_setcontext", "drives a facility of one processor family" },
	{ "nfsservctl", "removed from the kernel; controlled the NFS server of the host" },
	{ "open_by_handle_at", "opens files by number, and so past the root directory of the payload" },
	{ "perf_event_open", "observes the whole machine" },
	{ "pidfd_getfd", "takes open files out of other processes" },
	{ "process_mrelease", "frees memory of dying processes, for the memory manager of the host" },
	{ "quotactl quotactl_fd", "quotas belong to the file systems of the host" },
	{ "s390_guarded_storage s390_runtime_instr s390_sthyi", "drives a facility of one processor family" },
	{ "syscall", "calls another system call under its own number" },
	{ NULL, NULL },
};
/* clang-format on */

const struct syscall_row *syscall_row_find(const struct syscall_tables *tables, const char *name,
					   size_t len)
{
	size_t low = 0, high = tables->row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *candidate = tables->rows[middle].name;
		int order = strncmp(candidate, name, len);

		if (order == 0 && candidate[len] == '\0')
			return &tables->rows[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *syscall_words_next(const char **cursor, size_t *ret_len)
{
	const char *word = *cursor;

	if (*word == '\0')
		return NULL;
	*ret_len = strcspn(word, " ");
	*cursor = word + *ret_len + strspn(word + *ret_len, " ");
	return word;
}

const struct syscall_group *syscall_group_find(const char *name, size_t len)
{
	for (const struct syscall_group *group = syscall_groups; group->name; group++)
		if (strlen(group->name) == len && memcmp(group->name, name, len) == 0)
			return group;
	return NULL;
}
