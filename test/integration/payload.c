/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program that tests run inside a machine: it answers questions about the place it finds itself
 * in as one JSON object on its standard output, or does one thing and tells how that went.
 *
 *	payload QUESTION...		answers each, for example "payload mounts caps env"
 *	payload ACTION [WORD...]	does one thing, for example "payload exit 7"
 * Where there is a file /payload.report it answers the questions in that, whatever its words are:
 * programs that call nspawn have words of their own. "exit=7" in the file is the exit code,
 * and "stderr" says something there at the end.
 *
 * Static, so that a tree needs nothing else. It never fails quietly: what it cannot find out it
 * answers with the error number.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char **own_words;

/* --- JSON, just enough --- */

static const char *separator = "";

static void put_string(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			printf("\\u%04x", *p);
		else
			putchar(*p);
	putchar('"');
}

static void open_value(char bracket)
{
	putchar(bracket);
	separator = "";
}

static void close_value(char bracket)
{
	putchar(bracket);
	separator = ", ";
}

static void put_key(const char *key)
{
	printf("%s", separator);
	put_string(key);
	printf(": ");
	separator = ", ";
}

static void put_item_string(const char *text)
{
	printf("%s", separator);
	put_string(text);
	separator = ", ";
}

static void put_key_string(const char *key, const char *text)
{
	put_key(key);
	put_string(text);
}

static void put_key_number(const char *key, long long number)
{
	put_key(key);
	printf("%lld", number);
}

/* --- files --- */

/* The whole file as an allocated string, or NULL with errno set. */
/* ret_size may be NULL; a NUL follows the text, which may hold others. */
static char *read_whole(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, used = 0;
	char *text = NULL;

	if (!file)
		return NULL;
	for (;;) {
		if (used + 4096 > size)
			text = realloc(text, size = (size ? size * 2 : 8192));
		size_t n = fread(text + used, 1, size - used - 1, file);
		if (n == 0)
			break;
		used += n;
	}
	text[used] = 0;
	if (ret_size)
		*ret_size = used;
	if (ferror(file)) {
		int error = errno;
		fclose(file);
		free(text);
		errno = error;
		return NULL;
	}
	fclose(file);
	return text;
}

static void put_key_file(const char *key, const char *path)
{
	char *text = read_whole(path, NULL);

	if (text)
		put_key_string(key, text);
	else
		put_key_number(key, errno);
	free(text);
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}

static void put_stat(const char *path)
{
	char link[PATH_MAX] = "", number[32];
	struct statfs fs;
	struct stat st;

	open_value('{');
	if (lstat(path, &st) < 0) {
		put_key_number("errno", errno);
		close_value('}');
		return;
	}
	put_key_string("type", type_name(st.st_mode));
	put_key_number("mode", st.st_mode & 07777);
	put_key_number("uid", st.st_uid);
	put_key_number("gid", st.st_gid);
	put_key_number("size", st.st_size);
	put_key_number("inode", (long long)st.st_ino);
	snprintf(number, sizeof number, "%u:%u", major(st.st_dev), minor(st.st_dev));
	put_key_string("dev", number);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		snprintf(number, sizeof number, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
		put_key_string("rdev", number);
	}
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, link, sizeof link - 1);
		if (n >= 0)
			put_key_string("link", link);
	} else if (statfs(path, &fs) == 0) {
		put_key_number("fs_type", fs.f_type);
		put_key_number("fs_flags", fs.f_flags);
		put_key_number("fs_size", (long long)fs.f_blocks * fs.f_bsize);
		put_key_number("fs_inodes", (long long)fs.f_files);
	}
	close_value('}');
}

/* --- questions --- */

static void unescape_octal(char *text)
{
	char *to = text;

	for (char *from = text; *from;)
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 +
				       (from[3] - '0'));
			from += 4;
		} else
			*to++ = *from++;
	*to = 0;
}

