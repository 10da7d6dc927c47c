#include "infer/tokenizer/pretokenize.h"

#include "infer/tokenizer/pattern.h"
#include "infer/tokenizer/unicode.h"
#include "infer/tokenizer/vocab.h"
#include "infer/utf8.h"

#include <string.h>

#define GROWTH_LIMIT 16u /* how many times as long as the text a piece of it may become */

/* ---- Making ---- */

/* Radford et al. 2019; built into ByteLevel. */
static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static bool init_step(struct step *step, const char *name, const struct pretokenizer_step *from,
                      struct error *error) {
    struct span pattern = from->pattern;
    *step = (struct step){.kind = from->kind,
                          .behavior = from->behavior,
                          .invert = from->invert,
                          .literal = from->literal || from->kind == STEP_METASPACE,
                          .scheme = from->scheme,
                          .split = from->split};
    if (step->kind == STEP_GPT2)
        pattern = (struct span){gpt2_pattern, sizeof gpt2_pattern - 1};
    if (!pattern.text)
        return true;
    if (step->kind == STEP_METASPACE) {
        if (pattern.size >= sizeof step->replacement)
            return fail(error, "%s: Metaspace's replacement '%s' is not one character", name, pattern.text);
        memcpy(step->replacement, pattern.text, pattern.size);
        step->behavior = MERGED_WITH_NEXT;
    }
    step->pattern = pattern_new(name, pattern.text, pattern.size, step->literal, error);
    return step->pattern != NULL;
}

bool pretokenizer_init(struct pretokenizer *pretokenizer, const char *name,
                       const struct pretokenizer_step *steps, size_t count, struct error *error) {
    *pretokenizer = (struct pretokenizer){0};
    for (size_t i = 0; i < count; i++)
        if (!init_step(&pretokenizer->steps[pretokenizer->n_steps++], name, &steps[i], error))
            return false;
    return true;
}

void pretokenizer_free(struct pretokenizer *pretokenizer) {
    for (size_t i = 0; i < pretokenizer->n_steps; i++)
        pattern_free(pretokenizer->steps[i].pattern);
}

/* ---- Running ---- */

struct run {
    const struct pretokenizer *pretokenizer;
    struct pretokenizer_scratch *scratch;
    uint64_t size_limit; /* of a piece */
    word_fn *word;
    void *context;
    struct error *error;
};

/* A piece of text on its way through the steps, and the same as patterns see it (unicode_alike). */
struct piece {
    const char *text, *alike;
    size_t size;
    bool first; /* nothing of the whole text stands before it */
};

static bool run_step(struct run *run, size_t step, struct piece piece);

/* Joins what a step finds, matches and the stretches between them in turn, to the pieces its behavior asks
 * for. */
struct splitter {
    struct run *run;
    size_t step; /* the number of this step */
    struct piece whole;
    size_t begin, end; /* the piece that may still grow */
    bool pending, match; /* there is one, and its newest part is a match */
};

static bool splitter_flush(struct splitter *s) {
    bool removed = s->match && s->run->pretokenizer->steps[s->step].behavior == REMOVED;
    if (!s->pending || s->begin == s->end || removed)
        return true;
    return run_step(s->run, s->step + 1,
                    (struct piece){s->whole.text + s->begin, s->whole.alike + s->begin, s->end - s->begin,
                                   s->whole.first && s->begin == 0});
}

static bool splitter_take(void *context, size_t begin, size_t end, bool match) {
    struct splitter *s = context;
    const struct step *step = &s->run->pretokenizer->steps[s->step];
    match = match != step->invert;
    bool joins = s->pending && ((step->behavior == CONTIGUOUS && match == s->match) ||
                                (step->behavior == MERGED_WITH_PREVIOUS && match && !s->match) ||
                                (step->behavior == MERGED_WITH_NEXT && !match && s->match));
    if (!joins) {
        if (!splitter_flush(s))
            return false;
        s->begin = begin;
    }
    s->end = end;
    s->pending = true;
    s->match = match;
    return true;
}

static bool split_at_pattern(struct run *run, size_t i, struct piece piece) {
    const struct step *step = &run->pretokenizer->steps[i];
    struct splitter splitter = {.run = run, .step = i, .whole = piece};
    return pattern_each(step->pattern, step->literal ? piece.text : piece.alike, piece.size,
                        run->scratch->patterns, splitter_take, &splitter, run->error) &&
           splitter_flush(&splitter);
}

static bool split_at(struct run *run, size_t step, struct piece piece, bool (*is)(uint32_t code)) {
    struct splitter splitter = {.run = run, .step = step, .whole = piece};
    size_t done = 0;
    for (size_t i = 0; i < piece.size;) {
        uint32_t code;
        size_t length = utf8_next(piece.text + i, &code);
        if (is(code)) {
            if ((i > done && !splitter_take(&splitter, done, i, false)) ||
                !splitter_take(&splitter, i, i + length, true))
                return false;
            done = i + length;
        }
        i += length;
    }
    return (done == piece.size || splitter_take(&splitter, done, piece.size, false)) &&
           splitter_flush(&splitter);
}

static bool split_at_digits(struct run *run, size_t step, struct piece piece) {
    return split_at(run, step, piece, is_numeric);
}

static bool split_at_punctuation(struct run *run, size_t step, struct piece piece) {
    return split_at(run, step, piece, is_punctuation);
}

static bool split_at_white_space(struct run *run, size_t step, struct piece piece) {
    return split_at(run, step, piece, is_white_space);
}

