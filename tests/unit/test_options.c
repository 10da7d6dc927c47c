/* Command lines: what is accepted, and the sentence for what is not. */
#include "lib/options.h"

#include "lib/cpu.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    const char *type;
    struct text_list rules;
    uint64_t n_tokens;
    double temperature;
    bool dry_run;
} values;

static const struct option options[] = {
    {"type", OPTION_TEXT, &values.type, "TYPE", "the type to write"},
    {"rule", OPTION_LIST, &values.rules, "REGEX=TYPE", "type of the tensors whose name matches; may repeat"},
    {"n|tokens", OPTION_COUNT, &values.n_tokens, "N", "tokens to generate"},
    {"temp", OPTION_REAL, &values.temperature, "T", "temperature; 0 is greedy"},
    {"dry-run", OPTION_FLAG, &values.dry_run, NULL, "print the plan"},
    {0},
};
static const struct command command = {"quantize", "--type TYPE IN OUT", "Makes a model smaller.", options, 1,
                                       2};

static struct common common;
static struct text_list arguments;
static struct error error;
static struct arena arena;

static int forget(void **state) {
    (void)state;
    memset(&values, 0, sizeof values);
    memset(&common, 0, sizeof common);
    memset(&arguments, 0, sizeof arguments);
    arena_free(&arena);
    return 0;
}

enum { WORDS_MAX = 16 };

