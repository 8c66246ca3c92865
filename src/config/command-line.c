/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads options by the settings table. Not getopt_long(3), which prints its own sentences and has a
 * memory.
 * Zone: free.
 */
#include "config/command-line.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "config/check.h"
#include "config/config.h"
#include "config/environment-variables.h"
#include "config/help.h"
#include "config/settings.h"
#include "verbs.h"

struct reader {
	struct config *config;
	char **rest; /* the next word; the array ends with NULL */
};

static int say(struct reader *reader, int setting, const char *value, bool adds)
{
	return setting_apply(reader->config, &(struct said){.setting = (enum setting)setting,
							    .value = value,
							    .origin = ORIGIN_OPTION,
							    .adds = adds});
}

#define SPELLING_MAX 40   /* longer than any option */
#define SPELLING_ERRORS 2 /* slips of the finger that a suggestion makes up for */

/*
 * How many letters to insert, leave out, replace or swap with their neighbour make 'option' out of
 * 'length' characters of 'name'.
 */
static unsigned int count_slips(const char *name, size_t length, const char *option)
{
	unsigned int row[SPELLING_MAX + 1][SPELLING_MAX + 1];
	size_t option_length = strlen(option);

	if (length > SPELLING_MAX || option_length > SPELLING_MAX)
		return SPELLING_ERRORS + 1;
	for (size_t i = 0; i <= length; i++)
		for (size_t j = 0; j <= option_length; j++) {
			unsigned int best = (unsigned int)(i + j);

			if (i > 0 && j > 0) {
				best = row[i - 1][j - 1] + (name[i - 1] != option[j - 1]);
				if (row[i - 1][j] + 1 < best)
					best = row[i - 1][j] + 1;
				if (row[i][j - 1] + 1 < best)
					best = row[i][j - 1] + 1;
			}
			if (i > 1 && j > 1 && name[i - 1] == option[j - 2] &&
			    name[i - 2] == option[j - 1] && row[i - 2][j - 2] + 1 < best)
				best = row[i - 2][j - 2] + 1;
			row[i][j] = best;
		}
	return row[length][option_length];
}

/* One slip in a short word, none in one that is hardly there. */
static unsigned int too_many_slips(size_t length)
{
	return 1 + (length < 3 ? 0 : length < 6 ? 1 : SPELLING_ERRORS);
}

/* The option that was meant, if all but the spelling says so, else NULL. */
static const char *find_similar(const char *name, size_t length)
{
	unsigned int least = too_many_slips(length);
	const char *similar = NULL;

	for (int i = 0; i < _SETTING_COUNT; i++) {
		const char *option = setting_rows[i].option;
		unsigned int slips;

		if (!option || setting_rows[i].flags & SETTING_IS_LATER)
			continue;
		slips = count_slips(name, length, option);
		if (slips < least) {
			least = slips;
			similar = option;
		}
	}
	return similar;
}

static const char *find_similar_verb(const char *word)
{
	unsigned int least = too_many_slips(strlen(word));
	const char *similar = NULL;

	for (size_t i = 0; i < verbs_count; i++) {
		unsigned int slips = count_slips(word, strlen(word), verbs[i].name);

		if (slips < least) {
			least = slips;
			similar = verbs[i].name;
		}
	}
	return similar;
}

bool command_line_suggest(const struct config *config)
{
	const char *word = config->words.count > 0 ? config->words.items[0] : NULL;
	const char *verb;
	struct stat status;

	if (config->directory || config->machine || !word)
		return false;
	verb = config->program && help_is_reference(config->program) ? NULL
								     : find_similar_verb(word);
	if (stat(word, &status) == 0 && S_ISDIR(status.st_mode))
		hint("Did you mean '--directory=%s'?", word);
	else if (verb)
		hint("Did you mean 'nspawn %s'? 'nspawn --help' lists the verbs", verb);
	else if (strcmp(word, "help") == 0 || strcmp(word, "version") == 0)
		hint("Did you mean '--%s'? 'nspawn --help' lists the options", word);
	else
		return false;
	return true;
}

/* Callers look for the first two words to learn whether an option exists: they must not change. */
static int refuse_unknown(const char *dashes, const char *name, size_t length)
{
	int r = refuse(EINVAL, "unrecognized option '%s%.*s'", dashes, (int)length, name);
	const char *similar = strcmp(dashes, "--") == 0 ? find_similar(name, length) : NULL;

	if (similar)
		hint("Did you mean '--%s'? 'nspawn --help' lists the options", similar);
	else
		hint("'nspawn --help' lists the options");
	return r;
}

/* Names all options that begin with the 'length' characters of 'name'. */
static int refuse_ambiguous(const char *name, size_t length)
{
	char list[2048] = "";
	size_t used = 0;
	int r;

	r = refuse(EINVAL, "Option '--%.*s' is ambiguous", (int)length, name);
	for (int i = 0; i < _SETTING_COUNT && used < sizeof(list); i++)
		if (setting_rows[i].option && strncmp(setting_rows[i].option, name, length) == 0)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s'--%s'",
						 used ? ", " : "", setting_rows[i].option);
	hint("Possible are %s", list);
	return r;
}

