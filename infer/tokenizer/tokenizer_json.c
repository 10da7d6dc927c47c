#include "infer/tokenizer/tokenizer_json.h"

#include <math.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

struct reader {
    struct description *to;
    const char *name;
    struct arena *arena;
    struct error *error;
};

/* ---- Fields ---- */

static bool is_absent(const json_t *json) {
    return !json || json_is_null(json);
}

static const char *type_of(const json_t *json) {
    const char *type = json_string_value(json_object_get(json, "type"));
    return type ? type : "";
}

static struct span span_of(const json_t *json) {
    return (struct span){json_string_value(json), json_string_length(json)};
}

static bool read_flag(struct reader *r, const json_t *json, const char *key, bool otherwise, bool *flag) {
    const json_t *value = json_object_get(json, key);
    *flag = is_absent(value) ? otherwise : json_is_true(value);
    return is_absent(value) || json_is_boolean(value) ||
           fail(r->error, "%s: '%s' of the tokenizer's %s is neither true nor false", r->name, key,
                type_of(json));
}

static bool read_text(struct reader *r, const json_t *json, const char *key, struct span *text) {
    *text = span_of(json_object_get(json, key));
    return text->text ||
           fail(r->error, "%s: '%s' of the tokenizer's %s is no text", r->name, key, type_of(json));
}

static bool read_count(struct reader *r, const json_t *json, const char *key, uint64_t *count) {
    const json_t *value = json_object_get(json, key);
    *count = (uint64_t)json_integer_value(value);
    return (json_is_integer(value) && json_integer_value(value) >= 0) ||
           fail(r->error, "%s: '%s' of the tokenizer's %s is no count", r->name, key, type_of(json));
}

static bool read_pattern(struct reader *r, const json_t *json, struct span *pattern, bool *literal) {
    const json_t *object = json_object_get(json, "pattern"), *regex = json_object_get(object, "Regex");
    *literal = !regex;
    *pattern = span_of(regex ? regex : json_object_get(object, "String"));
    return pattern->text ||
           fail(r->error, "%s: the tokenizer's %s has neither a Regex nor a String", r->name, type_of(json));
}

static bool find_name(const char *const *names, size_t count, const char *name, size_t *index) {
    for (*index = 0; name && *index < count; (*index)++)
        if (strcmp(names[*index], name) == 0)
            return true;
    return false;
}

/* ---- Steps: each section of the file is one of its kinds, or a Sequence of them ---- */

struct kind {
    const char *type;
    bool (*read)(struct reader *r, const json_t *json, int kind);
    int kind; /* for a reader of several kinds */
};

struct section {
    const char *what, *list; /* in sentences, and the list of a Sequence */
    const struct kind *kinds;
    size_t n_kinds;
};

static bool read_section(struct reader *r, const struct section *section, const json_t *json) {
    const char *type = type_of(json);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(json, section->list);
        for (size_t i = 0; i < json_array_size(list); i++)
            if (!read_section(r, section, json_array_get(list, i)))
                return false;
        return json_is_array(list) || fail(r->error, "%s: the tokenizer's %s is a Sequence without '%s'",
                                           r->name, section->what, section->list);
    }
    for (size_t i = 0; i < section->n_kinds; i++)
        if (strcmp(type, section->kinds[i].type) == 0)
            return section->kinds[i].read(r, json, section->kinds[i].kind);
    return fail(r->error, "%s: the %s '%s' is not supported", r->name, section->what, type);
}

static bool has_room(struct reader *r, size_t count, const char *what) {
    return count < DESCRIPTION_MAX_STEPS ||
           fail(r->error, "%s: the tokenizer has over %d %ss", r->name, DESCRIPTION_MAX_STEPS, what);
}

/* ---- Normalizers ---- */

static bool add_normalizer(struct reader *r, struct normalizer_step step) {
    if (!has_room(r, r->to->n_normalizers, "normalizer"))
        return false;
    r->to->normalizers[r->to->n_normalizers++] = step;
    return true;
}