/* Parses the words up to a NULL, behind the program's name. */
static enum parsed parse(const char *const words[WORDS_MAX]) {
    char *argv[WORDS_MAX + 1] = {(char *)(uintptr_t) "quantize"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    forget(NULL);
    error.text[0] = '\0';
    return options_parse(&command, argc, argv, &common, &arguments, &arena, &error);
}
#define PARSE(...) parse((const char *const[WORDS_MAX]){__VA_ARGS__})
#define ASSERT_WRONG(sentence, ...)                                                                          \
    do {                                                                                                     \
        assert_int_equal(PARSE(__VA_ARGS__), PARSED_WRONG);                                                  \
        assert_string_equal(error.text, sentence);                                                           \
    } while (0)

static void options_and_arguments_mix(void **state) {
    (void)state;
    assert_int_equal(PARSE("in", "--type", "q4", "--rule=a=b", "out", "--rule", "c", "-n5", "--dry-run"),
                     PARSED_RUN);
    assert_string_equal(values.type, "q4");
    assert_int_equal(values.rules.count, 2);
    assert_string_equal(values.rules.items[0], "a=b");
    assert_string_equal(values.rules.items[1], "c");
    assert_int_equal(values.n_tokens, 5);
    assert_true(values.dry_run);
    assert_int_equal(arguments.count, 2);
    assert_string_equal(arguments.items[0], "in");
    assert_string_equal(arguments.items[1], "out");
}

static void values_are_taken_as_they_stand(void **state) {
    (void)state;
    assert_int_equal(PARSE("in", "--temp", "-1.5e-1", "--type", "--type", "-n", "7", "-"), PARSED_RUN);
    assert_true(values.temperature == -0.15);
    assert_string_equal(values.type, "--type");
    assert_int_equal(values.n_tokens, 7);
    assert_string_equal(arguments.items[1], "-");
    assert_int_equal(PARSE("in", "--type=", "--", "--dry-run"), PARSED_RUN);
    assert_string_equal(values.type, "");
    assert_string_equal(arguments.items[1], "--dry-run");
    assert_false(values.dry_run);
}

static void every_program_takes_the_common_options(void **state) {
    (void)state;
    assert_int_equal(PARSE("in", "-j2", "-qv", "--force", "--cpu", "scalar"), PARSED_RUN);
    assert_int_equal(common.n_threads, 2);
    assert_true(common.quiet && common.verbose && common.force);
    assert_string_equal(cpu_level(), "scalar");
    assert_int_equal(PARSE("in", "--threads=3", "-vn", "4"), PARSED_RUN);
    assert_int_equal(common.n_threads, 3);
    assert_int_equal(values.n_tokens, 4);
    assert_int_equal(PARSE("in", "--cpu", "pdp11"), PARSED_WRONG);
    assert_memory_equal(error.text, "--cpu pdp11: this processor has scalar", 38);
}

static void counts_have_suffixes_and_limits(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t count;
    } counts[] = {{"0", 0},         {"18446744073709551615", UINT64_MAX},
                  {"3K", 3000},     {"3k", 3000},
                  {"2Ki", 2048},    {"5M", 5000000},
                  {"1Gi", 1 << 30}, {"7G", 7000000000},
                  {"007", 7}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_int_equal(PARSE("in", "-n", counts[i].text), PARSED_RUN);
        assert_true(values.n_tokens == counts[i].count);
    }
    static const char *const wrong[] = {"",
                                        "-5",
                                        "+5",
                                        " 5",
                                        "5 ",
                                        "5x",
                                        "K",
                                        "0x10",
                                        "1e3",
                                        "1.5G",
                                        "5KiB",
                                        "18446744073709551616",
                                        "18446744073709552K",
                                        "99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(PARSE("in", "-n", wrong[i]), PARSED_WRONG);
    ASSERT_WRONG(
        "--tokens: '12x' is not a count (a whole number below 2^64, perhaps with K, M, G, Ki, Mi or Gi)",
        "in", "--tokens", "12x");
}

static void reals_are_finite_decimals(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "x", "1x", "nan", "inf", "0x1p3", "1e999", "1,5", "--", "1 "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(PARSE("in", "--temp", wrong[i]), PARSED_WRONG);
    ASSERT_WRONG("--temp: 'hot' is not a finite decimal number", "in", "--temp=hot");
}

static void unknown_options_name_the_nearest(void **state) {
    (void)state;
    ASSERT_WRONG("unknown option --tipe; the nearest is --type", "--tipe", "q4");
    ASSERT_WRONG("unknown option --rulez; the nearest is --rule", "--rulez=x");
    ASSERT_WRONG("unknown option --temperature; the nearest is --temp", "--temperature", "1");
    ASSERT_WRONG("unknown option --treads; the nearest is --threads", "--treads");
    ASSERT_WRONG("unknown option -x; --help lists the known ones", "-x");
    assert_int_equal(PARSE("--=x"), PARSED_WRONG);
    char name[200];
    memset(name, '-', 199);
    name[199] = '\0';
    assert_int_equal(PARSE(name), PARSED_WRONG); /* too long to compare, but no longer than a sentence */
}

static void options_want_their_values_and_flags_none(void **state) {
    (void)state;
    ASSERT_WRONG("--type needs a value: TYPE", "in", "--type");
    ASSERT_WRONG("-n needs a value: N", "in", "-n");
    ASSERT_WRONG("--dry-run takes no value", "in", "--dry-run=yes");
}

static void arguments_are_counted(void **state) {
    (void)state;
    ASSERT_WRONG("0 of at least 1 arguments given; usage: quantize --type TYPE IN OUT", "-q");
    ASSERT_WRONG("one argument too many: 'c'; usage: quantize --type TYPE IN OUT", "a", "b", "c", "d");
}

static void memory_may_fail(void **state) {
    (void)state;
    memory_fail_at(1);
    assert_int_equal(PARSE("in"), PARSED_WRONG);
    assert_non_null(strstr(error.text, "out of memory"));
}

/* Parses the words with standard output going to `path`. */
static enum parsed parse_to(const char *path, const char *word) {
    fflush(stdout);
    int before = dup(STDOUT_FILENO), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(before >= 0 && to >= 0);
    dup2(to, STDOUT_FILENO);
    enum parsed parsed = PARSE(word);
    fflush(stdout);
    clearerr(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(to);
    return parsed;
}

static void assert_file(const char *path, const char *expected) {
    char text[4096];
    FILE *file = fopen(path, "r");
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static void help_and_version_are_printed(void **state) {
    (void)state;
    char path[] = "/tmp/test_options.XXXXXX";
    close(mkstemp(path));
    assert_int_equal(parse_to(path, "--version"), PARSED_EXIT);
    assert_file(path, "quantize (qm) " PROJECT_VERSION "\n");
    assert_int_equal(parse_to(path, "--help"), PARSED_EXIT);
    assert_file(
        path, "usage: quantize [OPTIONS] --type TYPE IN OUT\n"
              "\n"
              "Makes a model smaller.\n"
              "\n"
              "      --type TYPE        the type to write\n"
              "      --rule REGEX=TYPE  type of the tensors whose name matches; may repeat\n"
              "  -n, --tokens N         tokens to generate\n"
              "      --temp T           temperature; 0 is greedy\n"
              "      --dry-run          print the plan\n"
              "\n"
              "  -j, --threads N        threads to use; one per processor without it\n"
              "      --cpu LEVEL        instructions to stay within: scalar, avx2, avx512, avx512vnni, amx, "
              "neon, neondot\n"
              "  -q, --quiet            no progress and no remarks\n"
              "  -v, --verbose          say more\n"
              "      --force            replace outputs that exist\n"
              "  -h, --help             this text\n"
              "      --version          the version\n");
    unlink(path);
}

static void help_that_can_not_be_written_is_a_failure(void **state) {
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(parse_to("/dev/full", "--help"), PARSED_WRONG);
    assert_string_equal(error.text, "standard output can't be written: No space left on device");
    assert_int_equal(parse_to("/dev/full", "--version"), PARSED_WRONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_mix),
        cmocka_unit_test(values_are_taken_as_they_stand),
        cmocka_unit_test(every_program_takes_the_common_options),
        cmocka_unit_test(counts_have_suffixes_and_limits),
        cmocka_unit_test(reals_are_finite_decimals),
        cmocka_unit_test(unknown_options_name_the_nearest),
        cmocka_unit_test(options_want_their_values_and_flags_none),
        cmocka_unit_test(arguments_are_counted),
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(help_and_version_are_printed),
        cmocka_unit_test(help_that_can_not_be_written_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
