/* Taking texts apart and putting others in. */
#ifndef INFER_JINJA_SPLIT_H
#define INFER_JINJA_SPLIT_H

#include "infer/jinja/text.h"

/* At most `limit` cuts, all where it is below 0; at runs of white space where `separator` is NULL. From the
 * right end if `from_right`. NULL on failure, as with an empty separator. */
struct list *split_text(struct engine *engine, struct text text, const struct text *separator, int64_t limit,
                        bool from_right);
/* At Python's line ends, which are kept where asked for. */
struct list *split_lines(struct engine *engine, struct text text, bool keep_ends);
/* With `with` in place of at most `limit` finds of `what`, all where it is below 0. */
bool replace_text(struct engine *engine, struct text text, struct text what, struct text with, int64_t limit,
                  struct value *to);
/* The texts of items with `between` between them; of any values where `any`, else texts alone. */
bool join_items(struct engine *engine, struct text between, const struct list *items, bool any,
                struct value *to);

#endif
