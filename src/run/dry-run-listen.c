/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collects the sentences of a start that only looks.
 * Zone: free.
 */
#include <errno.h>

#include "base/log.h"
#include "run/dry-run.h"

static struct explain_messages *list_for(const struct dry_run_listener *listener,
					 const struct log_message *message)
{
	struct explain_found *found = listener->found;

	if (message->level == LOG_WARNING)
		return &found->warnings;
	if ((message->error == -EACCES || message->error == -EPERM) && !found->is_root &&
	    !listener->is_own_start)
		return &found->unseen;
	return &found->failures;
}

static void hear(const struct log_message *message, void *userdata)
{
	struct dry_run_listener *listener = userdata;
	struct explain_messages *list;
	const char *sentence;

	/* Notes are about what a start does next. */
	if (message->level != LOG_FAILURE && message->level != LOG_WARNING)
		return;
	if (message->is_hint) {
		if (listener->last && listener->last->count > 0)
			listener->last->items[listener->last->count - 1].advice =
				arena_copy(listener->arena, message->sentence);
		return;
	}
	list = list_for(listener, message);
	sentence = list == &listener->found->unseen && listener->assumption
			   ? arena_format(listener->arena, "%s; %s", message->sentence,
					  listener->assumption)
			   : arena_copy(listener->arena, message->sentence);
	listener->last = list;
	*ARRAY_ADD(listener->arena, list) =
		(struct explain_message){.sentence = sentence, .failure = message->failure};
}

void dry_run_listen(struct dry_run_listener *listener)
{
	if (log_get_level() < LOG_WARNING)
		log_set_level(LOG_WARNING);
	log_set_sink(hear, listener);
}

void dry_run_give_up(const struct explain_found *found)
{
	log_set_sink(NULL, NULL);
	for (size_t i = 0; i < found->warnings.count; i++)
		log_forward(&(struct log_message){.level = LOG_WARNING,
						  .sentence = found->warnings.items[i].sentence});
	for (size_t i = 0; i < found->failures.count; i++) {
		const struct explain_message *message = &found->failures.items[i];

		log_forward(&(struct log_message){
			.level = LOG_FAILURE,
			.failure = message->failure,
			.sentence = message->sentence,
		});
		if (message->advice)
			log_forward(&(struct log_message){
				.level = LOG_FAILURE,
				.is_hint = true,
				.sentence = message->advice,
			});
	}
}
