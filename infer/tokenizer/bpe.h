/* Byte-pair encoding (Sennrich et al. 2016) of one word at a time: the pair of neighbours whose merge ranks
 * first becomes one token, the leftmost among equals, until no pair merges. */
#ifndef INFER_TOKENIZER_BPE_H
#define INFER_TOKENIZER_BPE_H

#include "infer/tokenizer.h"
#include "infer/tokenizer/vocab.h"

#define BPE_NO_TOKEN UINT32_MAX

struct bpe {
    const struct vocab *vocab;
    bool ignore_merges; /* a word that is in the vocabulary is that token, whatever the merges say */
    uint32_t
        byte_tokens[256]; /* BPE_NO_TOKEN: the vocabulary lacks the byte, which then drops out of a word */
    struct merge *merges; /* hash table by pair */
    size_t n_slots; /* a power of two, at least one and a half times the merges */
};

struct merge {
    uint32_t left, right; /* both BPE_NO_TOKEN where the slot is empty */
    uint32_t rank, result;
};

bool bpe_init(struct bpe *bpe, const struct vocab *vocab, size_t n_merges, struct arena *arena,
              struct error *error);

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
