/* A regular expression of a tokenizer.json, found in text as Hugging Face `tokenizers` finds it.
 *
 * That library runs patterns through Oniguruma with Ruby's syntax; here PCRE2 runs them. The two agree on
 * what tokenizers are written in: literals, classes of characters, ranges and \s \S \d \D \p{..}, groups,
 * lookaround,
 * (?i: and quantifiers. A pattern that uses anything else, such as \w, \h, ^ or a class within a class, which
 * they read differently, is refused and shown. */
#ifndef INFER_TOKENIZER_PATTERN_H
#define INFER_TOKENIZER_PATTERN_H

#include "lib/memory.h"

struct pattern;

/* `name` begins sentences. A literal pattern matches itself. */
struct pattern *pattern_new(const char *name, const char *text, size_t size, bool literal,
                            struct error *error);
void pattern_free(struct pattern *pattern); /* NULL is fine */

/* Working memory of matching, one for each thread that matches. */
struct pattern_scratch;
struct pattern_scratch *pattern_scratch_new(struct error *error);
void pattern_scratch_free(struct pattern_scratch *scratch); /* NULL is fine */

/* Finds the first match that begins at `from` or behind. *begin == size + 1 where there is none. The text is
 * well-formed UTF-8. A pattern that backtracks without end gives up with a sentence. */
bool pattern_find(const struct pattern *pattern, const char *text, size_t size, size_t from,
                  struct pattern_scratch *scratch, size_t *begin, size_t *end, struct error *error);

#endif
