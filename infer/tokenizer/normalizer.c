#include "infer/tokenizer/normalizer.h"

#include "infer/tokenizer/pattern.h"
#include "infer/tokenizer/unicode.h"
#include "infer/tokenizer/vocab.h"
#include "infer/utf8.h"

#include <string.h>

#define CONTENT_LIMIT 256u /* bytes of what replaces or is put before */
#define GROWTH_LIMIT 64u /* how many times as long as the text its normal form may become */

/* ---- Making ---- */

static bool init_sentencepiece(struct sp_normalizer *sp, const char *name, const struct normalizer_step *from,
                               const struct matcher *kept, struct arena *arena, struct error *error) {
    *sp = (struct sp_normalizer){.kept = kept,
                                 .mark_size = from->pattern.size,
                                 .mark = arena_text(arena, from->pattern.text, from->pattern.size, error),
                                 .before = from->left,
                                 .behind = from->right,
                                 .squeeze = from->squeeze};
    return sp->mark && (from->content.size == 0 || charsmap_init(&sp->charsmap, name, from->content.text,
                                                                 from->content.size, arena, error));
}

static bool init_step(struct normalizer *n, struct normal_step *step, const struct normalizer_step *from,
                      const struct matcher *kept, struct arena *arena, struct error *error) {
    *step = (struct normal_step){.kind = from->kind,
                                 .left = from->left,
                                 .right = from->right,
                                 .literal = from->literal,
                                 .content.size = from->content.size};
    if (from->kind == NORMALIZE_CHARSMAP)
        return charsmap_init(&step->charsmap, n->name, from->content.text, from->content.size, arena, error);
    if (from->kind == NORMALIZE_SENTENCEPIECE)
        return init_sentencepiece(&step->sentencepiece, n->name, from, kept, arena, error);
    if (from->content.size > CONTENT_LIMIT)
        return fail(error, "%s: a normalizer puts in %zu bytes at once, the limit is %u", n->name,
                    from->content.size, CONTENT_LIMIT);
    if (from->content.text)
        step->content.text = arena_text(arena, from->content.text, from->content.size, error);
    if (from->content.text && !step->content.text)
        return false;
    if (!from->pattern.text)
        return true;
    step->pattern = pattern_new(n->name, from->pattern.text, from->pattern.size, from->literal, error);
    return step->pattern != NULL;
}

bool normalizer_init(struct normalizer *normalizer, const char *name, const struct normalizer_step *steps,
                     size_t count, const struct matcher *kept, struct arena *arena, struct error *error) {
    *normalizer = (struct normalizer){.name = name};
    for (size_t i = 0; i < count; i++)
        if (!init_step(normalizer, &normalizer->steps[normalizer->n_steps++], &steps[i], kept, arena, error))
            return false;
    return true;
}

void normalizer_free(struct normalizer *normalizer) {
    for (size_t i = 0; i < normalizer->n_steps; i++)
        pattern_free(normalizer->steps[i].pattern);
}

void normalizer_scratch_free(struct normalizer_scratch *scratch) {
    pattern_scratch_free(scratch->patterns);
    buffer_free(&scratch->texts[0]);
    buffer_free(&scratch->texts[1]);
    buffer_free(&scratch->alike);
}

/* ---- Running ---- */

/* One step on one text; what it makes of it goes behind `to`. */
struct pass {
    const struct normal_step *step;
    const char *text;
    size_t size;
    bool begins, ends;
    struct normalizer_scratch *scratch;
    struct buffer *to;
    struct error *error;
};

static bool put(struct pass *pass, const char *text, size_t size) {
    return buffer_append(pass->to, text, size, pass->error);
}

static bool to_normal_form(struct pass *pass) {
    static const enum normal_form forms[] = {[NORMALIZE_NFC] = FORM_NFC,
                                             [NORMALIZE_NFD] = FORM_NFD,
                                             [NORMALIZE_NFKC] = FORM_NFKC,
                                             [NORMALIZE_NFKD] = FORM_NFKD};
    return unicode_normalize(forms[pass->step->kind], pass->text, pass->size, pass->to, pass->error);
}

/* Character by character; `change` returns how many bytes it wrote, at most four times UNICODE_MOST. */
static bool change_each(struct pass *pass, size_t (*change)(uint32_t code, char *out)) {
    for (size_t i = 0; i < pass->size;) {
        uint32_t code;
        char changed[4 * UNICODE_MOST];
        size_t length = utf8_next(pass->text + i, &code), changed_length = change(code, changed);
        if (!put(pass, changed, changed_length))
            return false;
        if (i == 0 && changed_length == 0)
            pass->scratch->shortened = pass->scratch->shortened || pass->begins;
        i += length;
    }
    return true;
}

static bool to_lowercase(struct pass *pass) {
    return change_each(pass, unicode_lowercase);
}

static size_t without_mark(uint32_t code, char *out) {
    return is_mark(code) ? 0 : utf8_encode(code, out);
}

static bool strip_accents(struct pass *pass) {
    return change_each(pass, without_mark);
}

