#include "infer/tokenizer/pretokenize.h"

#include "infer/tokenizer/pattern.h"
#include "infer/tokenizer/unicode.h"
#include "infer/utf8.h"

#include <string.h>

/* ---- Making ---- */

/* Radford et al. 2019; built into ByteLevel. */
static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static bool init_step(struct step *step, const char *name, const struct pretokenizer_step *from,
                      struct error *error) {
    struct span pattern = from->pattern;
    *step = (struct step){.kind = from->kind, .behavior = from->behavior, .invert = from->invert};
    if (step->kind == STEP_GPT2)
        pattern = (struct span){gpt2_pattern, sizeof gpt2_pattern - 1};
    if (!pattern.text)
        return true;
    step->pattern = pattern_new(name, pattern.text, pattern.size, from->literal, error);
    return step->pattern != NULL;
}

bool pretokenizer_init(struct pretokenizer *pretokenizer, const char *name,
                       const struct pretokenizer_step *steps, size_t count, struct error *error) {
    *pretokenizer = (struct pretokenizer){0};
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == STEP_SPELL && i + 1 == count)
            break; /* the vocabulary's business */
        if (steps[i].kind > STEP_DIGITS && steps[i].kind != STEP_PREFIX_SPACE)
            return fail(error, "%s: a pre-tokenizer is not supported", name);
        if (!init_step(&pretokenizer->steps[pretokenizer->n_steps++], name, &steps[i], error))
            return false;
    }
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
    word_fn *word;
    void *context;
    struct error *error;
};

/* A piece of text on its way through the steps, and the same as patterns see it (unicode_alike). */
struct piece {
    const char *text, *alike;
    size_t size;
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
                    (struct piece){s->whole.text + s->begin, s->whole.alike + s->begin, s->end - s->begin});
}

static bool splitter_take(struct splitter *s, size_t begin, size_t end, bool match) {
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

/* As Oniguruma's find_iter: an empty match right behind another match does not count. */
static bool split(struct splitter *s) {
    const struct pattern *pattern = s->run->pretokenizer->steps[s->step].pattern;
    struct pattern_scratch *scratch = s->run->scratch->patterns;
    size_t size = s->whole.size, done = 0, from = 0, begin, end;
    bool matched = false;
    while (from <= size) {
        if (!pattern_find(pattern, s->whole.alike, size, from, scratch, &begin, &end, s->run->error))
            return false;
        if (begin > size)
            break;
        if (begin == end && matched && end == done) {
            uint32_t code;
            from += from < size ? utf8_next(s->whole.text + from, &code) : 1;
            continue;
        }
        if ((begin > done && !splitter_take(s, done, begin, false)) || !splitter_take(s, begin, end, true))
            return false;
        done = from = end;
        matched = true;
    }
    return done == size || splitter_take(s, done, size, false);
}

static bool split_digits(struct splitter *s) {
    size_t done = 0;
    for (size_t i = 0; i < s->whole.size;) {
        uint32_t code;
        size_t length = utf8_next(s->whole.text + i, &code);
        if (is_numeric(code)) {
            if ((i > done && !splitter_take(s, done, i, false)) || !splitter_take(s, i, i + length, true))
                return false;
            done = i + length;
        }
        i += length;
    }
    return done == s->whole.size || splitter_take(s, done, s->whole.size, false);
}

static const char *with_space(const char *text, size_t size, struct buffer *to, struct error *error) {
    to->size = 0;
    return buffer_append(to, " ", 1, error) && buffer_append(to, text, size, error) ? to->data : NULL;
}

static bool prefix_space(struct run *run, size_t step, struct piece piece) {
    if (piece.text[0] == ' ')
        return run_step(run, step + 1, piece);
    struct piece prefixed = {.size = piece.size + 1};
    prefixed.text = with_space(piece.text, piece.size, &run->scratch->prefixed, run->error);
    prefixed.alike = with_space(piece.alike, piece.size, &run->scratch->prefixed_alike, run->error);
    return prefixed.text && prefixed.alike && run_step(run, step + 1, prefixed);
}

/* Recursion is as deep as there are steps. */
static bool run_step(struct run *run, size_t step, struct piece piece) {
    if (step == run->pretokenizer->n_steps)
        return run->word(run->context, piece.text, piece.size, run->error);
    struct splitter splitter = {.run = run, .step = step, .whole = piece};
    switch (run->pretokenizer->steps[step].kind) {
    case STEP_PREFIX_SPACE:
        return prefix_space(run, step, piece);
    case STEP_DIGITS:
        return split_digits(&splitter) && splitter_flush(&splitter);
    case STEP_SPLIT:
    case STEP_GPT2:
        return split(&splitter) && splitter_flush(&splitter);
    default:
        return false;
    }
}

bool pretokenize(const struct pretokenizer *pretokenizer, const char *text, size_t size,
                 struct pretokenizer_scratch *scratch, word_fn *word, void *context, struct error *error) {
    if (size == 0)
        return true;
    if (!scratch->patterns && !(scratch->patterns = pattern_scratch_new(error)))
        return false;
    struct run run = {pretokenizer, scratch, word, context, error};
    struct piece piece = {text, unicode_alike(text, size, &scratch->alike, error), size};
    return piece.alike && run_step(&run, 0, piece);
}

void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch) {
    pattern_scratch_free(scratch->patterns);
    buffer_free(&scratch->alike);
    buffer_free(&scratch->prefixed);
    buffer_free(&scratch->prefixed_alike);
}
