/* What a tokenizer is, whatever file says so: the seam between readers of files and the code that encodes.
 *
 * A reader, such as that of tokenizer.json (tokenizer_json.h), fills a zeroed `struct description` and hands
 * it to tokenizer_build. It reports what the file says, in the terms of Hugging Face's library `tokenizers`,
 * whose ids are the definition; whether that can be done is for tokenizer_build to say, which refuses by
 * name. Texts belong to the reader and need only last until tokenizer_build returns. They are well-formed
 * UTF-8 without NUL but for charsmaps. */
#ifndef INFER_TOKENIZER_DESCRIPTION_H
#define INFER_TOKENIZER_DESCRIPTION_H

#include "lib/memory.h"

#define DESCRIPTION_MAX_STEPS 32 /* of normalizers, pre-tokenizers or decoders, Sequences laid flat */
#define DESCRIPTION_MAX_AFFIX 16 /* tokens before or behind a text */

struct span {
    const char *text; /* NULL where there is none */
    size_t size;
};

/* A token of the model's own vocabulary. Ids are distinct, in any order. */
struct described_token {
    const char *text;
    size_t size;
    uint64_t id;
    double score; /* of unigram: the logarithm of a probability */
    bool apart; /* no text becomes it, unless it is added too: SentencePiece's bytes and control symbols */
    bool kept; /* normalizing and BPE find it before all else and leave it as it is: user-defined symbols */
};

/* The first ranks first. What two tokens make is the token with both texts, one behind the other. */
struct described_merge {
    const char *texts[2];
    size_t sizes[2];
    bool level; /* ranks as the one before it does; among equals the leftmost goes first */
};

/* Added tokens are in the vocabulary above, or continue its ids. */
struct described_added_token {
    struct span text; /* never empty */
    uint64_t id;
    bool special, normalized, single_word, lstrip, rstrip; /* as in added_tokens.h */
};

enum model_kind { MODEL_BPE, MODEL_UNIGRAM };

struct normalizer_step {
    enum normalizer_kind {
        NORMALIZE_NFC,
        NORMALIZE_NFD,
        NORMALIZE_NFKC,
        NORMALIZE_NFKD,
        NORMALIZE_LOWERCASE,
        NORMALIZE_STRIP, /* white space at the ends: `left`, `right` */
        NORMALIZE_STRIP_ACCENTS,
        NORMALIZE_NMT, /* drops control characters, makes rare white space spaces */
        NORMALIZE_SPELL, /* bytes as the characters of GPT-2's alphabet (vocab.h) */
        NORMALIZE_PREPEND, /* puts `content` before a text that is not empty */
        NORMALIZE_REPLACE, /* `content` for what `pattern` finds */
        NORMALIZE_CHARSMAP, /* SentencePiece's precompiled_charsmap: its bytes are `content` */
        NORMALIZE_SENTENCEPIECE, /* sp_normalizer.h: `content` is a charsmap or of size 0, `pattern` what
                                    spaces become, one is added where `left` or `right` says so */
        N_NORMALIZERS
    } kind;
    bool left, right;
    bool squeeze; /* NORMALIZE_SENTENCEPIECE: no spaces at the ends, no two in a row */
    struct span pattern, content;
    bool literal; /* the pattern is no regular expression */
};

/* What becomes of what a step finds. */
enum behavior { ISOLATED, REMOVED, CONTIGUOUS, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, N_BEHAVIORS };

enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER, N_PREPEND_SCHEMES };

struct pretokenizer_step {
    enum pretokenizer_kind {
        STEP_SPLIT, /* at `pattern` */
        STEP_GPT2, /* at the pattern of GPT-2, built into ByteLevel */
        STEP_DIGITS,
        STEP_PUNCTUATION,
        STEP_WHITESPACE, /* words, and runs of what is neither word nor white space */
        STEP_WHITESPACE_SPLIT,
        STEP_PREFIX_SPACE, /* a space before a piece that begins with none */
        STEP_METASPACE, /* `pattern`, one character, for each space, and before the piece as `scheme` says */
        STEP_SPELL, /* bytes as the characters of GPT-2's alphabet */
        N_STEPS
    } kind;
    enum behavior behavior;
    bool invert; /* the pattern finds words, not what stands between them */
    struct span pattern;
    bool literal;
    enum prepend_scheme scheme;
    bool split; /* STEP_METASPACE: also before each such character */
};

struct decoder_step {
    enum decoder_kind {
        DECODE_SPELLED, /* GPT-2's alphabet back to bytes */
        DECODE_METASPACE, /* `pattern` becomes a space, or nothing in the first token, as `scheme` says */
        DECODE_REPLACE, /* `content` for `pattern` */
        DECODE_BYTES, /* <0x0A> is the byte 0A */
        DECODE_FUSE, /* what follows sees the text, not tokens */
        DECODE_STRIP, /* up to `left` times `content` at the beginning, `right` times at the end */
        N_DECODERS
    } kind;
    struct span pattern, content;
    bool literal;
    enum prepend_scheme scheme;
    uint64_t left, right;
};

struct description {
    const char *name; /* begins sentences, such as the model's path */
    enum model_kind kind;
    const struct described_token *tokens;
    size_t n_tokens;
    const struct described_merge *merges; /* of MODEL_BPE */
    size_t n_merges;
    struct span unknown; /* the token for what has none */
    bool fuse_unknown; /* one for a row of it; unigram always does */
    double unknown_score; /* of unigram: of a character that no token covers */
    bool single_precision; /* of unigram: sums of scores are floats, as in SentencePiece's library */
    bool byte_fallback; /* <0x0A> for the byte 0A of what has no token */
    bool ignore_merges; /* a word that is in the vocabulary is that token, whatever the merges say */

    struct normalizer_step normalizers[DESCRIPTION_MAX_STEPS];
    size_t n_normalizers;
    struct pretokenizer_step pretokenizers[DESCRIPTION_MAX_STEPS];
    size_t n_pretokenizers;
    struct decoder_step decoders[DESCRIPTION_MAX_STEPS];
    size_t n_decoders;

    const struct described_added_token *added; /* in the order in which ids are handed out */
    size_t n_added;
    uint64_t prefix[DESCRIPTION_MAX_AFFIX], suffix[DESCRIPTION_MAX_AFFIX]; /* what the post-processor adds */
    size_t n_prefix, n_suffix;
};

/* The tokenizer, which owns its memory. Ids at or beyond vocab_size, the model's, are an error. */
struct tokenizer *tokenizer_build(const struct description *description, uint64_t vocab_size,
                                  struct error *error);

#endif
