/* Which tokens begin and end a text, as the model's config.json, generation_config.json and
 * tokenizer_config.json say. */
#ifndef RUN_ENDS_H
#define RUN_ENDS_H

#include "format/format.h"
#include "infer/tokenizer.h"

struct ends {
    bool has_begin;
    uint32_t begin;
    struct tokens stops;
};

bool ends_read(struct ends *ends, const struct container *container, const struct tokenizer *tokenizer,
               struct error *error);
/* Adds the first special token in what a chat template writes behind an answer, where there is one. */
bool ends_add_stop(struct ends *ends, const struct tokenizer *tokenizer, const char *behind,
                   struct error *error);
bool ends_is_stop(const struct ends *ends, uint32_t id);
void ends_free(struct ends *ends);

#endif
