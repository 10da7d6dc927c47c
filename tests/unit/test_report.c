/* The same results as a table, as JSON and as a page. */
#include "evaluate/batches.c"
#include "evaluate/grid.c"
#include "evaluate/json.c"
#include "evaluate/page.c"
#include "evaluate/plot.c"
#include "evaluate/report.c"
#include "evaluate/roofline.c"
#include "evaluate/statistics.c"
#include "evaluate/table.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct row rows[3];

static struct evaluation example(void) {
    const char *names[] = {"a<b>&\"'.qm", "q8.qm", "q4.qm"}, *kinds[] = {"f16", "q8", "q4"};
    for (size_t i = 0; i < 3; i++)
        rows[i] = (struct row){
            .file = names[i],
            .name = names[i],
            .type = kinds[i],
            .file_bytes = 3000000000u >> i,
            .tensor_bytes = 3000000000u >> i,
            .bits_per_weight = 16.0 / (1 << i),
            .perplexity = {12.345678 + (double)i, 0.25},
            .divergence = {i ? 0.001 * (double)i : 0, 0.0001},
            .divergence_p99 = 0.05 * (double)i,
            .agreement = 1 - 0.01 * (double)i,
            .prefill = 45.25,
            .decode = 8 << i,
            .streamed_bytes = 3e10 / (1 << i), /* far beyond any cache */
            .bandwidth = 24e9,
            .roof_share = 0.8,
        };
    return (struct evaluation){
        .has_perplexity = true,
        .has_divergence = true,
        .has_speed = true,
        .has_fit = true,
        .rows = rows,
        .n_rows = 3,
        .text = "text & more",
        .reference = "a<b>&\"'.qm",
        .context = 512,
        .windows = 40,
        .scored = 255,
        .roof = 30e9,
        .roof_bytes = 1 << 30,
        .rounds = 5,
        .prompt = 128,
        .fit = {1 / 25e9, 0.001, 0.9987},
        .machine = {"A <fast> one", "avx2", "Linux", "gcc 12", "1.0.0", 2, 4},
        .command = "evaluate 'a<b>' --kl x",
    };
}

static struct buffer printed(bool (*print)(const struct evaluation *, struct buffer *, struct error *),
                             const struct evaluation *evaluation) {
    struct buffer text = {0};
    struct error error;
    if (!print(evaluation, &text, &error))
        fail_msg("%s", error.text);
    return text;
}

static void assert_has(const struct buffer *text, const char *part) {
    if (!strstr(text->data, part))
        fail_msg("'%s' is not in:\n%s", part, text->data);
}

static void assert_lacks(const struct buffer *text, const char *part) {
    if (strstr(text->data, part))
        fail_msg("'%s' is in:\n%s", part, text->data);
}

static void lines_of_the_table_are_equally_wide(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    struct buffer text = printed(print_table, &evaluation);
    char *line = strtok(text.data, "\n");
    size_t width = width_of(line);
    for (size_t i = 0; i < 4; i++) {
        line = strtok(NULL, "\n");
        assert_int_equal(width_of(line), width);
    }
    assert_non_null(strstr(line, "14.346 ± 0.250  0.002000 ± 0.000100"));
    buffer_free(&text);
}

static void the_table_says_how_it_was_measured(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    struct buffer text = printed(print_table, &evaluation);
    assert_has(&text, "text: text & more, 40 windows of 512 tokens, the last 255 of each scored\n");
    assert_has(&text, "roof: 30.0 GB/s");
    assert_has(&text, "decode: behind 128 tokens, those of the prefill\n");
    assert_has(&text, "fit: time per token = bytes / 25.0 GB/s + 1.000 ms, R² 0.9987\n");
    assert_lacks(&text, "cache");
    buffer_free(&text);
}

static void small_models_are_marked(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    evaluation.rows[2].streamed_bytes = 2e3;
    struct buffer text = printed(print_table, &evaluation);
    assert_has(&text, "*80");
    assert_has(&text, "no measurement of memory");
    buffer_free(&text);
}