static bool read_plain_normalizer(struct reader *r, const json_t *json, int kind) {
    (void)json;
    return add_normalizer(r, (struct normalizer_step){.kind = (enum normalizer_kind)kind});
}

static bool read_strip(struct reader *r, const json_t *json, int kind) {
    struct normalizer_step step = {.kind = (enum normalizer_kind)kind};
    return read_flag(r, json, "strip_left", false, &step.left) &&
           read_flag(r, json, "strip_right", false, &step.right) && add_normalizer(r, step);
}

static bool read_prepend(struct reader *r, const json_t *json, int kind) {
    struct normalizer_step step = {.kind = (enum normalizer_kind)kind};
    return read_text(r, json, "prepend", &step.content) && add_normalizer(r, step);
}

static bool read_replace(struct reader *r, const json_t *json, int kind) {
    struct normalizer_step step = {.kind = (enum normalizer_kind)kind};
    return read_pattern(r, json, &step.pattern, &step.literal) &&
           read_text(r, json, "content", &step.content) && add_normalizer(r, step);
}

/* Base64 (RFC 4648); false where it is something else. */
static bool decode_base64(struct span text, char *out, size_t *size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    *size = 0;
    while (text.size > 0 && text.text[text.size - 1] == '=')
        text.size--;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = text.text[i] ? strchr(digits, text.text[i]) : NULL;
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (i % 4 != 0)
            out[(*size)++] = (char)(bits >> (6 - i % 4 * 2));
    }
    return text.size % 4 != 1;
}

static bool read_charsmap(struct reader *r, const json_t *json, int kind) {
    struct normalizer_step step = {.kind = (enum normalizer_kind)kind};
    struct span text;
    if (!read_text(r, json, "precompiled_charsmap", &text))
        return false;
    char *bytes = ARENA_NEW(r->arena, char, text.size + 1, r->error);
    if (!bytes)
        return false;
    step.content.text = bytes;
    return decode_base64(text, bytes, &step.content.size)
               ? add_normalizer(r, step)
               : fail(r->error, "%s: the tokenizer's precompiled_charsmap is not base64", r->name);
}

static const struct kind normalizers[] = {
    {"NFC", read_plain_normalizer, NORMALIZE_NFC},
    {"NFD", read_plain_normalizer, NORMALIZE_NFD},
    {"NFKC", read_plain_normalizer, NORMALIZE_NFKC},
    {"NFKD", read_plain_normalizer, NORMALIZE_NFKD},
    {"Lowercase", read_plain_normalizer, NORMALIZE_LOWERCASE},
    {"StripAccents", read_plain_normalizer, NORMALIZE_STRIP_ACCENTS},
    {"Nmt", read_plain_normalizer, NORMALIZE_NMT},
    {"ByteLevel", read_plain_normalizer, NORMALIZE_SPELL},
    {"Strip", read_strip, NORMALIZE_STRIP},
    {"Prepend", read_prepend, NORMALIZE_PREPEND},
    {"Replace", read_replace, NORMALIZE_REPLACE},
    {"Precompiled", read_charsmap, NORMALIZE_CHARSMAP},
};

/* ---- Pre-tokenizers ---- */

static bool add_step(struct reader *r, struct pretokenizer_step step) {
    if (!has_room(r, r->to->n_pretokenizers, "pre-tokenizer"))
        return false;
    r->to->pretokenizers[r->to->n_pretokenizers++] = step;
    return true;
}

