/* --chat: turns from standard input, answers to standard output. */
#ifndef RUN_CONVERSATION_H
#define RUN_CONVERSATION_H

#include "infer/chat.h"
#include "run/generation.h"

/* Answers `first`, where there is one, then each line of standard input until its end, /exit or Ctrl-C at the
 * prompt. Ctrl-C during an answer ends the answer. `limit` is the most tokens of an answer. */
bool converse(struct generation *generation, struct chat *chat, const char *system, const char *first,
              uint64_t limit, struct error *error);

#endif
