/* What bandwidth and arithmetic allow, on the numbers of the note that inspired this project, and the table
 * of known devices. */
#include "evaluate/devices.c"
#include "evaluate/grid.c"
#include "evaluate/page.c"
#include "evaluate/roofline.c"
#include "lib/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NEAR(found, expected, tolerance) assert_true(fabs((found) - (expected)) < (tolerance))
#define TABLE "assets/devices.tsv"

static struct devices known(struct arena *arena) {
    struct devices devices = {0};
    struct error error;
    char *text;
    size_t size;
    if (!file_read_all(TABLE, 1 << 20, arena, &text, &size, &error) ||
        !devices_read(&devices, TABLE, text, size, arena, &error))
        fail_msg("%s", error.text);
    return devices;
}

static const struct device *find(const struct devices *devices, const char *name) {
    for (size_t i = 0; i < devices->count; i++)
        if (!strcmp(devices->items[i].name, name))
            return &devices->items[i];
    fail_msg("there is no '%s'", name);
    return NULL;
}

/* A model of 7 billion weights. */
static struct workload seven_billion(double bits) {
    double weights = 7e9;
    return (struct workload){"7b", weights * bits / 8, weights * bits / 8, 2 * weights, 0.15e12};
}

/* ---- The note ---- */

static void an_a100_has_20_times_the_bandwidth_and_200_times_the_compute(void **unused) {
    (void)unused;
    struct arena arena = {0};
    struct devices devices = known(&arena);
    const struct device *a100 = find(&devices, "A100, as in the note");
    const struct device *m2 = find(&devices, "Apple M2, as in the note");
    NEAR(a100->bandwidth, 1935e9, 1);
    NEAR(a100->arithmetic, 1248e12, 1);
    NEAR(m2->bandwidth, 100e9, 1);
    NEAR(m2->arithmetic, 7e12, 1);
    NEAR(a100->bandwidth / m2->bandwidth, 19.35, 0.001); /* "only ~20X" */
    NEAR(a100->arithmetic / m2->arithmetic, 178.3, 0.05); /* "~200X" */
    arena_free(&arena);
}

static void seven_billion_weights_in_4_bits_talk_on_a_laptop(void **unused) {
    (void)unused;
    struct arena arena = {0};
    struct devices devices = known(&arena);
    const struct device *m2 = find(&devices, "Apple M2, as in the note");
    struct workload f16 = seven_billion(16), q4 = seven_billion(4);
    struct roofline slow = roofline_of(&f16, m2), fast = roofline_of(&q4, m2);

    /* 100 GB/s over 14 and over 3.5 GB. The note's 16 tokens/s lie between: out of reach in 16 bits, and in 4
     * bits 0.56 of what memory allows. */
    NEAR(slow.memory, 7.143, 0.001);
    NEAR(fast.memory, 28.571, 0.001);
    assert_true(slow.memory < 16 && fast.memory > 16);
    NEAR(16 / fast.memory, 0.56, 0.001);

    /* 7 TFLOPS over 14 billion operations: arithmetic would allow 500, so it idles at batch 1 and is used up
     * at 17.5. Fewer bits do not change what it allows. */
    NEAR(fast.arithmetic, 500, 1e-9);
    NEAR(fast.knee, 17.5, 1e-9);
    NEAR(slow.arithmetic, 500, 1e-9);
    NEAR(slow.knee, 70, 1e-9);
    assert_true(slow.fits && fast.fits);
    arena_free(&arena);
}

static void an_a100_is_only_20_times_as_fast_until_batches_of_160(void **unused) {
    (void)unused;
    struct arena arena = {0};
    struct devices devices = known(&arena);
    struct workload q4 = seven_billion(4), f16 = seven_billion(16);
    struct roofline m2 = roofline_of(&q4, find(&devices, "Apple M2, as in the note"));
    struct roofline a100 = roofline_of(&q4, find(&devices, "A100, as in the note"));
    NEAR(a100.memory, 552.86, 0.01);
    NEAR(a100.memory / m2.memory, 19.35, 0.001);
    NEAR(a100.arithmetic / m2.arithmetic, 178.3, 0.05);
    NEAR(a100.knee, 161.2, 0.1); /* "a very high batch size (e.g. ~160+)" */

    /* Without sparsity, as any model runs, it has half of that arithmetic and the same bandwidth. */
    struct roofline dense = roofline_of(&q4, find(&devices, "A100 80GB PCIe"));
    NEAR(dense.memory, a100.memory, 1e-9);
    NEAR(dense.arithmetic, a100.arithmetic / 2, 1e-6);

    /* The same knee by the note's other count: 312 TFLOPS of fp16 over weights of 2 bytes. */
    struct device fp16 = {.name = "A100", .memory = 80e9, .bandwidth = 1935e9, .arithmetic = 312e12};
    NEAR(roofline_of(&f16, &fp16).knee, 161.2, 0.1);
    arena_free(&arena);
}