/* One line: ID PARENT MAJ:MIN ROOT TARGET OPTIONS [OPTIONAL...] - TYPE SOURCE SUPER */
static void put_mount(char *line)
{
	static const char *const before[] = {"id", "parent", "dev", "root", "target", "options"};
	static const char *const after[] = {"type", "source", "super"};
	char optional[256] = "", *word, *rest = NULL;
	size_t field = 0;
	bool dash = false;

	printf("%s", separator);
	open_value('{');
	for (word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		unescape_octal(word);
		if (!dash && field < 6)
			put_key_string(before[field++], word);
		else if (!dash && strcmp(word, "-") == 0)
			dash = true, field = 0;
		else if (!dash)
			strncat(strncat(optional, word, sizeof optional - strlen(optional) - 2),
				" ", 2);
		else if (field < 3)
			put_key_string(after[field++], word);
	}
	put_key_string("propagation", optional);
	close_value('}');
}

static void ask_mounts(void)
{
	char *text = read_whole("/proc/self/mountinfo", NULL), *rest = NULL;

	open_value('[');
	if (text)
		for (char *line = strtok_r(text, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			put_mount(line);
	close_value(']');
	free(text);
}

static void put_status_line(const char *text, const char *name, const char *key, int base)
{
	char wanted[64];
	const char *found;

	snprintf(wanted, sizeof wanted, "\n%s:\t", name);
	found = strstr(text, wanted);
	put_key(key);
	printf("%llu", found ? strtoull(found + strlen(wanted), NULL, base) : 0);
}

static void ask_caps(void)
{
	char *text = read_whole("/proc/self/status", NULL);

	open_value('{');
	if (text) {
		put_status_line(text, "CapInh", "inheritable", 16);
		put_status_line(text, "CapPrm", "permitted", 16);
		put_status_line(text, "CapEff", "effective", 16);
		put_status_line(text, "CapBnd", "bounding", 16);
		put_status_line(text, "CapAmb", "ambient", 16);
		put_status_line(text, "NoNewPrivs", "no_new_privs", 10);
		put_status_line(text, "Seccomp", "seccomp", 10);
		put_status_line(text, "Seccomp_filters", "filters", 10);
	}
	put_key_number("securebits", prctl(PR_GET_SECUREBITS));
	put_key_number("keep_caps", prctl(PR_GET_KEEPCAPS));
	put_key_number("dumpable", prctl(PR_GET_DUMPABLE));
	put_key_number("pdeathsig", ({
			       int s = -1;
			       prctl(PR_GET_PDEATHSIG, &s);
			       s;
		       }));
	close_value('}');
	free(text);
}

static void ask_signals(void)
{
	char *text = read_whole("/proc/self/status", NULL);

	open_value('{');
	if (text) {
		put_status_line(text, "SigPnd", "pending", 16);
		put_status_line(text, "SigBlk", "blocked", 16);
		put_status_line(text, "SigIgn", "ignored", 16);
		put_status_line(text, "SigCgt", "caught", 16);
	}
	close_value('}');
	free(text);
}

static void ask_limits(void)
{
	static const struct {
		const char *name;
		__rlimit_resource_t resource;
	} limits[] = {
		{"AS", RLIMIT_AS},
		{"CORE", RLIMIT_CORE},
		{"CPU", RLIMIT_CPU},
		{"DATA", RLIMIT_DATA},
		{"FSIZE", RLIMIT_FSIZE},
		{"LOCKS", RLIMIT_LOCKS},
		{"MEMLOCK", RLIMIT_MEMLOCK},
		{"MSGQUEUE", RLIMIT_MSGQUEUE},
		{"NICE", RLIMIT_NICE},
		{"NOFILE", RLIMIT_NOFILE},
		{"NPROC", RLIMIT_NPROC},
		{"RSS", RLIMIT_RSS},
		{"RTPRIO", RLIMIT_RTPRIO},
		{"RTTIME", RLIMIT_RTTIME},
		{"SIGPENDING", RLIMIT_SIGPENDING},
		{"STACK", RLIMIT_STACK},
	};

	open_value('{');
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit limit = {0};

		getrlimit(limits[i].resource, &limit);
		put_key(limits[i].name);
		printf("[%lld, %lld]", (long long)limit.rlim_cur, (long long)limit.rlim_max);
	}
	close_value('}');
}

static void ask_env(void)
{
	open_value('[');
	for (char **assignment = environ; *assignment; assignment++)
		put_item_string(*assignment);
	close_value(']');
}

static void ask_ids(void)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid, groups[256];
	int n = getgroups(256, groups);

	getresuid(&ruid, &euid, &suid);
	getresgid(&rgid, &egid, &sgid);
	open_value('{');
	put_key("uid");
	printf("[%u, %u, %u]", ruid, euid, suid);
	put_key("gid");
	printf("[%u, %u, %u]", rgid, egid, sgid);
	put_key("groups");
	putchar('[');
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? ", " : "", groups[i]);
	putchar(']');
	close_value('}');
}

