/* Token ids are those of Hugging Face's library (tests/golden/tokenizer, made by
 * tests/differential/tokenizer.py), and what would change them unseen is refused. */
#include "infer/tokenizer.h"
#include "lib/file.h"
#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY 100000 /* a vocabulary that no id here reaches */

/* ---- Golden files ---- */

static struct tokenizer *tokenizer_of(const json_t *tree) {
    struct error error;
    char *text = json_dumps(tree, JSON_ENCODE_ANY);
    assert_non_null(text);
    struct tokenizer *tokenizer = tokenizer_new("golden", text, strlen(text), MANY, &error);
    if (!tokenizer)
        fail_msg("%s", error.text);
    memory_free(text);
    return tokenizer;
}

static size_t from_hex(const char *hex, char *bytes) {
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (char)byte;
    }
    return size;
}

static void assert_ids(const struct tokens *tokens, const json_t *expected, const char *name,
                       const char *hex) {
    bool same = tokens->count == json_array_size(expected);
    for (size_t i = 0; i < tokens->count && same; i++)
        same = tokens->ids[i] == (uint32_t)json_integer_value(json_array_get(expected, i));
    if (!same)
        fail_msg("%s: other ids for the bytes %s", name, hex);
}

static void check_case(const struct tokenizer *tokenizer, const char *name, const json_t *test) {
    static const char *const keys[] = {"plain", "ids"};
    const char *hex = json_string_value(json_object_get(test, "hex"));
    char bytes[1024];
    size_t size = from_hex(hex, bytes);
    for (int parse_special = 0; parse_special < 2; parse_special++) {
        struct tokens tokens = {0};
        struct error error;
        assert_true(tokenizer_encode(tokenizer, bytes, size, parse_special, &tokens, &error));
        assert_ids(&tokens, json_object_get(test, keys[parse_special]), name, hex);
        tokens_free(&tokens);
    }
}

static json_t *read_golden(const char *name) {
    struct error error;
    char path[128];
    snprintf(path, sizeof path, "tests/golden/tokenizer/%s.json", name);
    json_t *golden = json_read_file(path, &error);
    if (!golden)
        fail_msg("%s", error.text);
    return golden;
}

static void ids_are_hugging_faces(void **state) {
    static const char *const names[] = {"gpt2",   "llama3", "qwen2",     "o200k",   "smollm",
                                        "llama2", "gemma",  "metaspace", "unigram", "charsmap"};
    (void)state;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        json_t *golden = read_golden(names[n]), *test;
        struct tokenizer *tokenizer = tokenizer_of(json_object_get(golden, "tokenizer"));
        size_t i;
        json_array_foreach(json_object_get(golden, "cases"), i, test) check_case(tokenizer, names[n], test);
        assert_true(i > 25);
        tokenizer_free(tokenizer);
        json_decref(golden);
    }
}

/* ---- A tokenizer small enough to write down ---- */

#define MODEL(more)                                                                                          \
    "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"\\u0120\":2,\"ab\":3,\"\\u0120ab\":4,\"aa\":5,\"c\":6}"  \
    "," more "}"
#define MERGES "\"merges\":[\"a b\",[\"\\u0120\",\"ab\"],\"a a\"]"
#define ADDED                                                                                                \
    "[{\"id\":7,\"content\":\"<s>\",\"special\":true,\"normalized\":false},"                                 \
    "{\"id\":8,\"content\":\"<tool>\",\"special\":false,\"normalized\":true}]"
#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define TOKENIZER(model, added, more)                                                                        \
    "{\"model\":" model ",\"added_tokens\":" added ",\"decoder\":{\"type\":\"ByteLevel\"}" more "}"
#define PRE_TOKENIZER(json) ",\"pre_tokenizer\":" json
#define SPLIT(pattern)                                                                                       \
    PRE_TOKENIZER(                                                                                           \
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern    \
        "\"},\"behavior\":\"Isolated\",\"invert\":false}," BYTE_LEVEL "]}")
