/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar of --device=, and the table of short names.
 * Zone: free.
 */
#include "config/device-values.h"

#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"

#define USE (DEVICE_READ | DEVICE_WRITE)

enum {
	KIND_FUSE,
	KIND_TUN,
	KIND_KVM,
	KIND_LOOP,
	KIND_DRI,
	KIND_SND,
	KIND_INPUT,
};

/* clang-format off */
const struct device_kind device_kinds[] = {
	[KIND_FUSE]  = {{"/dev/fuse"}, NULL, USE | DEVICE_MAKE, true,
			"On the host, 'modprobe fuse' brings it"},
	[KIND_TUN]   = {{"/dev/net/tun"}, NULL, USE | DEVICE_MAKE, true,
			"On the host, 'modprobe tun' brings it"},
	[KIND_KVM]   = {{"/dev/kvm"}, NULL, USE, true,
			"It needs a processor that virtualizes, switched on in the firmware, and the kernel's module kvm_intel or kvm_amd"},
	/* A loop device that the payload makes later has a number that nobody knows yet. */
	[KIND_LOOP]  = {{"/dev/loop-control", "/dev"}, "loop", USE | DEVICE_MAKE, false,
			"On the host, 'modprobe loop' brings it"},
	[KIND_DRI]   = {{"/dev/dri"}, NULL, USE, false,
			"The host has no graphics card, or no driver for it"},
	[KIND_SND]   = {{"/dev/snd"}, NULL, USE, false,
			"The host has no sound card, or no driver for it"},
	[KIND_INPUT] = {{"/dev/input"}, NULL, USE, false,
			"The host has no keyboard or the like, or no driver for it"},
};

static const struct name device_name_table[] = {
	{"fuse", KIND_FUSE}, {"tun", KIND_TUN}, {"kvm", KIND_KVM},     {"loop", KIND_LOOP},
	{"dri", KIND_DRI},   {"snd", KIND_SND}, {"input", KIND_INPUT},
};
/* clang-format on */
const struct names device_names = NAMES(device_name_table);

#define WANTED "NAME[:PATH][:rwm] or PATH[:PATH][:rwm]"

unsigned int device_access_from_text(const char *text)
{
	unsigned int access = 0;

	for (; *text; text++) {
		unsigned int bit = *text == 'r'   ? DEVICE_READ
				   : *text == 'w' ? DEVICE_WRITE
				   : *text == 'm' ? DEVICE_MAKE
						  : 0;

		if (!bit || access & bit)
			return 0;
		access |= bit;
	}
	return access;
}

const char *device_access_words(unsigned int access)
{
	static const char *const words[] = {
		[DEVICE_MAKE] = "make",
		[DEVICE_READ] = "read",
		[DEVICE_READ | DEVICE_MAKE] = "read and make",
		[DEVICE_WRITE] = "write",
		[DEVICE_WRITE | DEVICE_MAKE] = "write and make",
		[DEVICE_READ | DEVICE_WRITE] = "read and write",
		[DEVICE_READ | DEVICE_WRITE | DEVICE_MAKE] = "read, write and make",
	};

	return words[access];
}

/* What we make ourselves, mount on, or make into a link. */
static bool is_reserved(const char *below_dev)
{
	static const char *const names[] = {"block", "char",   "console", "core",
					    "fd",    "mqueue", "ptmx",    "pts",
					    "shm",   "stderr", "stdin",   "stdout"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (path_is_below(below_dev, names[i]))
			return true;
	return false;
}

/* Nodes are made in the payload's own /dev and nowhere else: what is in the tree stays there. */
static int read_inside(const struct asking *asking, const char *text, const char **ret)
{
	const char *path = path_simplify(&asking->config->arena, text);

	if (!path_is_normalized(path) || !path_is_below(path, "/dev") || strcmp(path, "/dev") == 0)
		return refuse(EINVAL, "%s needs a path below /dev in the container, not '%s'",
			      asking->noun, text);
	if (is_reserved(path + strlen("/dev/")))
		return refuse(EINVAL,
			      "%s cannot take '%s' in the container, which is made there anyway",
			      asking->noun, text);
	*ret = path;
	return 0;
}

/* A short name or a path on the host. */
static int read_what(const struct asking *asking, const char *text, struct device_request *request)
{
	const struct name *name = names_find(&device_names, text);

	request->access = DEVICE_READ | DEVICE_WRITE;
	if (name) {
		request->kind = &device_kinds[name->value];
		request->name = name->text;
		request->access = request->kind->access;
		return 0;
	}
	if (*text != '/')
		return refuse_word(asking, text);
	request->path = path_simplify(&asking->config->arena, text);
	return 0;
}

static int read_fields(const struct asking *asking, const struct strings *fields, const char *value,
		       struct device_request *request)
{
	const char *inside = request->path;
	unsigned int access = 0;
	size_t count = fields->count;

	if (count > 1)
		access = device_access_from_text(fields->items[count - 1]);
	if (access) {
		request->access = access;
		request->access_is_said = true;
		count--;
	}
	if (count == 2)
		inside = fields->items[1];
	/* A name with several places has them inside as well. */
	if (count > 2 || (count == 2 && request->kind && request->kind->paths[1]))
		return refuse_value(asking, value, WANTED);
	return inside ? read_inside(asking, inside, &request->inside) : 0;
}

int set_device(const struct asking *asking, const char *value)
{
	struct device_request request = {0};
	struct strings fields = {0};

	if (text_split(&asking->config->arena, value, ':', 0, &fields) < 0 || fields.count > 3)
		return refuse_value(asking, value, WANTED);
	TRY(read_what(asking, fields.items[0], &request));
	TRY(read_fields(asking, &fields, value, &request));
	*ARRAY_ADD(&asking->config->arena, &asking->config->devices) = request;
	return 0;
}