/*
 * The setting whose option is, or alone begins with, 'length' characters of 'name'; -ENOENT, or
 * -ENOTUNIQ for several. Options of later releases take part, so that an abbreviation that works
 * now does not change its meaning then.
 */
static int find_option(const char *name, size_t length)
{
	int found = -ENOENT, candidates = 0;

	for (int i = 0; i < _SETTING_COUNT; i++) {
		const char *option = setting_rows[i].option;

		if (!option || strncmp(option, name, length) != 0)
			continue;
		if (option[length] == '\0')
			return i;
		found = i;
		candidates++;
	}
	return candidates > 1 ? -ENOTUNIQ : found;
}

static bool is_options(const char *word)
{
	return word && word[0] == '-' && word[1] && strcmp(word, "--") != 0;
}

static bool letters_take_word(const char *letters)
{
	for (; *letters; letters++) {
		int setting = setting_from_letter(*letters);

		if (setting >= 0 && setting_rows[setting].argument == ARGUMENT_REQUIRED)
			return !letters[1];
	}
	return false;
}

/*
 * Whether one of the options is --json-errors, wherever it stands: what is wrong with those before
 * it shall be told as JSON, too. What is not known is no reason to stop here.
 */
static bool asks_for_json(char **words)
{
	for (; is_options(*words); words++) {
		const char *name = *words + 2;
		bool takes_word;

		if ((*words)[1] == '-') {
			int setting = find_option(name, strcspn(name, "="));

			if (setting == SETTING_JSON_ERRORS)
				return true;
			takes_word = setting >= 0 && !strchr(name, '=') &&
				     (setting_rows[setting].argument == ARGUMENT_REQUIRED ||
				      (setting_rows[setting].flags & SETTING_TAKES_WORD &&
				       words[1] && *words[1] != '-'));
		} else {
			takes_word = letters_take_word(*words + 1);
		}
		if (takes_word && words[1])
			words++;
	}
	return false;
}

/* Takes the next word as value, or refuses. */
static int take_word(struct reader *reader, const char *option, const char **ret)
{
	if (!*reader->rest)
		return refuse(EINVAL, "Option '%s' requires an argument", option);
	*ret = *reader->rest++;
	return 0;
}

static int read_long(struct reader *reader, const char *word)
{
	size_t length = strcspn(word, "=");
	const char *value = word[length] ? word + length + 1 : NULL;
	bool adds = value && length > 0 && word[length - 1] == '+';
	const struct setting_row *row;
	char name[SETTING_NAME_MAX];
	int setting;

	setting = find_option(word, length - adds);
	if (setting == -ENOTUNIQ)
		return refuse_ambiguous(word, length - adds);
	if (setting < 0)
		return refuse_unknown("--", word, length - adds);
	row = &setting_rows[setting];
	(void)setting_name((enum setting)setting, name);
	if (row->argument == ARGUMENT_NONE && value)
		return refuse(EINVAL, "Option '%s' takes no argument, but got '%s'", name, value);
	if (row->argument == ARGUMENT_REQUIRED && !value)
		TRY(take_word(reader, name, &value));
	if (adds && !(row->flags & SETTING_IS_REPEATABLE))
		return refuse(EINVAL, "Option '%s' has one value, nothing can be added to it",
			      name);
	if (row->flags & SETTING_TAKES_WORD && !value && *reader->rest && **reader->rest != '-')
		value = *reader->rest++;
	return say(reader, setting, value, adds);
}

/*
 * A word of letters, the last of which may take the rest of the word, or the next word, as its
 * value.
 */
static int read_letters(struct reader *reader, const char *letters)
{
	while (*letters) {
		int setting = setting_from_letter(*letters), r;
		char option[] = {'-', *letters++, '\0'};
		const char *value = NULL;

		if (setting < 0)
			return refuse_unknown("", option, strlen(option));
		if (setting_rows[setting].argument == ARGUMENT_REQUIRED) {
			if (*letters)
				value = letters;
			else
				TRY(take_word(reader, option, &value));
			letters = "";
		}
		r = say(reader, setting, value, false);
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_options(struct reader *reader)
{
	while (*reader->rest && (*reader->rest)[0] == '-' && (*reader->rest)[1]) {
		const char *word = *reader->rest++;
		int r;

		if (strcmp(word, "--") == 0)
			return 0;
		r = word[1] == '-' ? read_long(reader, word + 2) : read_letters(reader, word + 1);
		if (r != 0)
			return r;
	}
	return 0;
}

int config_from_command_line(struct config *config, int argc, char **argv)
{
	struct reader reader = {.config = config, .rest = argc > 0 ? argv + 1 : argv};
	int r;

	log_set_json(asks_for_json(reader.rest));
	log_level_from_environment();
	config->program = argc > 0 ? path_last(argv[0]) : NULL;
	config_defaults(config);
	r = read_options(&reader);
	if (r != 0)
		return r;
	for (; *reader.rest; reader.rest++)
		TRY(say(&reader, SETTING_PARAMETERS, *reader.rest, false));
	return config_from_environment(config);
}