static void ask_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	open_value('{');
	while (dir && (entry = readdir(dir))) {
		char target[PATH_MAX] = "";

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) >= 0)
			put_key_string(entry->d_name, target);
	}
	close_value('}');
	if (dir)
		closedir(dir);
}

static void ask_tty(void)
{
	struct winsize size = {0};

	open_value('{');
	put_key("isatty");
	printf("[%d, %d, %d]", isatty(0), isatty(1), isatty(2));
	put_key_number("pid", getpid());
	put_key_number("ppid", getppid());
	put_key_number("session", getsid(0));
	put_key_number("group", getpgrp());
	put_key_number("foreground", tcgetpgrp(0));
	put_key_number("tty_session", tcgetsid(0));
	put_key_string("name", isatty(0) && ttyname(0) ? ttyname(0) : "");
	if (ioctl(0, TIOCGWINSZ, &size) == 0) {
		put_key_number("rows", size.ws_row);
		put_key_number("columns", size.ws_col);
	}
	put_key("opens_tty");
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	printf("%d", fd < 0 ? errno : 0);
	if (fd >= 0)
		close(fd);
	close_value('}');
}

static void walk(const char *path, int depth)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char below[PATH_MAX];
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		put_key(below);
		put_stat(below);
		if (depth > 0 && lstat(below, &st) == 0 && S_ISDIR(st.st_mode))
			walk(below, depth - 1);
	}
	if (dir)
		closedir(dir);
}

static void ask_devices(void)
{
	open_value('{');
	walk("/dev", 4);
	close_value('}');
}

static void ask_namespaces(void)
{
	static const char *const names[] = {"cgroup", "ipc",  "mnt", "net",
					    "pid",    "user", "uts", "time"};

	open_value('{');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[64], target[64] = "";

		snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
		if (readlink(path, target, sizeof target - 1) >= 0)
			put_key_string(names[i], target);
	}
	close_value('}');
}

static void ask_system(void)
{
	struct utsname name;
	char cwd[PATH_MAX] = "";
	cpu_set_t cpus;

	uname(&name);
	open_value('{');
	put_key_string("hostname", name.nodename);
	put_key_string("domainname", name.domainname);
	put_key_string("machine", name.machine);
	put_key_string("cwd", getcwd(cwd, sizeof cwd) ? cwd : "?");
	put_key_number("personality", personality(0xffffffff));
	put_key_number("umask", ({
			       mode_t m = umask(0);
			       umask(m);
			       (int)m;
		       }));
	put_key_file("cgroup", "/proc/self/cgroup");
	put_key_file("oom_score_adj", "/proc/self/oom_score_adj");
	put_key_file("loginuid", "/proc/self/loginuid");
	put_key_file("comm", "/proc/self/comm");
	put_key_number("priority", getpriority(PRIO_PROCESS, 0));
	put_key("affinity");
	putchar('[');
	if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
		for (int i = 0, first = 1; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &cpus))
				printf("%s%d", first ? "" : ", ", i), first = 0;
	putchar(']');
	close_value('}');
}

static void ask_keyring(void)
{
	char text[256] = "";
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	open_value('{');
	put_key_number("id", id < 0 ? -errno : id);
	if (id >= 0 && syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, text, sizeof text - 1) >= 0)
		put_key_string("description", text);
	close_value('}');
}

static void ask_links(void)
{
	DIR *dir = opendir("/sys/class/net");
	struct dirent *entry;

	open_value('{');
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			char path[PATH_MAX];

			snprintf(path, sizeof path, "/sys/class/net/%s/flags", entry->d_name);
			put_key_file(entry->d_name, path);
		}
	close_value('}');
	if (dir)
		closedir(dir);
}

static void ask_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	open_value('{');
	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) > 0) {
			char path[PATH_MAX];

			snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
			put_key_file(entry->d_name, path);
		}
	close_value('}');
	if (dir)
		closedir(dir);
}

static void ask_argv(void)
{
	open_value('[');
	for (char **word = own_words; *word; word++)
		put_item_string(*word);
	close_value(']');
}

