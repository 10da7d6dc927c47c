/* A tokenizer.json as a description of the tokenizer. What would change ids and is not known is refused by
 * name, with the pattern where it is one. Truncation and padding are left alone, as transformers leaves them.
 */
#ifndef INFER_TOKENIZER_TOKENIZER_JSON_H
#define INFER_TOKENIZER_TOKENIZER_JSON_H

#include "infer/tokenizer/description.h"
#include "infer/tokenizer/lists.h"

/* Texts of the description are those of `lists`, or in the arena. */
bool tokenizer_json_read(struct description *description, const struct lists *lists, struct arena *arena,
                         struct error *error);

#endif