#define SMALL TOKENIZER(MODEL(MERGES), ADDED, PRE_TOKENIZER(BYTE_LEVEL))

static struct tokenizer *small(const char *json) {
    struct error error;
    struct tokenizer *tokenizer = tokenizer_new("small", json, strlen(json), MANY, &error);
    if (!tokenizer)
        fail_msg("%s", error.text);
    return tokenizer;
}

static void assert_parts(const struct tokenizer *tokenizer, const struct text_part *parts, size_t n_parts,
                         const char *expected) {
    struct tokens tokens = {0};
    struct error error;
    char found[256] = "";
    assert_true(tokenizer_encode_parts(tokenizer, parts, n_parts, &tokens, &error));
    for (size_t i = 0; i < tokens.count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), i ? " %u" : "%u", tokens.ids[i]);
    assert_string_equal(found, expected);
    tokens_free(&tokens);
}

static void assert_text(const struct tokenizer *tokenizer, const char *text, const char *expected) {
    struct text_part part = {text, strlen(text), true};
    assert_parts(tokenizer, &part, 1, expected);
}

static void merges_go_by_rank_then_place(void **state) {
    (void)state;
    struct tokenizer *tokenizer = small(SMALL);
    assert_text(tokenizer, "", "");
    assert_text(tokenizer, "ab", "3");
    assert_text(tokenizer, "aab", "0 3"); /* a b ranks before a a */
    assert_text(tokenizer, "aaa", "5 0"); /* the left pair first */
    assert_text(tokenizer, "ab ab", "3 4");
    assert_text(tokenizer, "axb", "3"); /* a byte without a token drops out before merging */
    assert_text(tokenizer, "<s>ab<tool>", "7 3 8");
    tokenizer_free(tokenizer);
}

static void tokens_have_bytes_and_texts(void **state) {
    (void)state;
    struct tokenizer *tokenizer = small(SMALL);
    size_t size;
    uint32_t id;
    assert_int_equal(tokenizer_size(tokenizer), 9);
    assert_memory_equal(tokenizer_bytes(tokenizer, 4, &size), " ab", 3);
    assert_int_equal(size, 3);
    assert_memory_equal(tokenizer_bytes(tokenizer, 7, &size), "<s>", 3);
    tokenizer_bytes(tokenizer, 9, &size);
    assert_int_equal(size, 0);
    assert_true(tokenizer_is_special(tokenizer, 7));
    assert_false(tokenizer_is_special(tokenizer, 8));
    assert_false(tokenizer_is_special(tokenizer, 4000000));
    assert_true(tokenizer_id(tokenizer, "<tool>", &id));
    assert_int_equal(id, 8);
    assert_false(tokenizer_id(tokenizer, "<none>", &id));
    tokenizer_free(tokenizer);
}

static void special_tokens_are_text_in_plain_parts(void **state) {
    (void)state;
    struct tokenizer *tokenizer = small(SMALL);
    const struct text_part typed[] = {{"<s>a", 4, true}, {"b<s>", 4, false}, {"<s>", 3, true}};
    assert_parts(tokenizer, typed, 3, "7 3 7"); /* words reach across parts; < s > have no tokens here */
    const struct text_part straddling[] = {{"a<", 2, false}, {"s>", 2, true}, {"<s>", 3, true}};
    assert_parts(tokenizer, straddling, 3, "0 7");
    const struct text_part other[] = {{"<tool>", 6, false}}; /* not special: Hugging Face takes it anywhere */
    assert_parts(tokenizer, other, 1, "8");
    const struct text_part broken[] = {{"a\xc3", 2, false},
                                       {"\xa9"
                                        "b",
                                        2, true}}; /* not é: each part by itself */
    assert_parts(tokenizer, broken, 2, "0 1");
    tokenizer_free(tokenizer);
}