/* What comes on standard input until its end. */
static void ask_input(void)
{
	char *text = NULL;
	size_t size = 0;

	put_string(getdelim(&text, &size, 0, stdin) >= 0 ? text : "");
	free(text);
}

static const struct {
	const char *name;
	void (*ask)(void);
} questions[] = {
	{"mounts", ask_mounts},   {"caps", ask_caps},
	{"signals", ask_signals}, {"limits", ask_limits},
	{"env", ask_env},         {"ids", ask_ids},
	{"fds", ask_fds},         {"tty", ask_tty},
	{"devices", ask_devices}, {"namespaces", ask_namespaces},
	{"system", ask_system},   {"keyring", ask_keyring},
	{"links", ask_links},     {"processes", ask_processes},
	{"argv", ask_argv},       {"input", ask_input},
};

/* --- actions: each prints its own JSON or nothing, and returns the exit code --- */

static int answer_errno(long result)
{
	printf("{\"result\": %ld, \"errno\": %d}\n", result, result < 0 ? errno : 0);
	return 0;
}

static int do_exit(char **words)
{
	return atoi(words[0]);
}

static int do_kill_self(char **words)
{
	int signo = atoi(words[0]);

	signal(signo, SIG_DFL);
	if (getpid() != 1)
		return kill(getpid(), signo);
	/*
	 * A PID 1 ignores what it sends itself, but not what the kernel sends it for a fault of its
	 * own.
	 */
	if (signo == SIGSEGV)
		*(volatile char *)0 = 0;
	if (signo == SIGILL)
		__builtin_trap();
	return 99;
}

static int do_sleep(char **words)
{
	printf("sleeping\n");
	fflush(stdout);
	sleep((unsigned)atoi(words[0]));
	return 0;
}

/* Waits for any signal of the given list, prints which came, and exits with the second word. */
static int do_wait_signal(char **words)
{
	sigset_t set;
	int signo = 0;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("waiting\n");
	fflush(stdout);
	do
		sigwait(&set, &signo);
	while (signo == SIGCHLD || signo == SIGWINCH || signo == SIGCONT);
	printf("signal %d\n", signo);
	/*
	 * Those that came together are all told: the kernel hands them out by number, not by time.
	 */
	while ((signo = sigtimedwait(&set, NULL, &(struct timespec){.tv_nsec = 200000000})) > 0)
		printf("signal %d\n", signo);
	fflush(stdout);
	return words[0] ? atoi(words[0]) : 0;
}

static int do_wait_winch(char **words)
{
	struct winsize size = {0};
	sigset_t set;
	int signo;

	(void)words;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ioctl(0, TIOCGWINSZ, &size);
	printf("size %dx%d\n", size.ws_row, size.ws_col);
	fflush(stdout);
	sigwait(&set, &signo);
	ioctl(0, TIOCGWINSZ, &size);
	printf("now %dx%d\n", size.ws_row, size.ws_col);
	return 0;
}

static int do_echo(char **words)
{
	for (; *words; words++)
		printf("%s%s", *words, words[1] ? " " : "\n");
	return 0;
}

static int do_split(char **words)
{
	(void)words;
	fprintf(stdout, "to stdout\n");
	fflush(stdout);
	fprintf(stderr, "to stderr\n");
	return 0;
}

/* Copies standard input to standard output until end of file. */
static int do_cat(char **words)
{
	static char buffer[1 << 16];
	ssize_t n;

	(void)words;
	while ((n = read(0, buffer, sizeof buffer)) > 0)
		for (ssize_t done = 0, w; done < n; done += w)
			if ((w = write(1, buffer + done, (size_t)(n - done))) < 0)
				return 98;
	return n < 0 ? 97 : 0;
}

/* Writes COUNT bytes of a fixed pattern that no terminal translation would leave alone. */
static int do_pour(char **words)
{
	static unsigned char buffer[1 << 16];
	long long left = atoll(words[0]);
	uint32_t state = 1;

	while (left > 0) {
		size_t n = left < (long long)sizeof buffer ? (size_t)left : sizeof buffer;

		for (size_t i = 0; i < n; i++) {
			state = state * 1664525u + 1013904223u;
			buffer[i] = (unsigned char)(state >> 24);
		}
		for (size_t done = 0; done < n;) {
			ssize_t w = write(1, buffer + done, n - done);

			if (w < 0)
				return 98;
			done += (size_t)w;
		}
		left -= (long long)n;
	}
	return 0;
}

