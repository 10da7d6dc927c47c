#include "models/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Fields: their metadata keys, kinds and ranges ---- */

enum field_kind { FIELD_TEXT, FIELD_UINT, FIELD_REAL, FIELD_BOOL, FIELD_ROPE };

struct field {
    const char *key;
    size_t offset;
    enum field_kind kind;
    double least, most; /* of numbers, inclusive */
};

#define FIELD(name, ...)                                                                                     \
    { "model." #name, offsetof(struct model_config, name), __VA_ARGS__ }

static const struct field fields[] = {
    FIELD(family, FIELD_TEXT, 0, 0),
    FIELD(n_layers, FIELD_UINT, 1, CONFIG_MAX_LAYERS),
    FIELD(dim, FIELD_UINT, 1, CONFIG_MAX_DIM),
    FIELD(ffn_dim, FIELD_UINT, 1, CONFIG_MAX_DIM),
    FIELD(n_heads, FIELD_UINT, 1, CONFIG_MAX_DIM / 2),
    FIELD(n_kv_heads, FIELD_UINT, 1, CONFIG_MAX_DIM / 2),
    FIELD(head_dim, FIELD_UINT, 2, CONFIG_MAX_DIM),
    FIELD(vocab_size, FIELD_UINT, 1, CONFIG_MAX_VOCAB),
    FIELD(context, FIELD_UINT, 1, CONFIG_MAX_CONTEXT),
    FIELD(norm_eps, FIELD_REAL, 1e-12, 1),
    FIELD(rope_theta, FIELD_REAL, 1, 1e12),
    FIELD(rope_kind, FIELD_ROPE, 0, 0),
    FIELD(rope_factor, FIELD_REAL, 1, 1e6),
    FIELD(rope_low_freq_factor, FIELD_REAL, 0, 1e6),
    FIELD(rope_high_freq_factor, FIELD_REAL, 0, 1e6),
    FIELD(rope_original_context, FIELD_UINT, 0, CONFIG_MAX_CONTEXT),
    FIELD(tied_head, FIELD_BOOL, 0, 0),
    FIELD(attention_bias, FIELD_BOOL, 0, 0),
    FIELD(mlp_bias, FIELD_BOOL, 0, 0),
};
#define N_FIELDS (sizeof fields / sizeof *fields)

static const char *const rope_names[] = {"plain", "linear", "llama3"};
#define N_ROPES (sizeof rope_names / sizeof *rope_names)

static const void *field_of(const struct model_config *config, const struct field *field) {
    return (const char *)config + field->offset;
}

static bool check_field(const struct model_config *config, const struct field *field, const char *name,
                        const char *path, struct error *error) {
    const void *at = field_of(config, field);
    if (field->kind == FIELD_UINT) {
        uint64_t x = *(const uint64_t *)at;
        if (x < (uint64_t)field->least || x > (uint64_t)field->most)
            return fail(error, "%s: %s is %" PRIu64 ", expected %.0f to %.0f", path, name, x, field->least,
                        field->most);
    }
    if (field->kind == FIELD_REAL) {
        double x = *(const double *)at;
        if (!(x >= field->least && x <= field->most))
            return fail(error, "%s: %s is %g, expected %g to %g", path, name, x, field->least, field->most);
    }
    return true;
}

bool config_check_number(const struct model_config *config, size_t offset, const char *name, const char *path,
                         struct error *error) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].offset == offset)
            return check_field(config, &fields[i], name, path, error);
    return true;
}

static bool check_heads(const struct model_config *c, const char *path, struct error *error) {
    if (c->n_heads % c->n_kv_heads)
        return fail(error, "%s: %" PRIu64 " heads cannot be shared out over %" PRIu64 " key-value heads",
                    path, c->n_heads, c->n_kv_heads);
    if (c->head_dim % 2)
        return fail(error, "%s: head_dim is %" PRIu64 ", rotary positions need an even number", path,
                    c->head_dim);
    if (c->n_heads * c->head_dim > CONFIG_MAX_DIM)
        return fail(error, "%s: %" PRIu64 " heads of %" PRIu64 " are wider than %u", path, c->n_heads,
                    c->head_dim, CONFIG_MAX_DIM);
    return true;
}

static bool check_rope(const struct model_config *c, const char *path, struct error *error) {
    if (c->rope_kind >= N_ROPES)
        return fail(error, "%s: rope_kind is %" PRIu64 ", expected less than %zu", path, c->rope_kind,
                    N_ROPES);
    if (c->rope_kind != ROPE_LLAMA3)
        return true;
    if (!(c->rope_low_freq_factor > 0 && c->rope_high_freq_factor > c->rope_low_freq_factor))
        return fail(
            error,
            "%s: rope low_freq_factor is %g and high_freq_factor %g, expected 0 < the first < the second",
            path, c->rope_low_freq_factor, c->rope_high_freq_factor);
    if (!c->rope_original_context)
        return fail(error, "%s: rope of kind llama3 needs its original context, which is 0", path);
    return true;
}

