/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to systemd-nsresourced and systemd-mountfsd, and what their errors mean.
 * Zone: owing.
 */
#include "ids/nsresource.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "ids/varlink.h"

#define RESOURCES "io.systemd.NamespaceResource."
#define MOUNTS "io.systemd.MountFileSystem."

/* They call a namespace after an allowed user name, with room for a prefix and an id. */
#define NAME_MAX_BYTES 16
#define NAMES_MAX 99

#define ERRNO_MAX 4096 /* the kernel's */

static const char *resources_of(const struct nsresource_sockets *sockets)
{
	return sockets ? sockets->resources : NSRESOURCE_SOCKET;
}

static const char *mounts_of(const struct nsresource_sockets *sockets)
{
	return sockets ? sockets->mounts : MOUNTFS_SOCKET;
}

/* --- What their errors mean --- */

/* clang-format off */
static const struct {
	const char *error, *meaning;
} meanings[] = {
	{RESOURCES "UserNamespaceInterfaceNotSupported", "the kernel lacks what it needs (BPF LSM)"},
	{RESOURCES "DynamicRangeUnavailable", "all its ranges are in use"},
	{RESOURCES "NoDynamicRange", "it gives out no ranges"},
	{RESOURCES "NameExists", "the name is taken"},
	{RESOURCES "UserNamespaceExists", "it knows this namespace already"},
	{RESOURCES "TooManyDelegations", "it does not delegate as many ranges"},
	{MOUNTS "IncompatibleImage", "the tree cannot be mounted so"},
	{"org.varlink.service.PermissionDenied", "its policy does not allow it"},
	{"io.systemd.InteractiveAuthenticationRequired", "its policy (polkit) wants to ask an administrator first"},
	{"org.varlink.service.MethodNotFound", "it is too old to know how"},
	{"org.varlink.service.InvalidParameter", "it is too old, or too new, to understand"},
};
/* clang-format on */

/* A system call of theirs failed: they hand its number on, which is only as good as its name. */
static const char *meaning_of_number(const struct varlink_reply *reply)
{
	json_int_t number = json_integer_value(json_object_get(reply->parameters, "errno"));

	return number > 0 && number < ERRNO_MAX ? strerrordesc_np((int)number) : NULL;
}

static const char *meaning_of(const struct varlink_reply *reply)
{
	const char *meaning = NULL;

	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (strcmp(meanings[i].error, reply->error) == 0)
			return meanings[i].meaning;
	if (strcmp(reply->error, "io.systemd.System") == 0)
		meaning = meaning_of_number(reply);
	return meaning ? meaning : reply->error;
}

/* 'service' did not do 'what'. */
static int explain(int r, const struct varlink_reply *reply, const char *service, const char *what)
{
	if (r != -EREMOTEIO)
		return fail(r, "Cannot ask %s to %s", service, what);
	(void)refuse(EREMOTEIO, "%s did not %s: %s", service, what, meaning_of(reply));
	hint("Leave out --private-users=managed for ids that need no service");
	return -EREMOTEIO;
}

/* --- Asking --- */

static unsigned int patience_of(const struct nsresource_sockets *sockets)
{
	return sockets ? sockets->patience_msec : 0;
}

static bool mounts_directories(const struct nsresource_sockets *sockets)
{
	const struct varlink_call call = {
		.socket = mounts_of(sockets),
		.awaited = "systemd-mountfsd",
		.awaited_to = "say what it can do",
		.patience_msec = patience_of(sockets),
		.method = "org.varlink.service.GetInterfaceDescription",
		.parameters = json_pack("{ss}", "interface", "io.systemd.MountFileSystem"),
	};
	auto_reply struct varlink_reply reply = {0};
	const char *text;

	if (varlink_call(&call, &reply) < 0)
		return false;
	text = json_string_value(json_object_get(reply.parameters, "description"));
	return text && strstr(text, "method MountDirectory");
}

/* Their sockets start them: who only looks whether they are there does not. */
bool nsresource_is_there(const struct nsresource_sockets *sockets)
{
	return access(resources_of(sockets), W_OK) == 0 && access(mounts_of(sockets), W_OK) == 0 &&
	       mounts_directories(sockets);
}

