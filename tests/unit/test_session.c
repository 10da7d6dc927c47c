/* The forward pass: against logits that transformers computed in fp32 (golden of tests/differential/logits.py
 * and families.py),
 * and against itself in all the ways in which the same tokens can be taken in. */
#include "infer/session.h"
#include "models/encode.h"
#include "tests/checkpoint.h"
#include "tests/pools.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define VOCAB 32
#define N_TOKENS 48

static char root[4096];
static uint32_t tokens[N_TOKENS];

/* The golden checkpoint `name` as an open model, its matrices of the given type, or as they are for NULL. */
static void open_golden(struct model *model, const char *name, const char *type) {
    struct import import;
    struct arena arena = {0};
    struct error error;
    char path[8192];
    snprintf(path, sizeof path, "%s/tests/golden/%s", root, name);
    if (!import_open(&import, path, &error))
        fail_msg("%s", error.text);
    struct encode_plan plan = {.types = ARENA_NEW(&arena, const struct type *, import.n_tensors, &error),
                               .recipe = "{}"};
    for (size_t i = 0; i < import.n_tensors; i++)
        plan.types[i] = type && import.roles[i].n_dims >= 2 ? type_find(type) : NULL;
    if (!encode_model(&import, &plan, "model.qm", true, pools[0], "", true, &error) ||
        !model_open(model, "model.qm", &error))
        fail_msg("%s", error.text);
    import_close(&import);
    arena_free(&arena);
}

static void forward(const struct model *model, struct pool *pool, size_t batch, float *logits) {
    struct session session;
    struct error error;
    if (!session_open(&session, model, N_TOKENS, batch, pool, &error) ||
        !session_forward(&session, tokens, N_TOKENS, logits, N_TOKENS, &error))
        fail_msg("%s", error.text);
    assert_int_equal(session.position, N_TOKENS);
    session_close(&session);
}

/* Largest difference, as a share of the range that the expected logits span. */
static float difference(const float *found, const float *expected, size_t n) {
    float worst = 0, low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        worst = fmaxf(worst, fabsf(found[i] - expected[i]));
        low = fminf(low, expected[i]);
        high = fmaxf(high, expected[i]);
        if (isnan(found[i]))
            return INFINITY;
    }
    return worst / (high - low);
}

/* Checkpoints in tests/golden: three of Llama, and one of each family. */
#define MAX_GOLDEN 64
static char golden[MAX_GOLDEN][240] = {"tiny-llama", "tiny-llama-rope3", "tiny-llama-biases"};
static size_t n_golden = 3;

