/* Byte-pair encoding (Sennrich et al. 2016) of one word at a time: the pair of neighbours whose merge ranks
 * first becomes one token, the leftmost among equals, until no pair merges. */
#ifndef INFER_TOKENIZER_BPE_H
#define INFER_TOKENIZER_BPE_H

#include "infer/tokenizer.h"
#include "infer/tokenizer/added_tokens.h"
#include "infer/tokenizer/description.h"
#include "infer/tokenizer/vocab.h"

struct bpe {
    const struct vocab *vocab;
    bool spelled; /* a word is bytes that the vocabulary spells; otherwise it is text as the vocabulary has it
                   */
    bool ignore_merges, fuse_unknown;
    bool byte_fallback;
    const struct matcher *kept; /* tokens that are found before all else */
    uint32_t unknown; /* NO_TOKEN: what has no token drops out of a word */
    uint32_t single[256]; /* tokens of bytes where spelled; otherwise of characters of one byte */
    uint32_t fallback[256]; /* <0x00> and so on */
    struct merge *merges; /* hash table by pair */
    size_t n_slots; /* a power of two, at least one and a half times the merges */
};

struct merge {
    uint32_t left, right; /* both NO_TOKEN where the slot is empty */
    uint32_t rank, result;
};

/* The vocabulary holds the model's own tokens alone as yet. */
bool bpe_init(struct bpe *bpe, const struct vocab *vocab, const struct matcher *kept,
              const struct description *description, bool spelled, struct arena *arena, struct error *error);

/* The merge of two tokens at a rank; the last one given for a pair counts. `n_merges` was said to bpe_init.
 */
void bpe_expect_merge(const struct bpe *bpe, uint32_t left, uint32_t right);
void bpe_add_merge(struct bpe *bpe, struct merge merge);

/* Working memory that calls share, one for each thread that encodes. */
struct bpe_scratch {
    struct buffer symbols, queue, spelling;
};
void bpe_scratch_free(struct bpe_scratch *scratch);

/* Appends the tokens of a word of at least one byte. n log n for a word of n bytes. */
bool bpe_encode(const struct bpe *bpe, const char *word, size_t size, struct bpe_scratch *scratch,
                struct tokens *to, struct error *error);

#endif