static void special_tokens_hide_nothing_in_normalized_text(void **state) {
    (void)state;
    struct tokenizer *tokenizer = small(
        TOKENIZER(MODEL(MERGES), "[{\"id\":7,\"content\":\"<s>\",\"special\":true,\"normalized\":true}]",
                  PRE_TOKENIZER(BYTE_LEVEL) ",\"normalizer\":{\"type\":\"NFC\"}"));
    const struct text_part typed[] = {{"<s>", 3, true}, {"a<s>", 4, false}, {"<s>b", 4, true}};
    assert_parts(tokenizer, typed, 3, "7 0 7 1");
    tokenizer_free(tokenizer);
}

static void templates_give_a_prefix(void **state) {
    (void)state;
#define TEMPLATE(single)                                                                                     \
    ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},"                   \
    "{\"type\":\"TemplateProcessing\",\"single\":[" single "],"                                              \
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[7]}}}]}"
#define BEGIN "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}}"
#define TEXT "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
    struct tokenizer *tokenizer =
        small(TOKENIZER(MODEL(MERGES), ADDED, PRE_TOKENIZER(BYTE_LEVEL) TEMPLATE(BEGIN "," TEXT)));
    size_t count;
    assert_int_equal(tokenizer_prefix(tokenizer, &count)[0], 7);
    assert_int_equal(count, 1);
    assert_text(tokenizer, "ab", "3");
    tokenizer_free(tokenizer);
}

/* ---- What is refused ---- */

static void assert_refused(const char *json, const char *words) {
    struct error error;
    struct tokenizer *tokenizer = tokenizer_new("m.qm", json, strlen(json), 9, &error);
    if (tokenizer)
        fail_msg("accepted, though %s", words);
    if (!strstr(error.text, words) || strncmp(error.text, "m.qm: ", 6) != 0)
        fail_msg("'%s' does not begin with the file's name or lacks '%s'", error.text, words);
}

/* Llama 2 puts a space before a text, and takes it away again. */
static void the_first_token_of_a_text_loses_its_space(void **state) {
    (void)state;
    json_t *golden = read_golden("llama2");
    struct tokenizer *tokenizer = tokenizer_of(json_object_get(golden, "tokenizer"));
    uint32_t id;
    size_t size;
    assert_true(tokenizer_id(tokenizer, "\u2581a", &id));
    assert_memory_equal(tokenizer_bytes(tokenizer, id, &size), " a", 2);
    assert_int_equal(size, 2);
    assert_memory_equal(tokenizer_first_bytes(tokenizer, id, &size), "a", 1);
    assert_int_equal(size, 1);
    assert_true(tokenizer_id(tokenizer, "<0x0A>", &id));
    assert_memory_equal(tokenizer_bytes(tokenizer, id, &size), "\n", 1);
    tokenizer_free(tokenizer);
    json_decref(golden);
}

static void tokens_behind_a_text_are_told(void **state) {
    (void)state;
    struct error error;
    size_t count;
    const char *json = TOKENIZER(MODEL(MERGES), ADDED, PRE_TOKENIZER(BYTE_LEVEL) TEMPLATE(TEXT "," BEGIN));
    struct tokenizer *tokenizer = tokenizer_new("x", json, strlen(json), MANY, &error);
    assert_non_null(tokenizer);
    tokenizer_prefix(tokenizer, &count);
    assert_int_equal(count, 0);
    tokenizer_suffix(tokenizer, &count);
    assert_int_equal(count, 1);
    tokenizer_free(tokenizer);
}