static int find_families(void) {
    char path[8192];
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/tests/golden/families", root);
    DIR *folder = opendir(path);
    while (folder && n_golden < MAX_GOLDEN && (entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            snprintf(golden[n_golden++], sizeof golden[0], "families/%.200s", entry->d_name);
    return folder && n_golden > 20 ? closedir(folder) : -1;
}

static void logits_are_those_of_transformers(void **unused) {
    (void)unused;
    static float found[N_TOKENS * VOCAB], expected[N_TOKENS * VOCAB];
    for (size_t i = 0; i < n_golden; i++) {
        struct model model;
        char path[8192];
        snprintf(path, sizeof path, "%s/tests/golden/%.240s/logits.f32", root, golden[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fread(expected, sizeof *expected, N_TOKENS * VOCAB, file), N_TOKENS * VOCAB);
        fclose(file);
        open_golden(&model, golden[i], "f32");
        forward(&model, pools[0], N_TOKENS, found);
        if (difference(found, expected, N_TOKENS * VOCAB) > 1e-5f)
            fail_msg("%s differs by %g", golden[i], (double)difference(found, expected, N_TOKENS * VOCAB));
        model_close(&model);
    }
}

static void batches_and_threads_change_nothing(void **unused) {
    (void)unused;
    static float found[N_TOKENS * VOCAB], expected[N_TOKENS * VOCAB];
    const size_t batches[] = {1, 2, 7, 16, 48};
    for (size_t i = 0; i < n_golden; i++) {
        struct model model;
        open_golden(&model, golden[i], "f32");
        forward(&model, pools[0], N_TOKENS, expected);
        for (size_t b = 0; b < 5; b++)
            for (size_t p = 0; p < N_POOLS; p++) {
                forward(&model, pools[p], batches[b], found);
                if (difference(found, expected, N_TOKENS * VOCAB) > 1e-5f)
                    fail_msg("%s in batches of %zu with %u threads differs by %g", golden[i], batches[b],
                             pool_sizes[p], (double)difference(found, expected, N_TOKENS * VOCAB));
            }
        model_close(&model);
    }
}

static void every_type_says_nearly_the_same(void **unused) {
    (void)unused;
    static float found[N_TOKENS * VOCAB], expected[N_TOKENS * VOCAB];
    struct model model;
    open_golden(&model, golden[0], "f32");
    forward(&model, pools[1], 16, expected);
    model_close(&model);
    const struct {
        const char *type;
        float tolerance;
    } cases[] = {{"f16", 1e-3f}, {"bf16", 0.05f}, {"q8", 0.05f}, {"q4", 0.5f}};
    for (size_t i = 0; i < 4; i++) {
        open_golden(&model, golden[0], cases[i].type);
        assert_string_equal(model.main_type, cases[i].type);
        forward(&model, pools[1], 16, found);
        assert_true(difference(found, expected, N_TOKENS * VOCAB) < cases[i].tolerance);
        model_close(&model);
    }
}

/* Sequences of 1, 6, 11, ... tokens before they take steps together. */
#define N_SEQUENCES 7
#define N_STEPS 5

static size_t length_of(size_t sequence) {
    return 1 + 5 * sequence;
}

/* What a sequence that begins at `sequence` in the tokens says behind each of its steps, run alone. */
static void run_alone(const struct model *model, size_t sequence, float *logits) {
    struct session session;
    struct error error;
    size_t length = length_of(sequence);
    assert_true(session_open(&session, model, N_TOKENS, 8, pools[0], &error));
    assert_true(session_forward(&session, tokens + sequence, length, NULL, 0, &error));
    for (size_t step = 0; step < N_STEPS; step++)
        assert_true(session_forward(&session, tokens + sequence + length + step, 1, logits + step * VOCAB, 1,
                                    &error));
    session_close(&session);
}

static void run_together(const struct model *model, struct pool *pool, size_t n,
                         float logits[N_STEPS][N_SEQUENCES * VOCAB]) {
    struct session sessions[N_SEQUENCES];
    struct error error;
    assert_true(session_open_many(sessions, n, model, N_TOKENS, 4, pool, &error));
    for (size_t i = 0; i < n; i++)
        assert_true(session_forward(&sessions[i], tokens + i, length_of(i), NULL, 0, &error));
    for (size_t step = 0; step < N_STEPS; step++) {
        uint32_t next[N_SEQUENCES];
        for (size_t i = 0; i < n; i++)
            next[i] = tokens[i + sessions[i].position];
        assert_true(session_step(sessions, n, next, logits[step], &error));
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(sessions[i].position, length_of(i) + N_STEPS);
    session_close(sessions);
}

static void sequences_together_say_what_each_says_alone(void **unused) {
    (void)unused;
    static float alone[N_SEQUENCES][N_STEPS * VOCAB], together[N_STEPS][N_SEQUENCES * VOCAB];
    static const struct {
        const char *type;
        float tolerance;
    } kinds[] = {{"f32", 1e-5f}, {"f16", 1e-3f}, {"q8", 1e-3f}, {"q4", 1e-3f}};
    for (size_t i = 0; i < n_golden; i++)
        for (size_t t = 0; t < (i < 3 ? 4 : 2);
             t++) { /* where inputs are rounded, an expert may be another */
            struct model model;
            open_golden(&model, golden[i], kinds[t].type);
            for (size_t k = 0; k < N_SEQUENCES; k++)
                run_alone(&model, k, alone[k]);
            for (size_t n = 1; n <= N_SEQUENCES; n += 2)
                for (size_t p = 0; p < N_POOLS; p++) {
                    run_together(&model, pools[p], n, together);
                    for (size_t k = 0; k < n * N_STEPS; k++) {
                        float found = difference(together[k % N_STEPS] + k / N_STEPS * VOCAB,
                                                 alone[k / N_STEPS] + k % N_STEPS * VOCAB, VOCAB);
                        if (found > kinds[t].tolerance)
                            fail_msg("%s in %s: %zu sequences with %u threads differ by %g", golden[i],
                                     kinds[t].type, n, pool_sizes[p], (double)found);
                    }
                }
            model_close(&model);
        }
}

static void rewinding_forgets(void **unused) {
    (void)unused;
    float expected[VOCAB], found[VOCAB];
    struct model model;
    struct session session;
    struct error error;
    const uint32_t other[] = {31, 30, 29, 28, 27};
    open_golden(&model, golden[1], NULL);
    assert_true(session_open(&session, &model, N_TOKENS, 8, pools[1], &error));
    assert_true(session_forward(&session, tokens, 20, expected, 1, &error));
    session_rewind(&session, 15);
    assert_int_equal(session.position, 15);
    assert_true(session_forward(&session, other, 5, found, 1, &error));
    assert_true(difference(found, expected, VOCAB) > 0.01f);
    session_rewind(&session, 15);
    assert_true(session_forward(&session, tokens + 15, 5, found, 1, &error));
    assert_true(difference(found, expected, VOCAB) < 1e-4f);
    session_rewind(&session, 99); /* does not go forward */
    assert_int_equal(session.position, 20);
    session_close(&session);
    model_close(&model);
}

/* The last n of any run, however it falls into batches. */
static void logits_are_of_the_last_tokens(void **unused) {
    (void)unused;
    static float all[N_TOKENS * VOCAB], found[N_TOKENS * VOCAB];
    struct model model;
    struct session session;
    struct error error;
    open_golden(&model, golden[0], NULL);
    forward(&model, pools[1], 10, all);
    assert_true(session_open(&session, &model, N_TOKENS, 10, pools[1], &error));
    for (size_t n = 0; n <= N_TOKENS; n++) {
        session_rewind(&session, 0);
        assert_true(session_forward(&session, tokens, N_TOKENS, found, n, &error));
        if (n)
            assert_true(difference(found, all + (N_TOKENS - n) * VOCAB, n * VOCAB) < 1e-4f);
    }
    session_close(&session);
    model_close(&model);
}

static void what_cannot_be_is_refused(void **unused) {
    (void)unused;
    struct model model;
    struct session session;
    struct error error;
    float logits[VOCAB];
    const uint32_t outside[] = {3, VOCAB};
    open_golden(&model, golden[0], NULL);
    assert_false(session_open(&session, &model, 0, 1, pools[0], &error));
    assert_false(session_open(&session, &model, 65, 1, pools[0], &error));
    assert_string_equal(error.text,
                        "model.qm: a context of 65 positions was asked for, the model was made for 1 to 64");
    assert_false(session_open(&session, &model, 8, 0, pools[0], &error));

    assert_true(session_open(&session, &model, 8, 4, pools[0], &error));
    assert_false(session_forward(&session, outside, 2, logits, 1, &error));
    assert_string_equal(error.text, "model.qm: token id 32 is outside the vocabulary of 32");
    assert_int_equal(session.position, 0);
    assert_true(session_forward(&session, tokens, 6, NULL, 0, &error));
    assert_false(session_forward(&session, tokens, 3, logits, 1, &error));
    assert_string_equal(error.text, "model.qm: 3 tokens behind 6 do not fit into a context of 8");
    assert_true(session_forward(&session, tokens, 2, logits, 1, &error));
    session_close(&session);
    model_close(&model);
}

static void a_step_that_cannot_be_is_taken_by_none(void **unused) {
    (void)unused;
    struct model model;
    struct session sessions[2];
    struct error error;
    float logits[2 * VOCAB];
    const uint32_t outside[] = {3, VOCAB}, inside[] = {3, 4};
    open_golden(&model, golden[0], NULL);
    assert_true(session_open_many(sessions, 2, &model, 8, 1, pools[1], &error));
    assert_false(session_step(sessions, 2, outside, logits, &error));
    assert_string_equal(error.text, "model.qm: token id 32 is outside the vocabulary of 32");
    assert_true(session_forward(&sessions[1], tokens, 8, NULL, 0, &error));
    assert_false(session_step(sessions, 2, inside, logits, &error));
    assert_string_equal(error.text, "model.qm: 1 tokens behind 8 do not fit into a context of 8");
    assert_int_equal(sessions[0].position, 0);
    assert_true(session_step(sessions, 1, inside, logits, &error));
    session_close(sessions);
    model_close(&model);
}

static void running_out_of_memory_leaves_nothing(void **unused) {
    (void)unused;
    struct model model;
    struct session sessions[3];
    struct error error;
    open_golden(&model, golden[0], NULL);
    bool opened = false;
    for (size_t n = 1; !opened; n++) {
        assert_true(n < 1000);
        memory_fail_at(n);
        opened = session_open_many(sessions, 3, &model, 32, 8, pools[1], &error);
        memory_fail_at(0);
    }
    session_close(sessions);
    model_close(&model);
}

static void cache_bytes_are_what_the_format_takes(void **unused) {
    (void)unused;
    struct model model;
    struct session session;
    struct error error;
    const struct {
        const char *type;
        size_t bytes;
    } cases[] = {{"f16", 2}, {"f32", 4}};
    for (size_t i = 0; i < 2; i++) { /* 2 layers, 4 key-value heads of 8, whose values are padded to 16 */
        open_golden(&model, golden[1], cases[i].type);
        assert_true(session_open(&session, &model, 32, 8, pools[0], &error));
        assert_int_equal(session_kv_bytes(&session, 0), 2 * 4 * (8 + 16) * cases[i].bytes);
        assert_int_equal(session_kv_bytes(&session, 9), 10 * 2 * 4 * (8 + 16) * cases[i].bytes);
        session_close(&session);
        model_close(&model);
    }
}

static void cache_bytes_are_those_within_windows(void **unused) {
    (void)unused;
    const struct model_config config = {.family = "llama",
                                        .n_layers = 3,
                                        .dim = 32,
                                        .ffn_dim = 32,
                                        .n_heads = 2,
                                        .n_kv_heads = 2,
                                        .head_dim = 16,
                                        .vocab_size = VOCAB,
                                        .context = 64,
                                        .tied_head = true,
                                        .norm_eps = 1e-5,
                                        .rope_theta = 1e4,
                                        .rope_factor = 1,
                                        .window = 10,
                                        .window_layers = {"110"}};
    const size_t each = 2 * (16 + 16) * 2; /* two heads, halves */
    struct model model;
    struct session session;
    struct error error;
    assert_true(model_synthetic(&model, &config, type_find("q8"), "synthetic", pools[0], &error));
    assert_true(session_open(&session, &model, 64, 8, pools[0], &error));
    assert_int_equal(session_kv_bytes(&session, 8), 3 * 9 * each);
    assert_int_equal(session_kv_bytes(&session, 49), (10 + 10 + 50) * each);
    session_close(&session);
    model_close(&model);
}

static int set_up(void **unused) {
    (void)unused;
    if (!getcwd(root, sizeof root) || find_families())
        return -1;
    enter_scratch_folder();
    for (uint32_t i = 0; i < N_TOKENS; i++)
        tokens[i] = (7 * i * i + 3 * i + 1) % VOCAB;
    open_pools();
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    close_pools();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_those_of_transformers),
        cmocka_unit_test(batches_and_threads_change_nothing),
        cmocka_unit_test(every_type_says_nearly_the_same),
        cmocka_unit_test(sequences_together_say_what_each_says_alone),
        cmocka_unit_test(rewinding_forgets),
        cmocka_unit_test(logits_are_of_the_last_tokens),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_step_that_cannot_be_is_taken_by_none),
        cmocka_unit_test(running_out_of_memory_leaves_nothing),
        cmocka_unit_test(cache_bytes_are_what_the_format_takes),
        cmocka_unit_test(cache_bytes_are_those_within_windows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