static int do_read(char **words)
{
	size_t size;
	char *text = read_whole(words[0], &size);

	if (!text)
		return answer_errno(-1);
	(void)fwrite(text, 1, size, stdout);
	free(text);
	return 0;
}

static int do_write(char **words)
{
	int fd = open(words[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);

	if (fd < 0)
		return answer_errno(-1);
	return answer_errno(write(fd, words[1], strlen(words[1])));
}

static int do_open(char **words)
{
	return answer_errno(
		open(words[0], (int)strtol(words[1], NULL, 0) | O_CLOEXEC | O_NOCTTY, 0600));
}

static int do_mkdir(char **words)
{
	return answer_errno(mkdir(words[0], 0755));
}

static int do_stat(char **words)
{
	open_value('{');
	for (; *words; words++) {
		put_key(*words);
		put_stat(*words);
	}
	close_value('}');
	putchar('\n');
	return 0;
}

static int do_list(char **words)
{
	open_value('{');
	walk(words[0], words[1] ? atoi(words[1]) : 0);
	close_value('}');
	putchar('\n');
	return 0;
}

static int do_mount(char **words)
{
	return answer_errno(
		mount(words[0], words[1], words[2], strtoul(words[3], NULL, 0), words[4]));
}

static int do_umount(char **words)
{
	return answer_errno(umount2(words[0], MNT_DETACH));
}

/* "syscall NR[,ARG...]..." answers the list of error numbers, 0 for those that worked. */
static long one_syscall(char *spec)
{
	unsigned long long argument[7] = {0};
	char *rest = NULL;
	int n = 0;

	for (char *word = strtok_r(spec, ",", &rest); word && n < 7;
	     word = strtok_r(NULL, ",", &rest))
		argument[n++] = strtoull(word, NULL, 0);
	errno = 0;
	long result = syscall((long)argument[0], argument[1], argument[2], argument[3], argument[4],
			      argument[5], argument[6]);
	return result < 0 ? errno : 0;
}

static int do_syscall(char **words)
{
	putchar('[');
	for (int i = 0; words[i]; i++)
		printf("%s%ld", i ? ", " : "", one_syscall(words[i]));
	puts("]");
	return 0;
}

/* The same through the 32-bit entry, where the machine has one. */
static long one_syscall32(char *spec)
{
	unsigned long argument[6] = {0};
	char *rest = NULL;
	long result = -ENOSYS;
	int n = 0;

	for (char *word = strtok_r(spec, ",", &rest); word && n < 6;
	     word = strtok_r(NULL, ",", &rest))
		argument[n++] = strtoul(word, NULL, 0);
#ifdef __x86_64__
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(argument[0]), "b"(argument[1]), "c"(argument[2]), "d"(argument[3]),
			   "S"(argument[4]), "D"(argument[5])
			 : "r8", "r9", "r10", "r11", "memory");
	result = (int)result;
#endif
	return result < 0 && result > -4096 ? -result : 0;
}

static int do_syscall32(char **words)
{
	putchar('[');
	for (int i = 0; words[i]; i++)
		printf("%s%ld", i ? ", " : "", one_syscall32(words[i]));
	puts("]");
	return 0;
}

static int do_notify(char **words)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!path || fd < 0)
		return 96;
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	for (; *words; words++)
		if (sendto(fd, *words, strlen(*words), 0, (struct sockaddr *)&address,
			   sizeof address) < 0)
			return answer_errno(-1);
	printf("sent\n");
	fflush(stdout);
	if (getenv("NOTIFY_THEN_SLEEP"))
		sleep(2);
	return 0;
}

/* Accepts one connection on each passed descriptor and greets it. */
/* Its standard input into the stream socket at this path. */
static int do_send(char **words)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buffer[4096];
	ssize_t got;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", words[0]);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return answer_errno(-1);
	while ((got = read(0, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)got) != got)
			return answer_errno(-1);
	return answer_errno(0);
}

static int do_greet(char **words)
{
	int fd = accept(3, NULL, NULL);

	if (fd < 0)
		return 95;
	dprintf(fd, "%s pid=%d LISTEN_PID=%s LISTEN_FDS=%s\n", words[0] ? words[0] : "hello",
		getpid(), getenv("LISTEN_PID") ?: "-", getenv("LISTEN_FDS") ?: "-");
	return 0;
}

