/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users of the guest, resolved without trusting it: out of its passwd and group files with our own
 * parser, else from its own getent(1), run inside with nothing to lose. Never through NSS, which
 * would load the guest's libraries here.
 * Zone: doomed (also used by unit tests). Silent: the caller knows the option that named the user.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct user_identity {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary groups without 'gid' */
	size_t group_count;
	char *name;  /* NULL: a number without an account */
	char *home;  /* absolute and normalized, "/" if there is no such */
	char *shell; /* absolute, NULL if not said */
};

void user_identity_done(struct user_identity *identity);
#define auto_user_identity __attribute__((cleanup(user_identity_done)))

/*
 * Resolves a name or a strictly decimal user id in the tree at 'root_fd'. All-digit texts are
 * always numbers. "root" and "0" need no files. A number without an account is accepted: see
 * users.c for what it gets. *ret is the caller's to release. -ESRCH: no such name; -EINVAL: neither
 * a user name nor an id; else what reading the files failed with.
 */
int users_find(int root_fd, const char *name_or_number, struct user_identity *ret);

/* The id of a group in the tree by name. -ESRCH: there is none; else as users_find(). */
int users_find_group(int root_fd, const char *name, gid_t *ret);

/*
 * For a name users_find() does not know: asks the getent of the root directory of this process,
 * which must be the guest's. It runs as nobody, without capabilities, new privileges, descriptors,
 * children or much memory, under 'filter' (may be NULL with 'filter_length' 0), and for five
 * seconds at most. -ESRCH: it does not know either; -ENOENT: there is no getent; -ETIMEDOUT;
 * -EBADMSG: it answered nonsense.
 */
int users_ask_guest(const char *name, const struct sock_filter *filter,
		    unsigned short filter_length, struct user_identity *ret);

/* Makes the home directory (0755, the user's) with parents (0755, root's) if nothing is there. */
int users_make_home(int root_fd, const struct user_identity *identity);

/*
 * The parser of passwd(5) lines, for tests and fuzzing: matches by name, or by uid if 'name' is
 * NULL.
 */
int users_parse_passwd(const char *text, const char *name, uid_t uid, struct user_identity *ret);

/* The same for group(5), by name. */
int users_parse_group(const char *text, const char *name, gid_t *ret);
