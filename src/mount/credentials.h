/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small secrets for the payload, as files in /run/host/credentials. They are read with the caller's
 * view and rights before the machine is born, and put into a file system in memory by the
 * supervisor; for a user by the process that assembles the tree, which wipes them then: what
 * becomes the payload never has them. Zone: free for reading, owing for mounting.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/undo.h"
#include "config/config.h"

#define CREDENTIALS_DIRECTORY_INSIDE "/run/host/credentials"

/* What one may have, as of a service (systemd.exec(5)). */
#define CREDENTIAL_MAX_BYTES ((size_t)1024 * 1024)

struct credential {
	const char *id;
	char *bytes; /* memory that is never written to disk nor inherited */
	size_t length, mapped_bytes;
};

struct credentials {
	struct credential *items;
	size_t count;
	bool are_for_everyone; /* a payload that is not root could not read them else */
};

/*
 * Reads everything that config->credentials names, and pushes that it is forgotten: it is needed
 * again after a reboot. The typed secrets are wiped where they were typed, which also hides them
 * from ps(1). One sentence on failure, without the secret.
 */
int credentials_read(struct config *config, struct credentials *ret, struct undo *undo);

/*
 * Lets the next child have them: in a user namespace of its own only the child can make the file
 * system. Until here no memory but ours holds a value.
 */
void credentials_lend(const struct credentials *credentials);

/* In the parent, once that child is there: the next ones have nothing again. */
void credentials_take_back(const struct credentials *credentials);

/* In the child, once they are in the file system: wiped, before the payload's process is made. */
void credentials_forget_lent(const struct credentials *credentials);

/*
 * A detached, read-only mount with a file for each, all owned by 'owner'; the mount is the
 * caller's. One sentence on failure. With nothing to put in it, -EBADF and no sentence.
 */
int credentials_mount(const struct credentials *credentials, uint32_t owner);