bool config_check(const struct model_config *config, const char *path, struct error *error) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!check_field(config, &fields[i], fields[i].key, path, error))
            return false;
    return check_heads(config, path, error) && check_rope(config, path, error);
}

/* ---- Metadata ---- */

static struct value text_value(const char *text) {
    return (struct value){.kind = VALUE_TEXT, .text = text, .count = strlen(text)};
}

static struct value field_value(const struct model_config *config, const struct field *field) {
    const void *at = field_of(config, field);
    switch (field->kind) {
    case FIELD_TEXT:
        return text_value(*(const char *const *)at);
    case FIELD_ROPE:
        return text_value(rope_names[*(const uint64_t *)at]);
    case FIELD_UINT:
        return (struct value){.kind = VALUE_UINT, .uint = *(const uint64_t *)at};
    case FIELD_REAL:
        return (struct value){.kind = VALUE_REAL, .real = *(const double *)at};
    case FIELD_BOOL:
        break;
    }
    return (struct value){.kind = VALUE_BOOL, .boolean = *(const bool *)at};
}

bool config_to_metadata(const struct model_config *config, struct metadata *metadata, struct error *error) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!metadata_set(metadata, fields[i].key, field_value(config, &fields[i]), error))
            return false;
    return true;
}

static bool read_rope_kind(uint64_t *kind, const char *text, const char *path, struct error *error) {
    for (*kind = 0; *kind < N_ROPES; ++*kind)
        if (!strcmp(text, rope_names[*kind]))
            return true;
    return fail(error, "%s: model.rope_kind is \"%.40s\", expected plain, linear or llama3", path, text);
}

static bool read_field(struct model_config *config, const struct field *field, const struct value *value,
                       const char *path, struct error *error) {
    static const enum value_kind kinds[] = {VALUE_TEXT, VALUE_UINT, VALUE_REAL, VALUE_BOOL, VALUE_TEXT};
    static const char *const expected[] = {"text", "a whole number", "a real number", "true or false",
                                           "text"};
    if (!value)
        return fail(error, "%s: the metadata lacks %s", path, field->key);
    if (value->kind != kinds[field->kind])
        return fail(error, "%s: %s is not %s", path, field->key, expected[field->kind]);
    void *at = (char *)config + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
        *(const char **)at = value->text;
        return true;
    case FIELD_ROPE:
        return read_rope_kind(at, value->text, path, error);
    case FIELD_UINT:
        *(uint64_t *)at = value->uint;
        return true;
    case FIELD_REAL:
        *(double *)at = value->real;
        return true;
    case FIELD_BOOL:
        *(bool *)at = value->boolean;
        return true;
    }
    return true;
}

static bool key_known(const char *key) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!strcmp(key, fields[i].key))
            return true;
    return false;
}

bool config_from_metadata(struct model_config *config, const struct metadata *metadata, const char *path,
                          struct error *error) {
    *config = (struct model_config){0};
    for (size_t i = 0; i < metadata->count; i++) {
        const char *key = metadata->items[i].key;
        if (!strncmp(key, "model.", 6) && !key_known(key))
            return fail(error, "%s: the model has a trait that this version does not know, %s", path, key);
    }
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!read_field(config, &fields[i], metadata_find(metadata, fields[i].key), path, error))
            return false;
    return config_check(config, path, error);
}

/* ---- Tensors ---- */

enum extent { NONE, DIM, FFN, VOCAB, QUERY, KEY };
enum condition { ALWAYS, UNTIED, ATTENTION_BIAS, MLP_BIAS };