static bool read_behavior(struct reader *r, const json_t *json, enum behavior *behavior) {
    static const char *const names[] = {[ISOLATED] = "Isolated",
                                        [REMOVED] = "Removed",
                                        [CONTIGUOUS] = "Contiguous",
                                        [MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [MERGED_WITH_NEXT] = "MergedWithNext"};
    const char *text = json_string_value(json_object_get(json, "behavior"));
    size_t index;
    if (!find_name(names, COUNT(names), text, &index))
        return fail(r->error, "%s: the behavior '%s' of the pre-tokenizer %s is not supported", r->name,
                    text ? text : "", type_of(json));
    *behavior = (enum behavior)index;
    return true;
}

static bool read_split(struct reader *r, const json_t *json, int kind) {
    struct pretokenizer_step step = {.kind = (enum pretokenizer_kind)kind};
    return read_behavior(r, json, &step.behavior) && read_flag(r, json, "invert", false, &step.invert) &&
           read_pattern(r, json, &step.pattern, &step.literal) && add_step(r, step);
}

static bool read_char_delimiter(struct reader *r, const json_t *json, int kind) {
    struct pretokenizer_step step = {
        .kind = (enum pretokenizer_kind)kind, .behavior = REMOVED, .literal = true};
    return read_text(r, json, "delimiter", &step.pattern) && add_step(r, step);
}

static bool read_digits(struct reader *r, const json_t *json, int kind) {
    bool individual;
    return read_flag(r, json, "individual_digits", false, &individual) &&
           add_step(r, (struct pretokenizer_step){.kind = (enum pretokenizer_kind)kind,
                                                  .behavior = individual ? ISOLATED : CONTIGUOUS});
}

static bool read_punctuation(struct reader *r, const json_t *json, int kind) {
    struct pretokenizer_step step = {.kind = (enum pretokenizer_kind)kind, .behavior = ISOLATED};
    return (!json_object_get(json, "behavior") || read_behavior(r, json, &step.behavior)) &&
           add_step(r, step);
}

static bool read_white_space(struct reader *r, const json_t *json, int kind) {
    (void)json;
    return add_step(r, (struct pretokenizer_step){.kind = (enum pretokenizer_kind)kind, .behavior = REMOVED});
}

static bool read_byte_level(struct reader *r, const json_t *json, int kind) {
    bool add_prefix_space, use_regex;
    return read_flag(r, json, "add_prefix_space", true, &add_prefix_space) &&
           read_flag(r, json, "use_regex", true, &use_regex) &&
           (!add_prefix_space || add_step(r, (struct pretokenizer_step){.kind = STEP_PREFIX_SPACE})) &&
           (!use_regex || add_step(r, (struct pretokenizer_step){.kind = STEP_GPT2})) &&
           add_step(r, (struct pretokenizer_step){.kind = (enum pretokenizer_kind)kind});
}

/* Older files say add_prefix_space; where that is false, a scheme that says otherwise is an error. */
static bool read_scheme(struct reader *r, const json_t *json, enum prepend_scheme *scheme) {
    static const char *const names[] = {
        [PREPEND_ALWAYS] = "always", [PREPEND_FIRST] = "first", [PREPEND_NEVER] = "never"};
    const json_t *value = json_object_get(json, "prepend_scheme");
    bool add_prefix_space;
    size_t index = PREPEND_ALWAYS;
    if (value && !find_name(names, COUNT(names), json_string_value(value), &index))
        return fail(r->error, "%s: the prepend_scheme '%s' is not supported", r->name,
                    json_is_string(value) ? json_string_value(value) : "");
    if (!read_flag(r, json, "add_prefix_space", true, &add_prefix_space))
        return false;
    *scheme = (enum prepend_scheme)index;
    if (add_prefix_space)
        return true;
    if (value && index == PREPEND_ALWAYS)
        return fail(r->error, "%s: Metaspace has the prepend_scheme '%s' and no add_prefix_space", r->name,
                    names[index]);
    *scheme = PREPEND_NEVER;
    return true;
}

static bool read_metaspace(struct reader *r, const json_t *json, int kind) {
    struct pretokenizer_step step = {.kind = (enum pretokenizer_kind)kind};
    return read_text(r, json, "replacement", &step.pattern) && read_scheme(r, json, &step.scheme) &&
           read_flag(r, json, "split", true, &step.split) && add_step(r, step);
}

static const struct kind pretokenizers[] = {
    {"ByteLevel", read_byte_level, STEP_SPELL},
    {"CharDelimiterSplit", read_char_delimiter, STEP_SPLIT},
    {"Digits", read_digits, STEP_DIGITS},
    {"Metaspace", read_metaspace, STEP_METASPACE},
    {"Punctuation", read_punctuation, STEP_PUNCTUATION},
    {"Split", read_split, STEP_SPLIT},
    {"Whitespace", read_white_space, STEP_WHITESPACE},
    {"WhitespaceSplit", read_white_space, STEP_WHITESPACE_SPLIT},
};

/* ---- Decoders ---- */

static bool add_decoder(struct reader *r, struct decoder_step step) {
    if (!has_room(r, r->to->n_decoders, "decoder"))
        return false;
    r->to->decoders[r->to->n_decoders++] = step;
    return true;
}

static bool read_plain_decoder(struct reader *r, const json_t *json, int kind) {
    (void)json;
    return add_decoder(r, (struct decoder_step){.kind = (enum decoder_kind)kind});
}

static bool read_metaspace_decoder(struct reader *r, const json_t *json, int kind) {
    struct decoder_step step = {.kind = (enum decoder_kind)kind};
    return read_text(r, json, "replacement", &step.pattern) && read_scheme(r, json, &step.scheme) &&
           add_decoder(r, step);
}

static bool read_replace_decoder(struct reader *r, const json_t *json, int kind) {
    struct decoder_step step = {.kind = (enum decoder_kind)kind};
    return read_pattern(r, json, &step.pattern, &step.literal) &&
           read_text(r, json, "content", &step.content) && add_decoder(r, step);
}

static bool read_strip_decoder(struct reader *r, const json_t *json, int kind) {
    struct decoder_step step = {.kind = (enum decoder_kind)kind};
    return read_text(r, json, "content", &step.content) && read_count(r, json, "start", &step.left) &&
           read_count(r, json, "stop", &step.right) && add_decoder(r, step);
}

static const struct kind decoders[] = {
    {"ByteLevel", read_plain_decoder, DECODE_SPELLED},
    {"ByteFallback", read_plain_decoder, DECODE_BYTES},
    {"Fuse", read_plain_decoder, DECODE_FUSE},
    {"Metaspace", read_metaspace_decoder, DECODE_METASPACE},
    {"Replace", read_replace_decoder, DECODE_REPLACE},
    {"Strip", read_strip_decoder, DECODE_STRIP},
};

/* ---- The post-processor ---- */

static bool read_id(struct reader *r, const char *text, const json_t *json, uint64_t *id) {
    *id = (uint64_t)json_integer_value(json);
    return (json_is_integer(json) && json_integer_value(json) >= 0) ||
           fail(r->error, "%s: the token '%s' has no id", r->name, text);
}

static bool add_affix(struct reader *r, bool behind, const char *text, const json_t *json) {
    size_t *count = behind ? &r->to->n_suffix : &r->to->n_prefix;
    uint64_t id;
    if (!read_id(r, text, json, &id))
        return false;
    if (*count == DESCRIPTION_MAX_AFFIX)
        return fail(r->error, "%s: the post-processor puts over %d tokens %s a text", r->name,
                    DESCRIPTION_MAX_AFFIX, behind ? "behind" : "before");
    (behind ? r->to->suffix : r->to->prefix)[(*count)++] = id;
    return true;
}

static bool add_special(struct reader *r, bool behind, const char *text, const json_t *special_tokens) {
    const json_t *ids = json_object_get(json_object_get(special_tokens, text), "ids");
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (!add_affix(r, behind, text, json_array_get(ids, i)))
            return false;
    return ids || fail(r->error, "%s: the post-processor does not say the id of '%s'", r->name, text);
}

static bool is_first_template(struct reader *r) {
    return r->to->n_prefix + r->to->n_suffix == 0 ||
           fail(r->error, "%s: a post-processor of two templates is not supported", r->name);
}

static bool read_template(struct reader *r, const json_t *json, int kind) {
    (void)kind;
    const json_t *single = json_object_get(json, "single");
    size_t n_texts = 0;
    if (!is_first_template(r))
        return false;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *piece = json_array_get(single, i);
        const char *special =
            json_string_value(json_object_get(json_object_get(piece, "SpecialToken"), "id"));
        if (special && !add_special(r, n_texts > 0, special, json_object_get(json, "special_tokens")))
            return false;
        n_texts += !special;
    }
    return n_texts == 1 ||
           fail(r->error, "%s: the post-processor's template has %zu places for the text", r->name, n_texts);
}

