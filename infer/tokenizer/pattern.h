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

/* Called for what matches and for what lies between, in order; empty matches come too. */
typedef bool match_fn(void *context, size_t begin, size_t end, bool match);

/* Finds all matches in a well-formed text. An empty match right behind another does not count. False where
 * the call said so, or where a pattern that backtracks without end gave up, with a sentence. */
bool pattern_each(const struct pattern *pattern, const char *text, size_t size,
                  struct pattern_scratch *scratch, match_fn *found, void *context, struct error *error);

#endif
