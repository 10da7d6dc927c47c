/* How texts were cut into words before the merges of a byte-level tokenizer, by the name that GGUF files give
 * it (tokenizer.ggml.pre). The patterns are those of the models' own tokenizer.json. */
#ifndef MODELS_GGUF_PRE_H
#define MODELS_GGUF_PRE_H

#include <stdbool.h>
#include <stddef.h>

#define GGUF_MAX_SPLITS 6

struct gguf_pre {
    const char *names; /* with a space behind each */
    const char *splits[GGUF_MAX_SPLITS]; /* patterns whose matches stand alone, one step each */
    bool splits_digits; /* before that, each digit stands alone */
    bool splits_words; /* behind that, ByteLevel's own pattern */
    const char *spelled_splits[GGUF_MAX_SPLITS]; /* and then the same of what spells the bytes */
    bool composes; /* the text is normalized to NFC */
    bool ignores_merges; /* a word that is a token is that token */
    bool begins; /* with BOS, where the file does not say */
};

const struct gguf_pre *gguf_pre_find(const char *name); /* NULL if unknown */

/* The names of the way that takes the same steps, NULL if there is none. llama.cpp composes nothing: where no
 * other way is the same, one that differs in that alone is. */
const char *gguf_pre_names(const struct gguf_pre *steps);

#endif