/* ["<s>", 0] */
static bool read_affix_pair(struct reader *r, const json_t *json, const char *key, bool behind) {
    const json_t *pair = json_object_get(json, key);
    const char *text = json_string_value(json_array_get(pair, 0));
    return text
               ? add_affix(r, behind, text, json_array_get(pair, 1))
               : fail(r->error, "%s: '%s' of the post-processor %s is no token", r->name, key, type_of(json));
}

static bool read_sep_and_cls(struct reader *r, const json_t *json, int kind) {
    (void)kind;
    return is_first_template(r) && read_affix_pair(r, json, "cls", false) &&
           read_affix_pair(r, json, "sep", true);
}

static bool read_nothing(struct reader *r, const json_t *json, int kind) {
    (void)r, (void)json, (void)kind;
    return true;
}

static const struct kind post_processors[] = {
    {"BertProcessing", read_sep_and_cls, 0},
    {"ByteLevel", read_nothing, 0}, /* its offsets are not ours to trim */
    {"RobertaProcessing", read_sep_and_cls, 0},
    {"TemplateProcessing", read_template, 0},
};

/* ---- Added tokens ---- */

static bool read_added_token(struct reader *r, const json_t *json, size_t i,
                             struct described_added_token *token) {
    const json_t *content = json_object_get(json, "content");
    if (json_string_length(content) == 0)
        return fail(r->error, "%s: the added token %zu has no content", r->name, i);
    *token = (struct described_added_token){
        .text = span_of(content),
        .special = json_is_true(json_object_get(json, "special")),
        .normalized = json_is_true(json_object_get(json, "normalized")),
        .single_word = json_is_true(json_object_get(json, "single_word")),
        .lstrip = json_is_true(json_object_get(json, "lstrip")),
        .rstrip = json_is_true(json_object_get(json, "rstrip")),
    };
    return read_id(r, token->text.text, json_object_get(json, "id"), &token->id);
}

