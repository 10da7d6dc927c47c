/* Tokens a second against the number of sequences decoded together.
 *
 * A step reads the weights once, whatever the number of sequences, and multiplies them once for each. So a
 * small batch takes as long as a lone sequence and brings as many times the tokens, and tokens a second rise
 * in proportion; a large one takes as long as its arithmetic, and they stay as they are.
 *
 * THE KNEE is the batch at which these two lines meet: the most tokens a second of any batch over those of
 * one sequence. Both are measured in the same rounds, so that neither a roof nor a peak has to be believed.
 * It is the measured counterpart of the knee in evaluate/roofline.h, which is higher where kernels get more
 * of the memory's speed than of the arithmetic's, and lower where they get less. The curve itself turns
 * gradually and is below both lines there. Where the last doubling still brings half as much again or more,
 * the flat line has not been seen; then the knee is unknown, and beyond the largest batch.
 *
 * Sequences are short, BATCH_POSITIONS at most, so that what bends the lines is the weights and not the KV
 * cache, which every sequence reads for itself, and so that the caches of all take little memory. */
#ifndef EVALUATE_BATCHES_H
#define EVALUATE_BATCHES_H

#include "evaluate/page.h"
#include "lib/json.h"

#define BATCH_SIZES 7 /* powers of 2 */
#define BATCH_LARGEST 64
#define BATCH_POSITIONS 32 /* tokens of a sequence; then it begins anew */

static inline size_t batch_size(size_t i) {
    return (size_t)1 << i;
}

struct batch_speed {
    double tokens; /* a second, of all sequences */
    double bandwidth; /* bytes of weights and KV cache a second */
};

struct evaluation;
struct row;

/* 0 where it is not known. speeds[i] is that of batch_size(i) sequences. */
double batch_knee(const struct batch_speed speeds[BATCH_SIZES]);

bool print_batches(const struct evaluation *evaluation, struct buffer *to, struct error *error);
json_t *batches_json(const struct row *row);
/* A section with the plot, and one with the table. */
void put_batch_plot(struct page *page, const struct evaluation *evaluation);
void put_batch_table(struct page *page, const struct evaluation *evaluation);

#endif
