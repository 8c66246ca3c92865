/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of capabilities and how to read them.
 * Zone: any.
 */
#include "config/capability-names.h"

#include <linux/capability.h>
#include <stdint.h>

#include "base/numbers.h"
#include "base/scope.h"

#define ROW(name) [name] = {#name, name}

static const struct name table[] = {
	ROW(CAP_CHOWN),
	ROW(CAP_DAC_OVERRIDE),
	ROW(CAP_DAC_READ_SEARCH),
	ROW(CAP_FOWNER),
	ROW(CAP_FSETID),
	ROW(CAP_KILL),
	ROW(CAP_SETGID),
	ROW(CAP_SETUID),
	ROW(CAP_SETPCAP),
	ROW(CAP_LINUX_IMMUTABLE),
	ROW(CAP_NET_BIND_SERVICE),
	ROW(CAP_NET_BROADCAST),
	ROW(CAP_NET_ADMIN),
	ROW(CAP_NET_RAW),
	ROW(CAP_IPC_LOCK),
	ROW(CAP_IPC_OWNER),
	ROW(CAP_SYS_MODULE),
	ROW(CAP_SYS_RAWIO),
	ROW(CAP_SYS_CHROOT),
	ROW(CAP_SYS_PTRACE),
	ROW(CAP_SYS_PACCT),
	ROW(CAP_SYS_ADMIN),
	ROW(CAP_SYS_BOOT),
	ROW(CAP_SYS_NICE),
	ROW(CAP_SYS_RESOURCE),
	ROW(CAP_SYS_TIME),
	ROW(CAP_SYS_TTY_CONFIG),
	ROW(CAP_MKNOD),
	ROW(CAP_LEASE),
	ROW(CAP_AUDIT_WRITE),
	ROW(CAP_AUDIT_CONTROL),
	ROW(CAP_SETFCAP),
	ROW(CAP_MAC_OVERRIDE),
	ROW(CAP_MAC_ADMIN),
	ROW(CAP_SYSLOG),
	ROW(CAP_WAKE_ALARM),
	ROW(CAP_BLOCK_SUSPEND),
	ROW(CAP_AUDIT_READ),
	ROW(CAP_PERFMON),
	ROW(CAP_BPF),
	ROW(CAP_CHECKPOINT_RESTORE),
};
/* A newer header may know more; those still have their numbers. */
static_assert(ARRAY_LEN(table) == CAP_CHECKPOINT_RESTORE + 1,
	      "one name for each capability up to the last");

const struct names capability_names = NAMES(table);

const char *capability_name(unsigned int number)
{
	return number < ARRAY_LEN(table) ? table[number].text : NULL;
}

int capability_from_text(const char *text)
{
	size_t prefix = strlen("CAP_");
	uint32_t number;

	if (parse_u32(text, &number) == 0)
		return number <= 63 ? (int)number : -EINVAL;
	if (strncasecmp(text, "CAP_", prefix) == 0)
		text += prefix;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcasecmp(table[i].text + prefix, text) == 0)
			return (int)i;
	return -EINVAL;
}