static void json_has_what_was_asked_for_and_no_more(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    struct buffer text = printed(print_json, &evaluation);
    struct error error;
    json_t *tree = json_read("results", text.data, text.size, &error);
    assert_non_null(tree);
    json_t *row = json_array_get(json_object_get(tree, "models"), 1);
    const char *keys[] = {"file", "type",          "bpw",          "file_bytes",  "streamed_bytes_per_token",
                          "ppl",  "ppl_se",        "kl",           "kl_se",       "kl_p99",
                          "top1", "prefill_tok_s", "decode_tok_s", "decode_gb_s", "roof_share"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(json_object_get(row, keys[i]));
    assert_int_equal(json_object_size(row), sizeof keys / sizeof *keys);
    assert_true(json_real_value(json_object_get(row, "ppl")) == 13.345678);
    assert_true(fabs(json_real_value(json_object_get(tree, "roof_gb_s")) - 30) < 1e-9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(tree, "machine"), "cpu")),
                        "A <fast> one");
    json_decref(tree);
    buffer_free(&text);

    evaluation.has_perplexity = evaluation.has_divergence = evaluation.has_fit = false;
    evaluation.rows[0].synthetic = true;
    text = printed(print_json, &evaluation);
    assert_lacks(&text, "\"ppl\"");
    assert_lacks(&text, "\"kl");
    assert_lacks(&text, "\"fit\"");
    assert_lacks(&text, "\"text\"");
    assert_has(&text, "\"synthetic\": true");
    buffer_free(&text);
}

/* What a machine brings whose arithmetic allows 8 / (1 + i) sequences' worth of reading. */
static struct evaluation example_in_batches(void) {
    struct evaluation evaluation = example();
    evaluation.has_batches = true;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < BATCH_SIZES; k++)
            rows[i].batches[k] =
                (struct batch_speed){10 * fmin((double)batch_size(k), 8.0 / (double)(1 + i)), 24e9};
        rows[i].knee = batch_knee(rows[i].batches);
    }
    return evaluation;
}

static void the_knee_is_where_the_lines_meet(void **unused) {
    (void)unused;
    example_in_batches();
    assert_true(fabs(rows[0].knee - 8) < 1e-12);
    assert_true(fabs(rows[1].knee - 4) < 1e-12);
    assert_true(fabs(rows[2].knee - 8.0 / 3) < 1e-12);
    rows[0].batches[BATCH_SIZES - 1].tokens = 60; /* larger batches may lose: the best one counts */
    assert_true(fabs(batch_knee(rows[0].batches) - 8) < 1e-12);
    rows[0].batches[BATCH_SIZES - 1].tokens = 119;
    assert_true(fabs(batch_knee(rows[0].batches) - 11.9) < 1e-12);
    rows[0].batches[BATCH_SIZES - 1].tokens = 120; /* still rising */
    assert_true(batch_knee(rows[0].batches) == 0);
}

static void batches_are_in_every_form(void **unused) {
    (void)unused;
    struct evaluation evaluation = example_in_batches();
    struct workload workloads[3] = {{.bytes = 1e9, .operations = 1e9, .arithmetic = 2.56e11}};
    struct rooflines rooflines = {.bandwidth = 25.6e9, .workloads = workloads, .n_workloads = 0};
    rows[2].knee = 0;
    struct buffer text = printed(print_table, &evaluation);
    assert_has(&text, "q8.qm       q8    10.0  20.0  40.0  40.0  40.0  40.0  40.0   4.0\n");
    assert_has(&text, "> 64\n");
    assert_lacks(&text, "by roofline");
    buffer_free(&text);

    workloads[1] = workloads[2] = workloads[0];
    evaluation.rooflines = &rooflines;
    text = printed(print_table, &evaluation);
    assert_has(&text, "   4.0         10.0\n");
    buffer_free(&text);
    evaluation.rooflines = NULL;

    text = printed(print_json, &evaluation);
    struct error error;
    json_t *tree = json_read("results", text.data, text.size, &error);
    json_t *row = json_array_get(json_object_get(tree, "models"), 1);
    json_t *eight = json_array_get(json_object_get(row, "batch"), 3);
    assert_int_equal(json_array_size(json_object_get(row, "batch")), BATCH_SIZES);
    assert_int_equal(json_integer_value(json_object_get(eight, "sequences")), 8);
    assert_true(json_real_value(json_object_get(eight, "tok_s")) == 40);
    assert_true(fabs(json_real_value(json_object_get(eight, "gb_s")) - 24) < 1e-9);
    assert_true(json_real_value(json_object_get(row, "knee_batch")) == 4);
    assert_null(json_object_get(json_array_get(json_object_get(tree, "models"), 2), "knee_batch"));
    json_decref(tree);
    buffer_free(&text);
}