static void what_would_change_ids_is_refused_by_name(void **state) {
    (void)state;
#define PLAIN PRE_TOKENIZER(BYTE_LEVEL)
#define CHARSMAP(base64) ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" base64 "\"}"
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{", "line 1"},
        {"{}", "type ''"},
        {"[]", "malformed"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":[]}", "[]", PLAIN), "no vocabulary"},
        {TOKENIZER("{\"type\":\"WordPiece\",\"vocab\":[]}", "[]", PLAIN), "type 'WordPiece'"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":0}}", "[]", PLAIN), "no merges"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":9},\"merges\":[]}", "[]", PLAIN), "'a' has id 9"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}", "[]", PLAIN), "'a' has no id"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}", "[]", PLAIN),
         "'a' and 'b' both have id 0"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"\\u0061\":1},\"merges\":[]}", "[]", PLAIN),
         "'a' is in the vocabulary twice"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"\\ud800\":1},\"merges\":[]}", "[]", PLAIN),
         "line 1"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}", "[]", PLAIN), "malformed"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":0]},\"merges\":[]}", "[]", PLAIN), "line 1"},
        {TOKENIZER("{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"merges\":[]}", "[]", PLAIN),
         "duplicate"},
        {TOKENIZER(MODEL("\"merges\":[\"a b c\"]"), "[]", PLAIN), "merge 0"},
        {TOKENIZER(MODEL("\"merges\":[[\"a\"]]"), "[]", PLAIN), "merge 0"},
        {TOKENIZER(MODEL("\"merges\":[\"a b\",\"b b\"]"), "[]", PLAIN), "merge 1, 'b' with 'b'"},
        {TOKENIZER(MODEL(MERGES ",\"dropout\":0.1"), "[]", PLAIN), "dropout"},
        {TOKENIZER(MODEL(MERGES ",\"continuing_subword_prefix\":\"##\""), "[]", PLAIN), "'##'"},
        {TOKENIZER(MODEL(MERGES ",\"end_of_word_suffix\":\"</w>\""), "[]", PLAIN), "'</w>'"},
        {TOKENIZER(MODEL(MERGES), "[{\"id\":8,\"content\":\"<s>\"}]", PLAIN), "says id 8, but its place in"},
        {TOKENIZER(MODEL(MERGES), "[{\"id\":1,\"content\":\"a\"}]", PLAIN), "says id 1, but its place in"},
        {TOKENIZER(MODEL(MERGES), "[{\"id\":7}]", PLAIN), "added token 0 has no content"},
        {TOKENIZER(MODEL(MERGES), "[{\"id\":7,\"content\":\"<s>\"},{\"id\":7,\"content\":\"<s>\"}]", PLAIN),
         "the added tokens 7 and 7 are both '<s>'"},
        {TOKENIZER(MODEL(MERGES), ADDED, PRE_TOKENIZER("{\"type\":\"UnicodeScripts\"}")),
         "pre-tokenizer 'UnicodeScripts'"},
        {TOKENIZER(MODEL(MERGES), ADDED, PLAIN ",\"normalizer\":{\"type\":\"BertNormalizer\"}"),
         "normalizer 'BertNormalizer'"},
        {TOKENIZER(MODEL(MERGES), ADDED, PLAIN CHARSMAP("AA?A")), "precompiled_charsmap is not base64"},
        {TOKENIZER(MODEL(MERGES), ADDED, PLAIN CHARSMAP("AAQAAAA=")),
         "of 5 bytes says that its trie has 1024"},
        {TOKENIZER(MODEL(MERGES), ADDED, PLAIN ",\"post_processor\":{\"type\":\"RobertaProcessing\"}"),
         "'cls' of the post-processor RobertaProcessing"},
        {"{\"model\":" MODEL(MERGES) PLAIN ",\"decoder\":{\"type\":\"Metaspace\"}}",
         "'replacement' of the tokenizer's Metaspace"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].json, cases[i].words);
}

static void patterns_that_regex_engines_read_differently_are_shown(void **state) {
    (void)state;
#define PATTERN(pattern) TOKENIZER(MODEL(MERGES), ADDED, SPLIT(pattern))
    static const struct {
        const char *json, *words;
    } cases[] = {
        {PATTERN("a\\\\w"), "the pattern 'a\\w' has an escape at byte 1"},
        {PATTERN("\\\\bx"), "an escape at byte 0"},
        {PATTERN("^a"), "an anchor at byte 0"},
        {PATTERN("[a[b]]"), "a class within a class at byte 2"},
        {PATTERN("[a&&b]"), "an intersection"},
        {PATTERN("[]a]"), "an empty class"},
        {PATTERN("x[ab"), "a class without an end at byte 1"},
        {PATTERN("\\\\p{Han}"), "a property other than a general category"},
        {PATTERN("(?i:\\\\p{Lu})"), "a property within (?i:"},
        {PATTERN("(?m:a)"), "a group at byte 0"},
        {PATTERN("a{2}?"), "a repetition at byte 1"},
        {PATTERN("a{,2}"), "a repetition at byte 1"},
        {PATTERN("a+*"), "a repetition of a repetition"},
        {PATTERN("a\\\\"), "a backslash at the end"},
        {PATTERN("(a"), "does not compile"},
        {PATTERN("\\\\1"), "an escape"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].json, cases[i].words);
}