/* rows, columns; a tensor of one dimension has rows alone */
static const struct {
    const char *name;
    enum extent extents[2];
    enum condition when;
} shapes[ROLES] = {
    [ROLE_TOKEN_EMBD] = {"token_embd.weight", {VOCAB, DIM}, ALWAYS},
    [ROLE_OUTPUT_NORM] = {"output_norm.weight", {DIM}, ALWAYS},
    [ROLE_OUTPUT] = {"output.weight", {VOCAB, DIM}, UNTIED},
    [ROLE_ATTN_NORM] = {"blk.{}.attn_norm.weight", {DIM}, ALWAYS},
    [ROLE_ATTN_Q] = {"blk.{}.attn_q.weight", {QUERY, DIM}, ALWAYS},
    [ROLE_ATTN_K] = {"blk.{}.attn_k.weight", {KEY, DIM}, ALWAYS},
    [ROLE_ATTN_V] = {"blk.{}.attn_v.weight", {KEY, DIM}, ALWAYS},
    [ROLE_ATTN_OUTPUT] = {"blk.{}.attn_output.weight", {DIM, QUERY}, ALWAYS},
    [ROLE_FFN_NORM] = {"blk.{}.ffn_norm.weight", {DIM}, ALWAYS},
    [ROLE_FFN_GATE] = {"blk.{}.ffn_gate.weight", {FFN, DIM}, ALWAYS},
    [ROLE_FFN_UP] = {"blk.{}.ffn_up.weight", {FFN, DIM}, ALWAYS},
    [ROLE_FFN_DOWN] = {"blk.{}.ffn_down.weight", {DIM, FFN}, ALWAYS},
    [ROLE_ATTN_Q_BIAS] = {"blk.{}.attn_q.bias", {QUERY}, ATTENTION_BIAS},
    [ROLE_ATTN_K_BIAS] = {"blk.{}.attn_k.bias", {KEY}, ATTENTION_BIAS},
    [ROLE_ATTN_V_BIAS] = {"blk.{}.attn_v.bias", {KEY}, ATTENTION_BIAS},
    [ROLE_ATTN_OUTPUT_BIAS] = {"blk.{}.attn_output.bias", {DIM}, ATTENTION_BIAS},
    [ROLE_FFN_GATE_BIAS] = {"blk.{}.ffn_gate.bias", {FFN}, MLP_BIAS},
    [ROLE_FFN_UP_BIAS] = {"blk.{}.ffn_up.bias", {FFN}, MLP_BIAS},
    [ROLE_FFN_DOWN_BIAS] = {"blk.{}.ffn_down.bias", {DIM}, MLP_BIAS},
};

static const enum role before_layers[] = {ROLE_TOKEN_EMBD};
static const enum role in_layer[] = {
    ROLE_ATTN_NORM,        ROLE_ATTN_Q,      ROLE_ATTN_Q_BIAS, ROLE_ATTN_K,
    ROLE_ATTN_K_BIAS,      ROLE_ATTN_V,      ROLE_ATTN_V_BIAS, ROLE_ATTN_OUTPUT,
    ROLE_ATTN_OUTPUT_BIAS, ROLE_FFN_NORM,    ROLE_FFN_GATE,    ROLE_FFN_GATE_BIAS,
    ROLE_FFN_UP,           ROLE_FFN_UP_BIAS, ROLE_FFN_DOWN,    ROLE_FFN_DOWN_BIAS,
};
static const enum role behind_layers[] = {ROLE_OUTPUT_NORM, ROLE_OUTPUT};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t extent_of(const struct model_config *c, enum extent extent) {
    switch (extent) {
    case DIM:
        return c->dim;
    case FFN:
        return c->ffn_dim;
    case VOCAB:
        return c->vocab_size;
    case QUERY:
        return c->n_heads * c->head_dim;
    case KEY:
        return c->n_kv_heads * c->head_dim;
    case NONE:
        break;
    }
    return 0;
}

static bool wanted(const struct model_config *c, enum role role) {
    switch (shapes[role].when) {
    case UNTIED:
        return !c->tied_head;
    case ATTENTION_BIAS:
        return c->attention_bias;
    case MLP_BIAS:
        return c->mlp_bias;
    case ALWAYS:
        break;
    }
    return true;
}

bool layer_name(char *to, size_t size, const char *pattern, uint32_t layer) {
    const char *place = strstr(pattern, "{}");
    int length =
        place ? snprintf(to, size, "%.*s%" PRIu32 "%s", (int)(place - pattern), pattern, layer, place + 2)
              : snprintf(to, size, "%s", pattern);
    return length >= 0 && (size_t)length < size;
}

static size_t add_roles(const struct model_config *config, const enum role *roles, size_t n_roles,
                        uint32_t layer, struct role_tensor *to) {
    size_t count = 0;
    for (size_t i = 0; i < n_roles; i++) {
        enum role role = roles[i];
        if (!wanted(config, role))
            continue;
        struct role_tensor *tensor = &to[count++];
        *tensor = (struct role_tensor){.role = role, .layer = layer};
        layer_name(tensor->name, sizeof tensor->name, shapes[role].name, layer);
        for (size_t d = 0; d < 2 && shapes[role].extents[d] != NONE; d++)
            tensor->dims[tensor->n_dims++] = extent_of(config, shapes[role].extents[d]);
    }
    return count;
}

struct role_tensor *config_tensors(const struct model_config *config, size_t *count, struct arena *arena,
                                   struct error *error) {
    size_t most = config->n_layers * COUNT(in_layer) + COUNT(before_layers) + COUNT(behind_layers);
    struct role_tensor *tensors = ARENA_NEW(arena, struct role_tensor, most, error);
    if (!tensors)
        return NULL;
    size_t n = add_roles(config, before_layers, COUNT(before_layers), 0, tensors);
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        n += add_roles(config, in_layer, COUNT(in_layer), layer, tensors + n);
    n += add_roles(config, behind_layers, COUNT(behind_layers), 0, tensors + n);
    *count = n;
    return tensors;
}
