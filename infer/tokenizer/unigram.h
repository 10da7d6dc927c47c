/* The unigram model (Kudo 2018): of all ways to write a text as tokens, the one whose scores add up to most,
 * by Viterbi's algorithm. */
#ifndef INFER_TOKENIZER_UNIGRAM_H
#define INFER_TOKENIZER_UNIGRAM_H

#include "infer/tokenizer.h"
#include "infer/tokenizer/description.h"
#include "infer/tokenizer/vocab.h"

struct unigram {
    const char *name;
    const struct vocab *vocab;
    double *scores; /* by id */
    double unknown_score;
    bool single_precision; /* sums of scores are rounded to floats */
    size_t longest; /* token, in bytes */
    uint32_t unknown; /* NO_TOKEN: what has no token is an error, but for byte_fallback */
    bool byte_fallback;
    uint32_t byte_tokens[256];
    struct buffer edges; /* a byte trie: a hash table by parent and byte */
    size_t n_slots; /* a power of two, at least one and a half times the nodes */
    uint32_t n_nodes; /* the root is 0 */
};

/* The vocabulary holds the model's own tokens alone as yet. To be freed also after a failure. */
bool unigram_init(struct unigram *unigram, const struct vocab *vocab, const struct description *description,
                  struct arena *arena, struct error *error);
void unigram_free(struct unigram *unigram);

/* Appends the tokens of a well-formed text of at least one byte. Time is the text's size times the longest
 * token's; `scratch` is working memory that calls share. */
bool unigram_encode(const struct unigram *unigram, const char *text, size_t size, struct buffer *scratch,
                    struct tokens *to, struct error *error);

#endif
