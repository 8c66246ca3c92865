/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* passwd(5) of a hostile tree; the input begins with the name, or with the byte that is the id. */
#include "base/path.h"
#include "confine/users.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_user_identity struct user_identity user = {0};
	char *name = input_text(data, size), *text = strchr(name, '\n');
	uid_t uid = (uint8_t)*name;
	bool is_by_id = text && text <= name + 1;

	if (text) {
		*text++ = '\0';
		if (users_parse_passwd(text, is_by_id ? NULL : name, uid, &user) == 0) {
			MUST(is_by_id ? user.uid == uid : strcmp(user.name, name) == 0);
			MUST(user.uid < UINT32_MAX && user.gid < UINT32_MAX);
			MUST(user.uid != UINT16_MAX && user.gid != UINT16_MAX);
			MUST(user.home && path_is_normalized(user.home));
			MUST(!user.shell || path_is_normalized(user.shell));
		}
	}
	free(name);
	return 0;
}
