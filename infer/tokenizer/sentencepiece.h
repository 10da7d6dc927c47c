/* SentencePiece's tokenizer.model as a description of the tokenizer.
 *
 * The file is that library's message ModelProto: pieces, each a text with a score and a type, how they were
 * trained and how text is normalized. Models of type BPE and unigram are known; ids are those of the library
 * (0.2.3) for a text without added tokens, whose merges go by scores and whose sums are floats.
 *
 * What the library leaves to its callers is as transformers (4) does it for such a file:
 * - Control symbols and <unk> written out are those tokens, found before all else. So are the added tokens of
 *   tokenizer_config.json, or in its absence of added_tokens.json, and the named ones, such as "bos_token".
 * - Each section between them is normalized by itself, its dummy prefix included. Where tokenizer_config.json
 *   says "legacy": false, only the first has a prefix, and only where it does not begin with a space; where
 *   it says "add_prefix_space": false, none has.
 * - BOS stands before a text unless "add_bos_token" is false, EOS behind it only if "add_eos_token" is true.
 */
#ifndef INFER_TOKENIZER_SENTENCEPIECE_H
#define INFER_TOKENIZER_SENTENCEPIECE_H

#include "infer/tokenizer/description.h"

struct sentencepiece_files {
    struct span model, config, special_tokens, added_tokens; /* text NULL where there is no such file */
};

/* Texts of the description are those of the files, or in the arena. `name` begins sentences; added tokens
 * that the model's vocabulary has no room for are left out where no file gives them an id. */
bool sentencepiece_read(struct description *description, const char *name,
                        const struct sentencepiece_files *files, uint64_t vocab_size, struct arena *arena,
                        struct error *error);

#endif
