/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os-release(5) of a hostile tree: what comes out can be printed. */
#include "image/os-release.h"

#include "base/text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {0};
	struct os_identity os = {0};
	char *bytes = malloc(size + !size);

	MUST(bytes);
	memcpy(bytes, size ? (const void *)data : "", size);
	os_release_parse(&arena, bytes, size, &os);
	free(bytes);
	const char *texts[] = {os.id, os.version_id, os.build_id, os.variant_id, os.pretty_name};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		MUST(!texts[i] || (strlen(texts[i]) <= 256 && !text_has_controls(texts[i])));
	return 0;
}