/* The machine's name as a user's could be, and from the second attempt on with a number. */
static void make_name(const char *machine, unsigned int number, char ret[NAME_MAX_BYTES + 1])
{
	char suffix[8] = "";
	size_t length = 0, room;

	if (number > 1)
		(void)snprintf(suffix, sizeof(suffix), "-%u", number % 1000);
	room = NAME_MAX_BYTES - strlen(suffix);
	for (; *machine && length < room; machine++) {
		char c = (char)tolower((unsigned char)*machine);

		if ((c >= 'a' && c <= 'z') || (length > 0 && ((c >= '0' && c <= '9') || c == '-')))
			ret[length++] = c;
	}
	ret[length] = '\0';
	if (length == 0)
		length = (size_t)snprintf(ret, room + 1, "nspawn");
	(void)snprintf(ret + length, NAME_MAX_BYTES + 1 - length, "%s", suffix);
}

/* What an earlier service does not know goes unsaid where it says nothing. */
static json_t *allocation(const char *name, unsigned int delegated)
{
	json_t *json = json_pack("{sssisi}", "name", name, "size", (int)USERS_RANGE,
				 "userNamespaceFileDescriptor", 0);

	if (delegated)
		(void)json_object_set_new(json, "delegateContainerRanges",
					  json_integer((json_int_t)delegated));
	return json;
}

int nsresource_allocate(const struct nsresource_sockets *sockets, const char *machine,
			unsigned int delegated, int users_fd)
{
	for (unsigned int number = 1;; number++) {
		char name[NAME_MAX_BYTES + 1];
		struct varlink_call call = {
			.socket = resources_of(sockets),
			.method = RESOURCES "AllocateUserRange",
			.fds = {users_fd},
			.fd_count = 1,
			.is_interruptible = true,
			.awaited = "systemd-nsresourced",
			.awaited_to = "give a range of ids",
			.patience_msec = patience_of(sockets),
		};
		auto_reply struct varlink_reply reply = {0};
		int r;

		make_name(machine, number, name);
		call.parameters = allocation(name, delegated);
		r = varlink_call(&call, &reply);
		if (r == -EREMOTEIO && strcmp(reply.error, RESOURCES "NameExists") == 0 &&
		    number < NAMES_MAX)
			continue;
		return r < 0 ? explain(r, &reply, "systemd-nsresourced", "give a range of ids") : 0;
	}
}

static int add(const struct nsresource_sockets *sockets, const char *method, const char *parameter,
	       int users_fd, int fd, const char *what)
{
	const struct varlink_call call = {
		.socket = resources_of(sockets),
		.method = method,
		.parameters = json_pack("{sisi}", "userNamespaceFileDescriptor", 0, parameter, 1),
		.fds = {users_fd, fd},
		.fd_count = 2,
		.is_interruptible = true,
		.awaited = "systemd-nsresourced",
		.awaited_to = what,
		.patience_msec = patience_of(sockets),
	};
	auto_reply struct varlink_reply reply = {0};
	int r = varlink_call(&call, &reply);

	return r < 0 ? explain(r, &reply, "systemd-nsresourced", what) : 0;
}

int nsresource_add_mount(const struct nsresource_sockets *sockets, int users_fd, int mount_fd)
{
	return add(sockets, RESOURCES "AddMountToUserNamespace", "mountFileDescriptor", users_fd,
		   mount_fd, "let the machine write to a mount");
}

int nsresource_add_cgroup(const struct nsresource_sockets *sockets, int users_fd, int cgroup_fd)
{
	return add(sockets, RESOURCES "AddControlGroupToUserNamespace",
		   "controlGroupFileDescriptor", users_fd, cgroup_fd,
		   "give the machine its cgroup");
}

int nsresource_mount_directory(const struct nsresource_sockets *sockets, int directory_fd,
			       int users_fd, bool read_only)
{
	const struct varlink_call call = {
		.socket = mounts_of(sockets),
		.method = MOUNTS "MountDirectory",
		.parameters = json_pack("{sisisbss}", "directoryFileDescriptor", 0,
					"userNamespaceFileDescriptor", 1, "readOnly",
					(int)read_only, "mode", "auto"),
		.fds = {directory_fd, users_fd},
		.fd_count = 2,
		.is_interruptible = true,
		.awaited = "systemd-mountfsd",
		.awaited_to = "mount the tree",
		.patience_msec = patience_of(sockets),
	};
	auto_reply struct varlink_reply reply = {0};
	int r = varlink_call(&call, &reply);

	if (r == 0)
		r = varlink_take_fd(&reply, "mountFileDescriptor");
	return r < 0 ? explain(r, &reply, "systemd-mountfsd", "mount the tree") : r;
}
