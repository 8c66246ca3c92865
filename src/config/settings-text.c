/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The syntax of settings files (systemd.syntax(7)), read from text that anybody may have written.
 * Zone: free.
 */
#include "config/settings-text.h"

#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/settings.h"

static const char *const sections[] = {"Exec", "Files", "Network"};

struct reader {
	struct arena *arena;
	const struct settings_source *source;
	const char *text, *end;
	unsigned int next_line; /* of what 'text' begins with */
	unsigned int line;      /* where the line in hand begins */
	char *joined;           /* the line in hand, its continuations included */
	const char *section;    /* NULL before the first one */
	bool skips_section;
	struct said_list *ret;
};

/* Also the second half of Latin-1's, which come as C2 80 to C2 9F; but a tab is a blank. */
static bool has_controls(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if ((*c < 0x20 && *c != '\t') || *c == 0x7f ||
		    (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f))
			return true;
	return false;
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]))
		text[--length] = '\0';
	return text;
}

static bool is_comment(const char *line, size_t length)
{
	while (length > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
	}
	return length > 0 && (*line == '#' || *line == ';');
}

/* A backslash that is not itself taken back by one before it. */
static bool is_continued(const char *line, size_t length)
{
	size_t count = 0;

	while (count < length && line[length - count - 1] == '\\')
		count++;
	return count % 2 == 1;
}

/*
 * Puts the next line and those that continue it into 'joined', its length into *ret_length; false
 * at the end of the text. Comments may stand in between.
 */
static bool next_line(struct reader *reader, size_t *ret_length)
{
	size_t used = 0;

	if (reader->text == reader->end)
		return false;
	reader->line = reader->next_line;
	while (reader->text < reader->end) {
		const char *line = reader->text;
		size_t left = (size_t)(reader->end - line);
		const char *feed = memchr(line, '\n', left);
		size_t length = feed ? (size_t)(feed - line) : left;
		bool goes_on;

		reader->text += length + (feed != NULL);
		reader->next_line++;
		if (length > 0 && line[length - 1] == '\r')
			length--;
		if (is_comment(line, length)) {
			if (used > 0)
				continue;
			break;
		}
		goes_on = is_continued(line, length);
		memcpy(reader->joined + used, line, length);
		used += length;
		if (!goes_on)
			break;
		reader->joined[used - 1] = ' ';
	}
	reader->joined[used] = '\0';
	*ret_length = used;
	return true;
}

#define COMPLAIN(reader, format, ...) \
	warn(0, "%s:%u: " format, (reader)->source->file, (reader)->line, ##__VA_ARGS__)

static void read_section(struct reader *reader, char *line)
{
	size_t length = strlen(line);

	reader->section = "";
	reader->skips_section = true;
	if (line[length - 1] != ']') {
		COMPLAIN(reader, "'%s' is no section, ignoring all up to the next one", line);
		return;
	}
	line[length - 1] = '\0';
	line++;
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (strcmp(line, sections[i]) == 0) {
			reader->section = sections[i];
			reader->skips_section = false;
			return;
		}
	if (!text_has_prefix(line, "X-"))
		COMPLAIN(reader, "There is no section '[%s]', ignoring all that is in it", line);
}

static int find_key(struct reader *reader, const char *section, const char *key)
{
	return setting_from_key(arena_format(reader->arena, "%s.%s", section, key));
}

static void complain_of_key(struct reader *reader, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (find_key(reader, sections[i], key) >= 0) {
			COMPLAIN(reader, "Key '%s' belongs into section '[%s]', ignoring it", key,
				 sections[i]);
			return;
		}
	COMPLAIN(reader, "There is no key '%s' in section '[%s]', ignoring it", key,
		 reader->section);
}

static void read_assignment(struct reader *reader, char *line)
{
	char *value = strchr(line, '='), *key;
	bool adds;
	int setting;

	if (reader->skips_section)
		return;
	if (!value) {
		COMPLAIN(reader, "'%s' is neither a section nor KEY=VALUE, ignoring it", line);
		return;
	}
	adds = value > line && value[-1] == '+';
	value[-adds] = '\0';
	key = trim(line);
	value = trim(value + 1);
	if (!reader->section) {
		COMPLAIN(reader, "Key '%s' is in no section, ignoring it", key);
		return;
	}
	/* By agreement these are other programs', as are sections that begin so. */
	if (text_has_prefix(key, "X-"))
		return;
	setting = find_key(reader, reader->section, key);
	if (setting < 0) {
		complain_of_key(reader, key);
		return;
	}
	if (adds && !(setting_rows[setting].flags & SETTING_IS_REPEATABLE)) {
		COMPLAIN(reader, "Key '%s' has one value, nothing can be added to it, ignoring it",
			 setting_rows[setting].key);
		return;
	}
	if (adds && !*value)
		return;
	*ARRAY_ADD(reader->arena, reader->ret) = (struct said){
		.setting = (enum setting)setting,
		.value = arena_copy(reader->arena, value),
		.origin = ORIGIN_FILE,
		.file = reader->source->file,
		.line = reader->line,
		.is_trusted = reader->source->is_trusted,
		.adds = adds,
	};
}

static void read_line(struct reader *reader, size_t length)
{
	char *line = reader->joined;

	if (strlen(line) != length || has_controls(line)) {
		COMPLAIN(reader, "The line has control characters in it, ignoring it");
		return;
	}
	if (!text_is_utf8(line)) {
		COMPLAIN(reader, "The line is not UTF-8, ignoring it");
		return;
	}
	line = trim(line);
	if (*line == '[')
		read_section(reader, line);
	else if (*line)
		read_assignment(reader, line);
}

void settings_text_parse(struct arena *arena, const struct settings_source *source,
			 const char *text, size_t length, struct said_list *ret)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of byte order, as some editors write it */
	bool has_mark = length >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0;
	struct reader reader = {
		.arena = arena,
		.source = source,
		.text = has_mark ? text + strlen(mark) : text,
		.end = text + length,
		.next_line = 1,
		.joined = arena_allocate(arena, length + 1),
		.ret = ret,
	};

	while (next_line(&reader, &length))
		read_line(&reader, length);
}
