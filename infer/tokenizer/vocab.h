/* The vocabulary: token texts as tokenizer.json spells them, their bytes, and their ids.
 *
 * Byte-level vocabularies spell each byte as one printable character (GPT-2's alphabet: a space is U+0120). A
 * text all of whose characters are in that alphabet stands for those bytes; any other stands for itself. */
#ifndef INFER_TOKENIZER_VOCAB_H
#define INFER_TOKENIZER_VOCAB_H

#include "lib/memory.h"

struct token {
    const char *text, *bytes; /* text ends with a NUL; it is NULL where the id is not in use */
    uint32_t text_size, bytes_size;
    bool added; /* not of the model's own vocabulary: merges know nothing of it */
    bool special;
};

struct vocab {
    struct token *tokens; /* [size] by id */
    uint32_t size; /* one more than the highest id that fits */
    uint32_t longest_text;
    uint32_t *slots; /* a hash table of id + 1, 0 where empty */
    size_t n_slots; /* a power of two, at least twice the count */
    char *pool; /* texts and bytes, as far as used */
};

/* Room for ids below `size`, and `count` tokens whose texts add up to `text_bytes`. */
bool vocab_init(struct vocab *vocab, uint32_t size, size_t count, size_t text_bytes, struct arena *arena,
                struct error *error);

/* Adds a token that there is room for. False where its id is taken or its text is there already: the caller
 * has the words for it. */
bool vocab_add(struct vocab *vocab, uint32_t id, const char *text, size_t text_size);

bool vocab_find(const struct vocab *vocab, const char *text, size_t size, uint32_t *id);

/* Writes the alphabet's spelling of bytes, at most 2 * size bytes, and returns its size. */
size_t vocab_spell(const char *bytes, size_t size, char *out);

#endif
