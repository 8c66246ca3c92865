/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds, decides and sets the labels of security modules.
 * Zone: free down to labels_plan(), doomed below.
 */
#include "confine/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"

#define LABEL_TEXT_MAX 4608

/* --- Found --- */

void label_facts_gather(const struct config *config, struct label_facts *ret)
{
	struct statfs status;
	char text[64];

	if (config->selinux_context || config->selinux_apifs_context)
		ret->has_selinux = statfs("/sys/fs/selinux", &status) == 0 &&
				   (unsigned long)status.f_type == SELINUX_MAGIC;
	if (config->apparmor_profile) {
		/* Absent without the module, and unreadable where it is there but not in use. */
		auto_close int fd = open("/proc/self/attr/apparmor/current", O_RDONLY | O_CLOEXEC);

		ret->has_apparmor = fd >= 0 && read(fd, text, sizeof(text)) > 0;
	}
}

/* --- Decided --- */

bool label_plan_is_set(const struct label_plan *plan)
{
	return plan->selinux_context || plan->apparmor_profile;
}

int labels_plan(const struct config *config, const struct label_facts *facts,
		struct label_plan *ret)
{
	if (config->selinux_context && !facts->has_selinux)
		note("This kernel runs no SELinux: '--selinux-context' has no effect");
	if (config->selinux_apifs_context && !facts->has_selinux)
		note("This kernel runs no SELinux: '--selinux-apifs-context' has no effect");
	if (facts->has_selinux) {
		ret->selinux_context = config->selinux_context;
		ret->mount_context = config->selinux_apifs_context;
	}
	if (config->apparmor_profile && !facts->has_apparmor) {
		(void)refuse(
			EOPNOTSUPP,
			"The AppArmor profile '%s' cannot confine anything: this kernel runs no AppArmor",
			config->apparmor_profile);
		hint("Leave out '--apparmor-profile', or start the kernel with apparmor among its 'lsm='");
		return -EOPNOTSUPP;
	}
	ret->apparmor_profile = config->apparmor_profile;
	return 0;
}

/* --- Made --- */

/*
 * An attribute of this thread. A tree, or a mount that was asked for and led astray by the tree,
 * could put files of its own over it, which would take any label and change nothing: so the procfs
 * is the one that we made, and no mount in it is entered.
 */