/* \w+ and [^\w\s]+ */
static bool split_in_words(struct run *run, size_t step, struct piece piece) {
    enum { SPACE, WORD, OTHER } kind = SPACE, last = SPACE;
    struct splitter splitter = {.run = run, .step = step, .whole = piece};
    size_t begin = 0;
    for (size_t i = 0; i < piece.size;) {
        uint32_t code;
        size_t length = utf8_next(piece.text + i, &code);
        kind = is_white_space(code) ? SPACE : is_word(code) ? WORD : OTHER;
        if (kind != last && begin < i && !splitter_take(&splitter, begin, i, last == SPACE))
            return false;
        begin = kind != last ? i : begin;
        last = kind;
        i += length;
    }
    return splitter_take(&splitter, begin, piece.size, last == SPACE) && splitter_flush(&splitter);
}

/* The piece that a step has put in its own buffer. */
static bool run_made(struct run *run, size_t step, struct piece *piece) {
    const struct buffer *made = &run->scratch->made[step];
    if (made->size > run->size_limit)
        return fail(run->error, "the pre-tokenizers make a piece of %zu bytes, over %u times the text",
                    made->size, GROWTH_LIMIT);
    piece->text = made->data;
    piece->size = made->size;
    piece->alike = unicode_alike(piece->text, piece->size, &run->scratch->made_alike[step], run->error);
    return piece->alike != NULL;
}

static bool add_prefix_space(struct run *run, size_t step, struct piece piece) {
    struct buffer *to = &run->scratch->made[step];
    to->size = 0;
    if (piece.text[0] == ' ')
        return run_step(run, step + 1, piece);
    return buffer_append(to, " ", 1, run->error) && buffer_append(to, piece.text, piece.size, run->error) &&
           run_made(run, step, &piece) && run_step(run, step + 1, piece);
}

/* The text with `by` for each space. */
static bool replace_spaces(struct buffer *to, struct piece piece, const char *by, struct error *error) {
    for (size_t done = 0; done < piece.size;) {
        const char *space = memchr(piece.text + done, ' ', piece.size - done);
        size_t end = space ? (size_t)(space - piece.text) : piece.size;
        if (!buffer_append(to, piece.text + done, end - done, error) ||
            (space && !buffer_append(to, by, strlen(by), error)))
            return false;
        done = end + 1;
    }
    return true;
}

static bool run_metaspace(struct run *run, size_t i, struct piece piece) {
    const struct step *step = &run->pretokenizer->steps[i];
    struct buffer *to = &run->scratch->made[i];
    size_t length = strlen(step->replacement);
    bool there =
        piece.text[0] == ' ' || (piece.size >= length && memcmp(piece.text, step->replacement, length) == 0);
    bool wanted = step->scheme == PREPEND_ALWAYS || (step->scheme == PREPEND_FIRST && piece.first);
    to->size = 0;
    return (there || !wanted || buffer_append(to, step->replacement, length, run->error)) &&
           replace_spaces(to, piece, step->replacement, run->error) && run_made(run, i, &piece) &&
           (step->split ? split_at_pattern(run, i, piece) : run_step(run, i + 1, piece));
}

static bool run_spell(struct run *run, size_t step, struct piece piece) {
    struct buffer *to = &run->scratch->made[step];
    to->size = 0;
    char *room = buffer_reserve(to, 2 * piece.size, run->error);
    if (!room)
        return false;
    to->size = vocab_spell(piece.text, piece.size, room);
    return run_made(run, step, &piece) && run_step(run, step + 1, piece);
}

/* Recursion is as deep as there are steps. */
static bool run_step(struct run *run, size_t step, struct piece piece) {
    static bool (*const runs[N_STEPS])(struct run *, size_t, struct piece) = {
        [STEP_SPLIT] = split_at_pattern,
        [STEP_GPT2] = split_at_pattern,
        [STEP_DIGITS] = split_at_digits,
        [STEP_PUNCTUATION] = split_at_punctuation,
        [STEP_WHITESPACE] = split_in_words,
        [STEP_WHITESPACE_SPLIT] = split_at_white_space,
        [STEP_PREFIX_SPACE] = add_prefix_space,
        [STEP_METASPACE] = run_metaspace,
        [STEP_SPELL] = run_spell,
    };
    if (step == run->pretokenizer->n_steps)
        return run->word(run->context, piece.text, piece.size, run->error);
    return runs[run->pretokenizer->steps[step].kind](run, step, piece);
}

bool pretokenize(const struct pretokenizer *pretokenizer, const char *text, size_t size, bool first,
                 struct pretokenizer_scratch *scratch, word_fn *word, void *context, struct error *error) {
    if (size == 0)
        return true;
    if (!scratch->patterns && !(scratch->patterns = pattern_scratch_new(error)))
        return false;
    struct run run = {pretokenizer, scratch, GROWTH_LIMIT * (uint64_t)size + GROWTH_LIMIT,
                      word,         context, error};
    struct piece piece = {text, unicode_alike(text, size, &scratch->alike, error), size, first};
    return piece.alike && run_step(&run, 0, piece);
}

void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch) {
    pattern_scratch_free(scratch->patterns);
    buffer_free(&scratch->alike);
    for (size_t i = 0; i < DESCRIPTION_MAX_STEPS; i++) {
        buffer_free(&scratch->made[i]);
        buffer_free(&scratch->made_alike[i]);
    }
}