static void what_is_not_finite_is_no_json(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    struct buffer text = {0};
    struct error error;
    evaluation.rows[1].perplexity.mean = INFINITY;
    assert_false(print_json(&evaluation, &text, &error));
    buffer_free(&text);
}

static void the_page_escapes_every_name(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    struct buffer page = printed(print_report, &evaluation);
    assert_has(&page, "a&lt;b&gt;&amp;&quot;&#39;.qm");
    assert_has(&page, "A &lt;fast&gt; one");
    assert_has(&page, "text &amp; more");
    assert_has(&page, "evaluate &#39;a&lt;b&gt;&#39; --kl x");
    assert_lacks(&page, "a<b>");
    assert_lacks(&page, "<fast>");
    assert_lacks(&page, "<script");
    assert_lacks(&page, "http");
    buffer_free(&page);
}

static size_t count_of(const struct buffer *text, const char *part) {
    size_t count = 0;
    for (const char *at = strstr(text->data, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

static void the_page_draws_what_was_measured(void **unused) {
    (void)unused;
    struct evaluation evaluation = example();
    struct buffer page = printed(print_report, &evaluation);
    assert_int_equal(count_of(&page, "<svg"), 2);
    assert_int_equal(count_of(&page, "<circle class=\"point\""), 3 + 2);
    assert_int_equal(count_of(&page, "<circle class=\"hollow\""), 1); /* the reference itself, KL 0 */
    assert_has(&page, "fit 25.0 GB/s");
    assert_has(&page, "roof 30.0 GB/s");
    assert_lacks(&page, "nan");
    assert_lacks(&page, "inf");
    buffer_free(&page);

    evaluation.has_speed = false;
    page = printed(print_report, &evaluation);
    assert_int_equal(count_of(&page, "<svg"), 1);
    buffer_free(&page);
}

static void the_page_draws_batches_to_the_knee(void **unused) {
    (void)unused;
    struct evaluation evaluation = example_in_batches();
    rows[2].knee = 0;
    struct buffer page = printed(print_report, &evaluation);
    assert_int_equal(count_of(&page, "<svg"), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(count_of(&page, hues[i].point), BATCH_SIZES);
        assert_int_equal(count_of(&page, hues[i].corner), i < 2);
        assert_int_equal(count_of(&page, hues[i].path), 1);
        assert_int_equal(count_of(&page, hues[i].bound), 1);
    }
    assert_has(&page, ">knee 4.0<");
    assert_lacks(&page, "nan");
    assert_lacks(&page, "inf");
    buffer_free(&page);
}

static void pages_survive_running_out_of_memory(void **unused) {
    (void)unused;
    struct evaluation evaluation = example_in_batches();
    bool done = false;
    for (size_t n = 1; !done; n++) {
        struct buffer page = {0};
        struct error error;
        assert_true(n < 1000);
        memory_fail_at(n);
        done = print_report(&evaluation, &page, &error);
        memory_fail_at(0);
        buffer_free(&page);
    }
}

static void axes_end_at_round_numbers(void **unused) {
    (void)unused;
    assert_true(fabs(plot_round_up(3.24) - 3.5) < 1e-12);
    assert_true(fabs(plot_round_up(97) - 100) < 1e-12);
    assert_true(fabs(plot_round_up(100) - 100) < 1e-12);
    assert_true(fabs(plot_round_up(0.0123) - 0.014) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_the_table_are_equally_wide),
        cmocka_unit_test(the_table_says_how_it_was_measured),
        cmocka_unit_test(small_models_are_marked),
        cmocka_unit_test(json_has_what_was_asked_for_and_no_more),
        cmocka_unit_test(the_knee_is_where_the_lines_meet),
        cmocka_unit_test(batches_are_in_every_form),
        cmocka_unit_test(what_is_not_finite_is_no_json),
        cmocka_unit_test(the_page_escapes_every_name),
        cmocka_unit_test(the_page_draws_what_was_measured),
        cmocka_unit_test(the_page_draws_batches_to_the_knee),
        cmocka_unit_test(pages_survive_running_out_of_memory),
        cmocka_unit_test(axes_end_at_round_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