static void what_does_not_fit_or_is_not_known(void **unused) {
    (void)unused;
    struct workload q4 = seven_billion(4);
    struct device small = {.name = "small", .memory = 3.4e9, .bandwidth = 10e9};
    struct roofline roofline = roofline_of(&q4, &small);
    assert_false(roofline.fits);
    assert_true(roofline.arithmetic == 0 && roofline.knee == 0);
    small.memory = 3.5e9;
    assert_true(roofline_of(&q4, &small).fits);
}

/* ---- The table of devices ---- */

static void every_device_is_plausible_and_unique(void **unused) {
    (void)unused;
    struct arena arena = {0};
    struct devices devices = known(&arena);
    assert_true(devices.count >= 20);
    for (size_t i = 0; i < devices.count; i++) {
        const struct device *device = &devices.items[i];
        assert_true(strlen(device->name) < CELL && strlen(device->source) > 10);
        assert_true(device->memory >= 1e9 && device->memory <= 1e13);
        assert_true(device->bandwidth >= 1e9 && device->bandwidth <= 1e14);
        assert_true(device->arithmetic <= 1e17);
        assert_int_equal(device->arithmetic == 0, !strcmp(device->numbers, "-"));
        assert_false(device->measured);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(device->name, devices.items[k].name);
    }
    arena_free(&arena);
}

static void comments_and_empty_lines_are_no_devices(void **unused) {
    (void)unused;
    static const char text[] = "# a comment\n\na\t8\t20\t-\t-\tbook\nb\t1.5\t30\t2e-1\tint8\tbook";
    struct arena arena = {0};
    struct devices devices;
    struct error error;
    assert_true(devices_read(&devices, "t", text, sizeof text - 1, &arena, &error));
    assert_int_equal(devices.count, 2);
    assert_string_equal(devices.items[0].name, "a");
    NEAR(devices.items[0].bandwidth, 20e9, 1);
    assert_true(devices.items[0].arithmetic == 0);
    NEAR(devices.items[1].memory, 1.5e9, 1);
    NEAR(devices.items[1].arithmetic, 0.2e12, 1);
    assert_string_equal(devices.items[1].source, "book");
    arena_free(&arena);
}

static void wrong_lines_are_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"#\na\t8\t20\t1\tint8", "t: line 2 has 5 fields between tabs, a device has 6"},
        {"a\t8\t20\t1\tint8\tbook\tmore", "t: line 1 has 7 fields between tabs, a device has 6"},
        {"a 8 20 1 int8 book", "t: line 1 has 1 fields between tabs, a device has 6"},
        {"a\t8\tfast\t1\tint8\tbook", "t: line 1: 'fast' is no bandwidth"},
        {"a\t8\t-\t1\tint8\tbook", "t: line 1: '-' is no bandwidth"},
        {"a\t0\t20\t1\tint8\tbook", "t: line 1: '0' is no memory"},
        {"a\t8\t20 GB/s\t1\tint8\tbook", "t: line 1: '20 GB/s' is no bandwidth"},
        {"a\t8\t20\t-1\tint8\tbook", "t: line 1: '-1' is no arithmetic"},
        {"a\t8\tinf\t1\tint8\tbook", "t: line 1: 'inf' is no bandwidth"},
        {"a\t8\tnan\t1\tint8\tbook", "t: line 1: 'nan' is no bandwidth"},
        {"\t8\t20\t1\tint8\tbook", "t: line 1: '' is no name"},
        {"a\t8\t20\t1\tint8\t", "t: line 1: '' is no source"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct devices devices;
        struct error error;
        assert_false(devices_read(&devices, "t", cases[i].text, strlen(cases[i].text), &arena, &error));
        assert_string_equal(error.text, cases[i].sentence);
        arena_free(&arena);
    }
}

/* ---- Showing ---- */

static struct device few[] = {
    {.name = "quick",
     .memory = 80e9,
     .bandwidth = 1935e9,
     .arithmetic = 624e12,
     .numbers = "int8",
     .source = "a <b>"},
    {.name = "tiny",
     .memory = 1e9,
     .bandwidth = 17.1e9,
     .arithmetic = 0.154e12,
     .numbers = "fp32",
     .source = "c"},
    {.name = "secretive", .memory = 24e9, .bandwidth = 100e9, .numbers = "-", .source = "d"},
    {.name = "slow to add",
     .memory = 24e9,
     .bandwidth = 100e9,
     .arithmetic = 0.2e12,
     .numbers = "fp32",
     .source = "e"},
};
static struct workload models[2];

static struct rooflines example(void) {
    models[0] = seven_billion(4);
    models[1] = seven_billion(16);
    models[0].name = "a<b>.qm";
    return (struct rooflines){30e9, {few, 4}, models, 2};
}