static int open_attribute(int proc_fd, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	char path[64];
	long fd;

	(void)snprintf(path, sizeof(path), "thread-self/attr/%s", name);
	fd = syscall(SYS_openat2, proc_fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* The kernel wants the whole in one write(2). */
static int write_attribute(int fd, const char *text)
{
	size_t length = strlen(text);
	ssize_t written = write(fd, text, length);

	return written < 0 ? -errno : written == (ssize_t)length ? 0 : -EIO;
}

static int read_attribute(int fd, char *text, size_t bytes)
{
	ssize_t length = pread(fd, text, bytes - 1, 0);

	if (length < 0)
		return -errno;
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

bool label_text_says(char *text, const char *profile, const char **ret_mode)
{
	size_t length = strlen(profile);

	if (strncmp(text, profile, length) != 0)
		return false;
	if (text[length] == '\0') {
		*ret_mode = ""; /* "unconfined" has none */
		return true;
	}
	if (text[length] != ' ' || text[length + 1] != '(' || text[strlen(text) - 1] != ')' ||
	    strchr(text + length + 2, '('))
		return false;
	text[strlen(text) - 1] = '\0';
	*ret_mode = text + length + 2;
	return true;
}

static int explain_apparmor(int r, const char *profile)
{
	(void)fail(r, "Cannot put the payload under the AppArmor profile '%s'", profile);
	if (r == -ENOENT)
		hint("No profile of that name is loaded; apparmor_parser(8) loads one: apparmor_parser --replace FILE");
	else if (r == -EACCES || r == -EPERM)
		hint("nspawn is itself confined, by a profile that does not allow the change");
	return r;
}

/* What the kernel keeps, in its own words: "NAME (enforce)". */
static int verify_apparmor(int fd, const char *profile)
{
	char text[LABEL_TEXT_MAX];
	const char *mode;
	int r = read_attribute(fd, text, sizeof(text));

	if (r < 0)
		return fail(r, "Cannot confirm the AppArmor profile '%s' of the payload", profile);
	if (!label_text_says(text, profile, &mode)) {
		(void)refuse(
			EPERM,
			"The payload was put under the AppArmor profile '%s', but the kernel says '%s'",
			profile, text);
		hint("Give the name as /proc/PID/attr/apparmor/current shows it");
		return -EPERM;
	}
	if (strcmp(mode, "complain") == 0 || strcmp(mode, "unconfined") == 0)
		warn(0, "The AppArmor profile '%s' is in %s mode, starting with nothing denied",
		     profile, mode);
	return 0;
}

static int set_apparmor(int proc_fd, const char *profile)
{
	auto_close int fd = open_attribute(proc_fd, "apparmor/exec", O_RDWR);
	char command[LABEL_TEXT_MAX];
	int r = fd;

	(void)snprintf(command, sizeof(command), "exec %s", profile);
	if (r >= 0)
		r = write_attribute(fd, command);
	return r < 0 ? explain_apparmor(r, profile) : verify_apparmor(fd, profile);
}

/*
 * Before a policy is loaded the kernel takes any context, and makes its own of it: so what it says
 * is compared. Its own spelling of categories may differ from what was typed, but they do not make
 * another domain.
 */
bool label_context_says(const char *text, const char *context)
{
	size_t length = 0;

	for (int colons = 0; context[length] && (context[length] != ':' || ++colons < 3);)
		length++;
	return strncmp(text, context, length) == 0 && (text[length] == '\0' || text[length] == ':');
}
static int set_selinux(int proc_fd, const char *context)
{
	auto_close int fd = open_attribute(proc_fd, "exec", O_RDWR);
	char text[LABEL_TEXT_MAX];
	int r = fd;

	if (r >= 0)
		r = write_attribute(fd, context);
	if (r < 0) {
		(void)fail(r, "Cannot give the payload the SELinux context '%s'", context);
		if (r == -EINVAL)
			hint("The policy that is loaded does not know this context");
		else if (r == -EACCES || r == -EPERM)
			hint("The policy must allow 'setexec' to nspawn's own context");
		return r;
	}
	r = read_attribute(fd, text, sizeof(text));
	if (r < 0)
		return fail(r, "Cannot confirm the SELinux context '%s' of the payload", context);
	if (label_context_says(text, context))
		return 0;
	(void)refuse(EPERM,
		     "The payload was given the SELinux context '%s', but the kernel says '%s'",
		     context, text);
	hint("Is a policy loaded, and is it the one that knows this context?");
	return -EPERM;
}

int labels_apply(const struct label_plan *plan, int proc_fd)
{
	if (plan->selinux_context)
		TRY(set_selinux(proc_fd, plan->selinux_context));
	return plan->apparmor_profile ? set_apparmor(proc_fd, plan->apparmor_profile) : 0;
}

int labels_open_self(const struct label_plan *plan, int proc_fd, int *ret_fd)
{
	int fd;

	if (!plan->apparmor_profile)
		return 0;
	fd = open_attribute(proc_fd, "apparmor/current", O_RDWR);
	if (fd < 0)
		return explain_apparmor(fd, plan->apparmor_profile);
	*ret_fd = fd;
	return 0;
}

int labels_confine_self(const struct label_plan *plan, int fd)
{
	char command[LABEL_TEXT_MAX];
	int r;

	if (!plan->apparmor_profile)
		return 0;
	(void)snprintf(command, sizeof(command), "changeprofile %s", plan->apparmor_profile);
	r = write_attribute(fd, command);
	return r < 0 ? explain_apparmor(r, plan->apparmor_profile)
		     : verify_apparmor(fd, plan->apparmor_profile);
}