static bool read_added_tokens(struct reader *r, const json_t *list) {
    size_t count = json_array_size(list);
    struct described_added_token *added =
        ARENA_NEW(r->arena, struct described_added_token, count + 1, r->error);
    for (size_t i = 0; added && i < count; i++)
        if (!read_added_token(r, json_array_get(list, i), i, &added[i]))
            return false;
    r->to->added = added;
    r->to->n_added = count;
    return added != NULL;
}

/* ---- The model ---- */

static bool refuse_affixes(struct reader *r, const json_t *model) {
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < COUNT(affixes); i++) {
        struct span affix = span_of(json_object_get(model, affixes[i]));
        if (affix.size > 0)
            return fail(r->error, "%s: the tokenizer's %s '%s' is not supported", r->name, affixes[i],
                        affix.text);
    }
    return true;
}

static bool read_bpe(struct reader *r, const json_t *model, const struct lists *lists) {
    const json_t *dropout = json_object_get(model, "dropout");
    if (!lists->merges.begin)
        return fail(r->error, "%s: the tokenizer has no merges", r->name);
    if (!is_absent(dropout) && !(json_is_number(dropout) && !(json_number_value(dropout) != 0)))
        return fail(r->error, "%s: the tokenizer's dropout is not supported", r->name);
    r->to->merges = listed_merges(lists);
    r->to->n_merges = lists->merges.count;
    r->to->unknown = span_of(json_object_get(model, "unk_token"));
    return refuse_affixes(r, model) && read_flag(r, model, "fuse_unk", false, &r->to->fuse_unknown) &&
           read_flag(r, model, "ignore_merges", false, &r->to->ignore_merges);
}

