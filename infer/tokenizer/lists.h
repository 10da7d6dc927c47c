/* A tokenizer.json in one pass: its two long lists, model.vocab and model.merges, as arrays, and a tree of
 * the rest. The lists are nearly all of the file, and a tree of them would take most of the time of loading a
 * model. */
#ifndef INFER_TOKENIZER_LISTS_H
#define INFER_TOKENIZER_LISTS_H

#include "infer/tokenizer/description.h"
#include "lib/json.h"

#define LIST_LIMIT (1u << 24) /* entries */

/* Texts are well-formed UTF-8 without NUL, and last as long as the lists and the JSON. A vocabulary is
 * {"text": id, ...} or, of unigram, [["text", score], ...]. */

struct list {
    const char *begin, *end; /* from its bracket to behind its other bracket; NULL where there is none */
    struct buffer items; /* in the order of the file */
    size_t count;
};

struct lists {
    const char *name, *json; /* as given */
    size_t size;
    struct list vocab, merges;
    json_t *rest; /* the file with both lists empty */
    struct arena arena;
};

/* False, with nothing to close, where the file is malformed. The JSON must outlast the lists. */
bool lists_open(struct lists *lists, const char *name, const char *json, size_t size, struct error *error);
void lists_close(struct lists *lists);

static inline const struct described_token *listed_tokens(const struct lists *lists) {
    return (const struct described_token *)lists->vocab.items.data;
}
static inline const struct described_merge *listed_merges(const struct lists *lists) {
    return (const struct described_merge *)lists->merges.items.data;
}

#endif
