/* The checkpoints of tests/golden/families that llama.cpp made GGUF files of
 * (tests/differential/gguf_files.py) are the same models: the same configuration, but for what no such file
 * says, and the same weights. */
#include "models/import.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN "tests/golden/"

static struct import import_good(const char *path) {
    struct import import;
    struct error error = {""};
    if (!import_open(&import, path, &error))
        fail_msg("%s", error.text);
    return import;
}

/* ---- Configurations ---- */

/* What differs, and why. */
static const struct {
    const char *name, *key;
} differing[] = {
    {"falcon-40b", "model.context"}, /* all of Falcon's are 2048 there */
    {"gemma3", "model.attention_scale"}, /* that of released models is meant */
    {"llama", "model.rope_kind"}, /* factors that are not those of Llama 3 are a table */
    {"llama", "model.rope_factor"},
    {"llama", "model.rope_low_freq_factor"},
    {"llama", "model.rope_high_freq_factor"},
    {"llama", "model.rope_original_context"},
    {"llama", "model.rope_short_factors"},
    {"llama", "model.rope_long_factors"},
    {"llama", "model.rope_attention_factor"},
    {"phi3-long", "model.rope_attention_factor"}, /* written out */
    {"starcoder2", "model.window"},
};

static bool may_differ(const char *name, const char *key) {
    for (size_t i = 0; i < sizeof differing / sizeof *differing; i++)
        if (!strcmp(differing[i].name, name) && !strcmp(differing[i].key, key))
            return true;
    return false;
}

static bool close_enough(double a, double b) {
    return a - b <= 1e-6 * a && b - a <= 1e-6 * a;
}

static bool same_value(const struct value *a, const struct value *b) {
    if (!a || !b || a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_UINT:
        return a->uint == b->uint;
    case VALUE_REAL:
        return close_enough(a->real, b->real);
    case VALUE_TEXT:
        return !strcmp(a->text, b->text);
    case VALUE_REALS:
        for (size_t i = 0; i < a->count && i < b->count; i++)
            if (!close_enough(a->reals[i], b->reals[i]))
                return false;
        return a->count == b->count;
    default:
        return false;
    }
}

static void assert_contained(const char *name, const struct metadata *these, const struct metadata *those) {
    for (size_t i = 0; i < these->count; i++) {
        const char *key = these->items[i].key;
        if (!may_differ(name, key) && !same_value(&these->items[i].value, metadata_find(those, key)))
            fail_msg("%s: %s differs", name, key);
    }
}

static void assert_same_config(const char *name, const struct import *a, const struct import *b) {
    struct arena arena = {0};
    struct metadata one = {.arena = &arena}, other = {.arena = &arena};
    struct error error;
    assert_true(config_to_metadata(&a->config, &one, &error) &&
                config_to_metadata(&b->config, &other, &error));
    assert_contained(name, &one, &other);
    assert_contained(name, &other, &one);
    arena_free(&arena);
}

/* ---- Weights ---- */

static void read_all(const struct import *import, size_t i, float *out) {
    static _Alignas(64) uint8_t raw[1 << 16];
    struct error error;
    uint64_t n_rows, n_cols;
    tensor_rows_cols(import->tensors[i], &n_rows, &n_cols);
    assert_true(import->tensors[i]->size <= sizeof raw);
    if (!import_read_rows(import, i, 0, n_rows, out, raw, &error))
        fail_msg("%s", error.text);
}

static void assert_same_weights(const char *name, const struct import *a, const struct import *b) {
    static float one[1 << 14], other[1 << 14];
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (size_t i = 0; i < a->n_tensors; i++) {
        uint64_t n_rows, n_cols;
        assert_string_equal(a->roles[i].name, b->roles[i].name);
        tensor_rows_cols(a->tensors[i], &n_rows, &n_cols);
        assert_true(n_rows * n_cols <= sizeof one / sizeof *one);
        read_all(a, i, one);
        read_all(b, i, other);
        /* llama.cpp adds 1 to Gemma's norms in their own type, F16 */
        float off = role_is_norm(a->roles[i].role) ? 0x1p-10f : 0;
        for (size_t k = 0; k < n_rows * n_cols; k++)
            if (one[k] < other[k] - off || one[k] > other[k] + off)
                fail_msg("%s: weight %zu of %s is %g, expected %g", name, k, a->roles[i].name, (double)one[k],
                         (double)other[k]);
    }
}

static void compare(const char *file) {
    char name[64], path[128];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(".gguf")), file);
    snprintf(path, sizeof path, GOLDEN "gguf/%.60s", file);
    struct import gguf = import_good(path);
    snprintf(path, sizeof path, GOLDEN "families/%.60s", name);
    struct import checkpoint = import_good(path);
    assert_same_config(name, &gguf, &checkpoint);
    assert_same_weights(name, &gguf, &checkpoint);
    import_close(&gguf);
    import_close(&checkpoint);
}

static void files_are_their_checkpoints(void **state) {
    (void)state;
    DIR *folder = opendir(GOLDEN "gguf");
    struct dirent *entry;
    size_t count = 0;
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        if (!strstr(entry->d_name, ".gguf"))
            continue;
        compare(entry->d_name);
        count++;
    }
    closedir(folder);
    assert_true(count >= 13);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_their_checkpoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