/* The rules "nmt" of SentencePiece, as Hugging Face's library has them. */
static size_t nmt(uint32_t code, char *out) {
    bool dropped = (code >= 0x1 && code <= 0x8) || code == 0xb || (code >= 0xe && code <= 0x1f) ||
                   code == 0x7f || code == 0x8f || code == 0x9f;
    bool space = code == '\t' || code == '\n' || code == '\f' || code == '\r' || code == 0x1680 ||
                 (code >= 0x200b && code <= 0x200f) || code == 0x2028 || code == 0x2029 || code == 0x2581 ||
                 code == 0xfeff || code == 0xfffd;
    return dropped ? 0 : utf8_encode(space ? ' ' : code, out);
}

static bool apply_nmt(struct pass *pass) {
    return change_each(pass, nmt);
}

static size_t spell(uint32_t code, char *out) {
    char bytes[4];
    return vocab_spell(bytes, utf8_encode(code, bytes), out);
}

static bool spell_bytes(struct pass *pass) {
    return change_each(pass, spell);
}

static bool apply_charsmap(struct pass *pass) {
    return charsmap_apply(&pass->step->charsmap, pass->text, pass->size, pass->to, pass->error);
}

static bool as_sentencepiece(struct pass *pass) {
    return sp_normalize(&pass->step->sentencepiece, pass->text, pass->size, pass->begins, pass->ends,
                        pass->to, pass->error);
}

static bool strip(struct pass *pass) {
    const struct normal_step *step = pass->step;
    size_t begin = step->left && pass->begins ? white_space_before(pass->text, pass->size) : 0;
    size_t end =
        step->right && pass->ends ? without_white_space_behind(pass->text, begin, pass->size) : pass->size;
    pass->scratch->shortened = pass->scratch->shortened || begin > 0;
    return put(pass, pass->text + begin, end - begin);
}

static bool prepend(struct pass *pass) {
    const struct span *content = &pass->step->content;
    return (!pass->begins || pass->size == 0 || put(pass, content->text, content->size)) &&
           put(pass, pass->text, pass->size);
}

static bool replace_one(void *context, size_t begin, size_t end, bool match) {
    struct pass *pass = context;
    const struct span *content = &pass->step->content;
    if (!match)
        return put(pass, pass->text + begin, end - begin);
    if (begin == 0 && end > 0 && content->size == 0)
        pass->scratch->shortened = pass->scratch->shortened || pass->begins;
    return put(pass, content->text, content->size);
}

static bool replace(struct pass *pass) {
    struct normalizer_scratch *scratch = pass->scratch;
    if (!scratch->patterns && !(scratch->patterns = pattern_scratch_new(pass->error)))
        return false;
    const char *seen = pass->step->literal
                           ? pass->text
                           : unicode_alike(pass->text, pass->size, &scratch->alike, pass->error);
    return seen && pattern_each(pass->step->pattern, seen, pass->size, scratch->patterns, replace_one, pass,
                                pass->error);
}

static bool run_pass(struct pass *pass) {
    static bool (*const runs[N_NORMALIZERS])(struct pass *) = {
        [NORMALIZE_NFC] = to_normal_form,
        [NORMALIZE_NFD] = to_normal_form,
        [NORMALIZE_NFKC] = to_normal_form,
        [NORMALIZE_NFKD] = to_normal_form,
        [NORMALIZE_LOWERCASE] = to_lowercase,
        [NORMALIZE_STRIP] = strip,
        [NORMALIZE_STRIP_ACCENTS] = strip_accents,
        [NORMALIZE_NMT] = apply_nmt,
        [NORMALIZE_SPELL] = spell_bytes,
        [NORMALIZE_PREPEND] = prepend,
        [NORMALIZE_REPLACE] = replace,
        [NORMALIZE_CHARSMAP] = apply_charsmap,
        [NORMALIZE_SENTENCEPIECE] = as_sentencepiece,
    };
    return pass->size == 0 || runs[pass->step->kind](pass);
}

bool normalize(const struct normalizer *normalizer, const char *text, size_t size, bool begins, bool ends,
               struct normalizer_scratch *scratch, struct buffer *to, struct error *error) {
    uint64_t limit = GROWTH_LIMIT * (uint64_t)size + CONTENT_LIMIT;
    scratch->shortened = false;
    for (size_t i = 0; i < normalizer->n_steps; i++) {
        struct pass pass = {&normalizer->steps[i], text, size, begins, ends, scratch, to, error};
        bool last = i + 1 == normalizer->n_steps;
        size_t before = last ? to->size : 0;
        if (!last) {
            pass.to = &scratch->texts[i % 2];
            pass.to->size = 0;
        }
        if (!run_pass(&pass))
            return false;
        text = pass.to->data ? pass.to->data : "";
        size = pass.to->size - before;
        if (size > limit)
            return fail(error, "%s: the normalizers make a text of %zu bytes, over %u times the original",
                        normalizer->name, size, GROWTH_LIMIT);
    }
    return normalizer->n_steps > 0 || buffer_append(to, text, size, error);
}
