/* Text to token ids and back, exactly as the model's tokenizer does it.
 *
 * BPE, of bytes or with SentencePiece's meta space, and unigram, from Hugging Face's tokenizer.json or
 * SentencePiece's tokenizer.model; docs/tokenizers.md lists what is read. Whatever would change ids and is
 * not known is refused by name, never ignored.
 *
 * Invalid UTF-8 in the input reads as U+FFFD, one for each maximal invalid part, as Python's errors="replace"
 * does. */
#ifndef INFER_TOKENIZER_H
#define INFER_TOKENIZER_H

#include "format/format.h"

struct tokenizer;

struct tokens {
    uint32_t *ids;
    size_t count, capacity;
};

/* `name` begins sentences, such as the model's path. vocab_size is the model's: a token id at or beyond it is
 * an error. The tokenizer owns its memory; `json` may go afterwards. */
struct tokenizer *tokenizer_new(const char *name, const char *json, size_t size, uint64_t vocab_size,
                                struct error *error);
/* That of a model or a checkpoint: of its tokenizer.json or, where there is none, of its tokenizer.model and
 * the files beside it (infer/tokenizer/sentencepiece.h). A sentence says so where there is neither. */
struct tokenizer *tokenizer_open(const struct container *container, uint64_t vocab_size, struct error *error);
void tokenizer_free(struct tokenizer *tokenizer); /* NULL is fine */

/* Appends the ids of `text`. With parse_special, special tokens written out in the text become their ids, as
 * Hugging Face does; without, they are plain text (what a user types into a chat). Nothing is put before or
 * behind. */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size, bool parse_special,
                      struct tokens *to, struct error *error);

/* A text in parts, such as a chat: template text, whose special tokens count, around what a user typed, where
 * they don't. Gives the ids of the parts put together. */
struct text_part {
    const char *text;
    size_t size;
    bool parse_special;
};
bool tokenizer_encode_parts(const struct tokenizer *tokenizer, const struct text_part *parts, size_t count,
                            struct tokens *to, struct error *error);

bool tokens_push(struct tokens *tokens, uint32_t id, struct error *error);
void tokens_free(struct tokens *tokens);

/* Tokens that the post-processor puts before a text (BOS for Llama 3; none for most others). */
const uint32_t *tokenizer_prefix(const struct tokenizer *tokenizer, size_t *count);

/* Tokens that it puts behind (EOS for T5). A text that is to be continued goes without. */
const uint32_t *tokenizer_suffix(const struct tokenizer *tokenizer, size_t *count);

/* The bytes of one token within a text; perhaps part of a character. Ids not in use have none. */
const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *size);
/* The same of the first token of a text, which with some tokenizers (Llama 2) loses a space. */
const char *tokenizer_first_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *size);
bool tokenizer_is_special(const struct tokenizer *tokenizer, uint32_t id);
/* The id of an added token or a vocabulary entry by its exact text; false if there is none. */
bool tokenizer_id(const struct tokenizer *tokenizer, const char *text, uint32_t *id);
uint32_t tokenizer_size(const struct tokenizer *tokenizer); /* one more than the highest id */

#endif
