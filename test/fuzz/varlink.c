/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of a service's answer. */
#include "fuzz.h"
#include "ids/varlink.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_reply reply = {0};
	char *text = input_text(data, size);
	int r = varlink_understand(text, &reply);

	MUST(r == 0 || r == -EREMOTEIO || r == -EBADMSG);
	MUST((r == -EREMOTEIO) == (*reply.error != '\0'));
	MUST(r == -EBADMSG || json_is_object(reply.parameters));
	MUST(strnlen(reply.error, sizeof(reply.error)) < sizeof(reply.error));
	/* No descriptor came with it. */
	MUST(r < 0 || varlink_take_fd(&reply, "mountFileDescriptor") == -EBADMSG);
	varlink_reply_done(&reply);
	free(text);
	return 0;
}