#define UNKNOWN_PENALTY 10.0 /* below the worst score */

static double unknown_score(const struct description *d) {
    double least = INFINITY;
    for (size_t i = 0; i < d->n_tokens; i++)
        least = d->tokens[i].score < least ? d->tokens[i].score : least;
    return least - UNKNOWN_PENALTY;
}

static bool read_unigram(struct reader *r, const json_t *model, const struct lists *lists) {
    uint64_t id;
    r->to->unknown_score = unknown_score(r->to);
    if (is_absent(json_object_get(model, "unk_id")))
        return true;
    if (!read_count(r, model, "unk_id", &id))
        return false;
    if (id >= lists->vocab.count)
        return fail(r->error, "%s: the tokenizer's unk_id is %llu, its vocabulary ends at %zu", r->name,
                    (unsigned long long)id, lists->vocab.count);
    r->to->unknown = (struct span){r->to->tokens[id].text, r->to->tokens[id].size};
    return true;
}

/* Files of before 2020 do not name the type; merges tell. */
static bool read_model(struct reader *r, const json_t *model, const struct lists *lists) {
    static const struct {
        const char *type;
        enum model_kind kind;
        char bracket; /* of its vocabulary */
        bool (*read)(struct reader *, const json_t *, const struct lists *);
    } kinds[] = {{"BPE", MODEL_BPE, '{', read_bpe}, {"Unigram", MODEL_UNIGRAM, '[', read_unigram}};
    const char *type = json_object_get(model, "type") || !lists->merges.begin ? type_of(model) : "BPE";
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        if (!lists->vocab.begin || *lists->vocab.begin != kinds[i].bracket)
            return fail(r->error, "%s: the tokenizer has no vocabulary", r->name);
        r->to->kind = kinds[i].kind;
        r->to->tokens = listed_tokens(lists);
        r->to->n_tokens = lists->vocab.count;
        return read_flag(r, model, "byte_fallback", false, &r->to->byte_fallback) &&
               kinds[i].read(r, model, lists);
    }
    return fail(r->error, "%s: a tokenizer of type '%s' is not supported, only BPE and Unigram are", r->name,
                type);
}

bool tokenizer_json_read(struct description *description, const struct lists *lists, struct arena *arena,
                         struct error *error) {
    static const struct {
        const char *key;
        struct section section;
    } sections[] = {
        {"normalizer", {"normalizer", "normalizers", normalizers, COUNT(normalizers)}},
        {"pre_tokenizer", {"pre-tokenizer", "pretokenizers", pretokenizers, COUNT(pretokenizers)}},
        {"post_processor", {"post-processor", "processors", post_processors, COUNT(post_processors)}},
        {"decoder", {"decoder", "decoders", decoders, COUNT(decoders)}},
    };
    struct reader r = {description, lists->name, arena, error};
    *description = (struct description){.name = lists->name};
    if (!read_model(&r, json_object_get(lists->rest, "model"), lists) ||
        !read_added_tokens(&r, json_object_get(lists->rest, "added_tokens")))
        return false;
    for (size_t i = 0; i < COUNT(sections); i++) {
        const json_t *json = json_object_get(lists->rest, sections[i].key);
        if (!is_absent(json) && !read_section(&r, &sections[i].section, json))
            return false;
    }
    return true;
}
