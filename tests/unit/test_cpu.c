/* Levels rise, can be lowered, and never go beyond the processor. */
#include "lib/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"scalar", "avx2", "avx512", "avx512vnni", "amx", "neon", "neondot"};

static void higher_features_include_the_lower(void **state) {
    (void)state;
    uint32_t features = cpu_features();
    assert_true(!(features & CPU_AVX512) || features & CPU_AVX2);
    assert_true(!(features & CPU_AVX512_VNNI) || features & CPU_AVX512);
    assert_true(!(features & CPU_NEON_DOTPROD) || features & CPU_NEON);
    assert_false(features & CPU_NEON && features & CPU_AVX2);
}

static void a_limit_takes_features_away_and_a_higher_one_brings_them_back(void **state) {
    (void)state;
    struct error error;
    char highest[16];
    uint32_t all = cpu_features();
    strcpy(highest, cpu_level());
    assert_true(cpu_limit("scalar", &error));
    assert_int_equal(cpu_features(), 0);
    assert_string_equal(cpu_level(), "scalar");
    assert_true(cpu_limit(highest, &error));
    assert_int_equal(cpu_features(), all);
    assert_string_equal(cpu_level(), highest);
}

static void a_level_that_is_missing_is_refused_with_those_there_are(void **state) {
    (void)state;
    struct error error;
    uint32_t all = cpu_features();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!cpu_limit(names[i], &error))
            assert_non_null(strstr(error.text, "this processor has scalar"));
        else {
            assert_string_equal(cpu_level(), names[i]);
            assert_int_equal(cpu_features() & ~all, 0);
        }
    assert_false(cpu_limit("sse9", &error));
    assert_memory_equal(error.text, "--cpu sse9: this processor has scalar", 37);
    assert_false(cpu_limit("", &error));
}

static void there_is_a_processor_with_a_name(void **state) {
    (void)state;
    const char *name = cpu_model_name();
    assert_true(strlen(name) > 0 && name[0] != ' ' && name[strlen(name) - 1] != ' ');
    assert_true(cpu_online() >= 1);
    assert_true(cpu_cache_bytes() >= 64 << 10 && cpu_cache_bytes() <= (uint64_t)4 << 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_features_include_the_lower),
        cmocka_unit_test(a_limit_takes_features_away_and_a_higher_one_brings_them_back),
        cmocka_unit_test(a_level_that_is_missing_is_refused_with_those_there_are),
        cmocka_unit_test(there_is_a_processor_with_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