/* Tries to push a byte into the input of whatever terminal the first three descriptors are. */
static int do_tiocsti(char **words)
{
	(void)words;
	putchar('[');
	for (int fd = 0; fd < 3; fd++) {
		char byte = 'X';

		errno = 0;
		long plain = syscall(SYS_ioctl, fd, (unsigned long)TIOCSTI, &byte) < 0 ? errno : 0;
		errno = 0;
		long high = syscall(SYS_ioctl, fd, (unsigned long)TIOCSTI | (1UL << 32), &byte) < 0
				    ? errno
				    : 0;
		printf("%s[%ld, %ld]", fd ? ", " : "", plain, high);
	}
	puts("]");
	return 0;
}

/* Leaves an orphan behind, waits until it has died, and counts the zombies anyone can see. */
static int do_orphan(char **words)
{
	int zombies = 0;
	DIR *dir;
	struct dirent *entry;

	(void)words;
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			if (fork() == 0) {
				usleep(50000);
				_exit(0);
			}
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	usleep(400000);
	dir = opendir("/proc");
	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) > 0) {
			char path[PATH_MAX], *text;

			snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
			text = read_whole(path, NULL);
			zombies += text && strstr(text, ") Z ") != NULL;
			free(text);
		}
	if (dir)
		closedir(dir);
	printf("{\"pid\": %d, \"ppid\": %d, \"zombies\": %d}\n", getpid(), getppid(), zombies);
	return 0;
}

static int do_reboot(char **words)
{
	sync();
	return answer_errno(reboot(strcmp(words[0], "restart") == 0 ? RB_AUTOBOOT : RB_POWER_OFF));
}

static int do_unshare(char **words)
{
	return answer_errno(unshare((int)strtol(words[0], NULL, 0)));
}

static const struct {
	const char *name;
	int words;
	int (*act)(char **words);
} actions[] = {
	{"exit", 1, do_exit},
	{"kill-self", 1, do_kill_self},
	{"sleep", 1, do_sleep},
	{"echo", 0, do_echo},
	{"split", 0, do_split},
	{"cat", 0, do_cat},
	{"pour", 1, do_pour},
	{"read", 1, do_read},
	{"write", 2, do_write},
	{"open", 2, do_open},
	{"mkdir", 1, do_mkdir},
	{"stat", 1, do_stat},
	{"list", 1, do_list},
	{"mount", 4, do_mount},
	{"umount", 1, do_umount},
	{"syscall", 1, do_syscall},
	{"syscall32", 1, do_syscall32},
	{"notify", 1, do_notify},
	{"greet", 0, do_greet},
	{"send", 1, do_send},
	{"tiocsti", 0, do_tiocsti},
	{"orphan", 0, do_orphan},
	{"reboot", 1, do_reboot},
	{"unshare", 1, do_unshare},
	{"wait-signal", 0, do_wait_signal},
	{"wait-winch", 0, do_wait_winch},
};

static bool answer(const char *name)
{
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (strcmp(name, questions[i].name) == 0) {
			put_key(name);
			questions[i].ask();
			return true;
		}
	return false;
}

static int report(char *text)
{
	char *rest = NULL, *last_words = "";
	int code = 0;

	open_value('{');
	for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		if (strncmp(word, "exit=", 5) == 0)
			code = atoi(word + 5);
		else if (strcmp(word, "stderr") == 0)
			last_words = "said on standard error\n";
		else if (!answer(word))
			return 100;
	close_value('}');
	putchar('\n');
	if (fflush(stdout) != 0)
		return 101;
	fputs(last_words, stderr);
	return code;
}

int main(int argc, char **argv)
{
	char *wanted = read_whole("/payload.report", NULL);

	own_words = argv;
	if (wanted)
		return report(wanted);
	for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof *actions; i++)
		if (strcmp(argv[1], actions[i].name) == 0 && argc - 2 >= actions[i].words)
			return actions[i].act(argv + 2);

	open_value('{');
	for (int i = 1; i < argc; i++)
		if (!answer(argv[i])) {
			fprintf(stderr, "payload: there is no '%s'\n", argv[i]);
			return 100;
		}
	close_value('}');
	putchar('\n');
	return fflush(stdout) == 0 ? 0 : 101;
}