static void assert_has(const struct buffer *text, const char *part) {
    if (!strstr(text->data, part))
        fail_msg("'%s' is not in:\n%s", part, text->data);
}

static void the_table_tells_measured_from_predicted(void **unused) {
    (void)unused;
    struct rooflines rooflines = example();
    struct buffer text = {0};
    struct error error;
    assert_true(print_rooflines(&rooflines, &text, &error));
    assert_has(&text, "\na<b>.qm: a step reads 3500.00 MB, a token takes 14 billion operations\n");
    assert_has(&text, "\n7b: a step reads 14000.00 MB");
    assert_has(
        &text,
        "\nthis machine  measured     30.0       0.150  fp32           8.57           10.7       1.25\n");
    assert_has(
        &text,
        "\nquick         predicted    1935         624  int8            553          44571       80.6\n");
    assert_has(
        &text,
        "\ntiny          predicted    17.1       0.154  fp32      too large      too large  too large\n");
    assert_has(
        &text,
        "\nsecretive     predicted     100           -  -              28.6              -          -\n");
    assert_has(
        &text,
        "\nslow to add   predicted     100       0.200  fp32           28.6           14.3    below 1\n");
    assert_has(&text, "Predictions are bounds");
    buffer_free(&text);
}

static double number(const json_t *object, const char *key) {
    return json_real_value(json_object_get(object, key));
}

static void json_leaves_out_what_is_not_known(void **unused) {
    (void)unused;
    struct rooflines rooflines = example();
    json_t *array = roofline_json(&rooflines, 0);
    assert_int_equal(json_array_size(array), 5);
    const json_t *here = json_array_get(array, 0), *quick = json_array_get(array, 1);
    assert_true(json_is_false(json_object_get(here, "predicted")));
    assert_string_equal(json_string_value(json_object_get(here, "device")), "this machine");
    NEAR(number(here, "tok_s_batch1_bandwidth"), 30 / 3.5, 1e-9);
    assert_true(json_is_true(json_object_get(quick, "predicted")));
    assert_true(json_is_true(json_object_get(quick, "fits")));
    NEAR(number(quick, "bandwidth_gb_s"), 1935, 1e-9);
    NEAR(number(quick, "tera_ops"), 624, 1e-9);
    NEAR(number(quick, "tok_s_arithmetic"), 624e12 / 14e9, 1e-6);
    NEAR(number(quick, "knee_batch"), 80.6, 0.1);
    assert_true(json_is_false(json_object_get(json_array_get(array, 2), "fits")));
    const char *unknown[] = {"tera_ops", "ops_of", "tok_s_arithmetic", "knee_batch"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_null(json_object_get(json_array_get(array, 3), unknown[i]));
    json_decref(array);

    rooflines.bandwidth = INFINITY;
    assert_null(roofline_json(&rooflines, 0));
}

static void the_page_has_a_section_for_each_model(void **unused) {
    (void)unused;
    struct rooflines rooflines = example();
    struct buffer html = {0};
    struct error error;
    struct page page = {.to = &html, .error = &error};
    put_rooflines(&page, &rooflines);
    assert_false(page.failed);
    assert_has(&html, "a&lt;b&gt;.qm");
    assert_has(&html, "<tr title=\"a &lt;b&gt;\">");
    assert_has(&html, "Predictions are bounds");
    assert_has(&html, "<td class=\"text\">measured</td>");
    assert_non_null(strstr(strstr(html.data, "<section>") + 1, "<section>"));
    assert_null(strstr(html.data, "<b>"));
    buffer_free(&html);
}

static void showing_survives_running_out_of_memory(void **unused) {
    (void)unused;
    struct rooflines rooflines = example();
    bool done = false;
    for (size_t n = 1; !done; n++) {
        struct buffer text = {0};
        struct error error;
        assert_true(n < 1000);
        memory_fail_at(n);
        done = print_rooflines(&rooflines, &text, &error);
        memory_fail_at(0);
        buffer_free(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_a100_has_20_times_the_bandwidth_and_200_times_the_compute),
        cmocka_unit_test(seven_billion_weights_in_4_bits_talk_on_a_laptop),
        cmocka_unit_test(an_a100_is_only_20_times_as_fast_until_batches_of_160),
        cmocka_unit_test(what_does_not_fit_or_is_not_known),
        cmocka_unit_test(every_device_is_plausible_and_unique),
        cmocka_unit_test(comments_and_empty_lines_are_no_devices),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(the_table_tells_measured_from_predicted),
        cmocka_unit_test(json_leaves_out_what_is_not_known),
        cmocka_unit_test(the_page_has_a_section_for_each_model),
        cmocka_unit_test(showing_survives_running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
