/* The vocabulary: token texts as tokenizer.json spells them, their bytes, and their ids.
 *
 * Spelled vocabularies write each byte as one printable character (GPT-2's alphabet: a space is U+0120). A
 * text all of whose characters are in that alphabet stands for those bytes; any other stands for itself. */
#ifndef INFER_TOKENIZER_VOCAB_H
#define INFER_TOKENIZER_VOCAB_H

#include "lib/memory.h"

#define NO_TOKEN UINT32_MAX

struct token {
    const char *text, *bytes; /* text ends with a NUL; it is NULL where the id is not in use */
    uint32_t text_size, bytes_size;
    bool added; /* not of the model's own vocabulary: merges know nothing of it */
    bool apart; /* of it, but no text becomes it */
    bool special;
};

/* Most texts are no longer than a head, so that a slot alone tells whether it is theirs. */
struct vocab_slot {
    uint64_t head; /* the text's first 8 bytes, or all and zeros */
    uint32_t size;
    uint32_t id_plus_one; /* 0 where empty */
};

struct vocab {
    const char *name; /* begins sentences */
    bool spelled;
    struct token *tokens; /* [size] by id */
    uint32_t size; /* one more than the highest id that fits */
    uint32_t longest_text;
    struct vocab_slot *slots; /* a hash table */
    size_t n_slots; /* a power of two, at least twice the count */
    char *pool; /* texts and bytes, as far as used */
};

/* Room for ids below `size`, and `count` tokens whose texts add up to `text_bytes`. The caller sets `name`
 * and `spelled`. */
bool vocab_init(struct vocab *vocab, uint32_t size, size_t count, size_t text_bytes, struct arena *arena,
                struct error *error);

/* Adds a token that there is room for. False where its id is taken or its text is there already: the caller
 * has the words for it. */
bool vocab_add(struct vocab *vocab, uint32_t id, const char *text, size_t text_size);

bool vocab_find(const struct vocab *vocab, const char *text, size_t size, uint32_t *id);

/* The token of the model's own vocabulary, or NO_TOKEN. */
uint32_t vocab_find_own(const struct vocab *vocab, const char *text, size_t size);

/* The same, but for those that are apart. */
uint32_t vocab_find_open(const struct vocab *vocab, const char *text, size_t size);

/* The tokens <0x00> to <0xFF>, NO_TOKEN where there is none, and whether all are there. */
void vocab_find_bytes(const struct vocab *vocab, uint32_t tokens[256]);
bool vocab_has_bytes(const uint32_t tokens[256]);

/* Where many texts are looked up in a row: asks memory for the slot of one that comes a little later. */
void vocab_expect(const struct vocab *vocab, const char *text, size_t size);

/* The same as vocab_find; fast where the text is that of the token `near` or of the one behind it. */
bool vocab_find_near(const struct vocab *vocab, uint32_t near, const char *text, size_t size, uint32_t *id);

/* Writes the alphabet's spelling of bytes, at most 2 * size bytes, and returns its size. */
size_t vocab_spell(const char *bytes, size_t size, char *out);

#endif