static void catastrophic_patterns_give_up(void **state) {
    (void)state;
    struct tokenizer *tokenizer = small(PATTERN("(?:a|aa)+(?=[xy])"));
    char text[64] = "";
    struct tokens tokens = {0};
    struct error error;
    memset(text, 'a', 60);
    assert_false(tokenizer_encode(tokenizer, text, 60, true, &tokens, &error));
    assert_non_null(strstr(error.text, "gave up at byte 0 of a text of 60"));
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
}

/* ---- Extremes ---- */

/* A quadratic step anywhere would take hours here. */
static void long_words_and_rows_of_marks_are_no_trouble(void **state) {
    enum { LENGTH = 3 << 20 };
    static const char *const units[] = {"aaa", "ab ", "   ", "\xcc\x81\xcc\x96", "<s ", "\xff\xff\xff"};
    (void)state;
    struct tokenizer *tokenizer = small(
        TOKENIZER(MODEL(MERGES), ADDED, PRE_TOKENIZER(BYTE_LEVEL) ",\"normalizer\":{\"type\":\"NFD\"}"));
    struct arena arena = {0};
    struct error error;
    char *text = ARENA_NEW(&arena, char, LENGTH, &error);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        struct tokens tokens = {0};
        size_t unit = strlen(units[u]);
        for (size_t i = 0; i < LENGTH; i++)
            text[i] = units[u][i % unit];
        assert_true(tokenizer_encode(tokenizer, text, LENGTH - LENGTH % unit, true, &tokens, &error));
        if (u == 0)
            assert_int_equal(tokens.count, LENGTH / 2);
        tokens_free(&tokens);
    }
    arena_free(&arena);
    tokenizer_free(tokenizer);
}

static bool make_and_use(struct error *error) {
    const char *json = TOKENIZER(MODEL(MERGES), ADDED, SPLIT("b") ",\"normalizer\":{\"type\":\"NFC\"}");
    struct tokenizer *tokenizer = tokenizer_new("small", json, strlen(json), MANY, error);
    struct tokens tokens = {0};
    bool good = tokenizer && tokenizer_encode(tokenizer, "ab \xcc\x96\xcc\x81\xf0\x9e\x97\x90 <s>\xff", 15,
                                              true, &tokens, error);
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
    return good;
}

static void each_lack_of_memory_is_a_sentence(void **state) {
    (void)state;
    size_t n = 0;
    bool good = false;
    while (!good) {
        struct error error = {""};
        memory_fail_at(++n);
        good = make_and_use(&error);
        memory_fail_at(0);
        assert_true(good || error.text[0]);
    }
    assert_true(n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_hugging_faces),
        cmocka_unit_test(merges_go_by_rank_then_place),
        cmocka_unit_test(tokens_have_bytes_and_texts),
        cmocka_unit_test(special_tokens_are_text_in_plain_parts),
        cmocka_unit_test(special_tokens_hide_nothing_in_normalized_text),
        cmocka_unit_test(templates_give_a_prefix),
        cmocka_unit_test(the_first_token_of_a_text_loses_its_space),
        cmocka_unit_test(tokens_behind_a_text_are_told),
        cmocka_unit_test(what_would_change_ids_is_refused_by_name),
        cmocka_unit_test(patterns_that_regex_engines_read_differently_are_shown),
        cmocka_unit_test(catastrophic_patterns_give_up),
        cmocka_unit_test(long_words_and_rows_of_marks_are_no_trouble),
        cmocka_unit_test(each_lack_of_memory_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
