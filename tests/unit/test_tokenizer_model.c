/* tokenizer.model: ids are those of SentencePiece's library (tests/golden/tokenizer_model, made by
 * tests/differential/tokenizer_model.py), what stands beside the file counts, and what is wrong is named. */
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

/* ---- Opening ---- */

struct files {
    const char *model;
    size_t model_size;
    const char *config, *special_tokens, *added_tokens; /* NULL where there is none */
};

static struct tokenizer *open_files(const struct files *files, uint64_t vocab_size, struct error *error) {
    const struct {
        const char *name, *data;
        size_t size;
    } all[] = {
        {"added_tokens.json", files->added_tokens, files->added_tokens ? strlen(files->added_tokens) : 0},
        {"special_tokens_map.json", files->special_tokens,
         files->special_tokens ? strlen(files->special_tokens) : 0},
        {"tokenizer.model", files->model, files->model_size},
        {"tokenizer_config.json", files->config, files->config ? strlen(files->config) : 0},
    };
    struct blob blobs[4];
    struct container container = {.path = "m.qm", .blobs = blobs};
    for (size_t i = 0; i < 4; i++)
        if (all[i].data)
            blobs[container.n_blobs++] = (struct blob){all[i].name, all[i].data, all[i].size};
    return tokenizer_open(&container, vocab_size, error);
}

static struct tokenizer *open_good(const struct files *files) {
    struct error error;
    struct tokenizer *tokenizer = open_files(files, MANY, &error);
    if (!tokenizer)
        fail_msg("%s", error.text);
    return tokenizer;
}

/* ---- Golden files ---- */

static struct files golden(const char *name, struct arena *arena) {
    struct files files = {0};
    struct error error;
    char path[128], *data;
    snprintf(path, sizeof path, "tests/golden/tokenizer_model/%s.model", name);
    if (!file_read_all(path, 1 << 20, arena, &data, &files.model_size, &error))
        fail_msg("%s", error.text);
    files.model = data;
    return files;
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

static void check_case(const struct tokenizer *tokenizer, const char *name, const json_t *test) {
    const char *hex = json_string_value(json_object_get(test, "hex"));
    const json_t *expected = json_object_get(test, "ids");
    struct tokens tokens = {0};
    struct error error;
    char bytes[1024];
    assert_true(tokenizer_encode(tokenizer, bytes, from_hex(hex, bytes), false, &tokens, &error));
    bool same = tokens.count == json_array_size(expected);
    for (size_t i = 0; i < tokens.count && same; i++)
        same = tokens.ids[i] == (uint32_t)json_integer_value(json_array_get(expected, i));
    if (!same)
        fail_msg("%s: other ids for the bytes %s", name, hex);
    tokens_free(&tokens);
}

static const char *const names[] = {"llama", "symbols", "behind", "unigram"};
#define N_NAMES (sizeof names / sizeof *names)

static void ids_are_sentencepieces(void **state) {
    (void)state;
    for (size_t n = 0; n < N_NAMES; n++) {
        struct arena arena = {0};
        struct files files = golden(names[n], &arena);
        struct tokenizer *tokenizer = open_good(&files);
        struct error error;
        char path[128];
        snprintf(path, sizeof path, "tests/golden/tokenizer_model/%s.json", names[n]);
        json_t *cases = json_read_file(path, &error), *test;
        size_t i;
        json_array_foreach(cases, i, test) check_case(tokenizer, names[n], test);
        assert_true(i > 25);
        json_decref(cases);
        tokenizer_free(tokenizer);
        arena_free(&arena);
    }
}

/* A quadratic step anywhere would take hours here. */
static void one_letter_is_no_trouble(void **state) {
    enum { LENGTH = 4 << 20 };
    (void)state;
    struct arena arena = {0};
    struct error error;
    char *text = ARENA_NEW(&arena, char, LENGTH, &error);
    memset(text, 'e', LENGTH);
    for (size_t n = 0; n < N_NAMES; n++) {
        struct files files = golden(names[n], &arena);
        struct tokenizer *tokenizer = open_good(&files);
        struct tokens tokens = {0};
        assert_true(tokenizer_encode(tokenizer, text, LENGTH, true, &tokens, &error));
        assert_true(tokens.count > 1000);
        tokens_free(&tokens);
        tokenizer_free(tokenizer);
    }
    arena_free(&arena);
}

/* ---- Models small enough to write down ---- */

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };
enum { UNIGRAM = 1, BPE, WORD };

struct made {
    char bytes[8192];
    size_t size;
};

static void put(struct made *made, const void *bytes, size_t size) {
    assert_true(size <= sizeof made->bytes - made->size);
    memcpy(made->bytes + made->size, bytes, size);
    made->size += size;
}

static void put_byte(struct made *made, size_t byte) {
    put(made, &(char){(char)byte}, 1);
}

/* A field of a message; messages here are shorter than 128 bytes. */
static void put_message(struct made *made, size_t field, const struct made *message) {
    put_byte(made, field << 3 | 2);
    put_byte(made, message->size);
    put(made, message->bytes, message->size);
}

static void put_piece(struct made *made, const char *text, float score, size_t type) {
    struct made piece = {.size = 0}, spelled = {.size = 0};
    put(&spelled, text, strlen(text));
    put_message(&piece, 1, &spelled);
    put_byte(&piece, 2 << 3 | 5);
    put(&piece, &score, 4); /* on a little-endian machine */
    put_byte(&piece, 3 << 3 | 0);
    put_byte(&piece, type);
    put_message(made, 1, &piece);
}

static void put_kind(struct made *made, size_t kind) {
    struct made training = {.size = 0};
    put_byte(&training, 3 << 3 | 0);
    put_byte(&training, kind);
    put_message(made, 2, &training);
}

#define MARK "\xe2\x96\x81"

/* <unk> 0, <s> 1, </s> 2, MARK 3, a 4, b 5, ab 6, MARKa 7, [X] 8 */
static struct made example(size_t kind) {
    struct made made = {.size = 0};
    put_piece(&made, "<unk>", 0, UNKNOWN);
    put_piece(&made, "<s>", 0, CONTROL);
    put_piece(&made, "</s>", 0, CONTROL);
    put_piece(&made, MARK, -1, NORMAL);
    put_piece(&made, "a", -2, NORMAL);
    put_piece(&made, "b", -3, NORMAL);
    put_piece(&made, "ab", -1.5f, NORMAL);
    put_piece(&made, MARK "a", -2.5f, NORMAL);
    put_piece(&made, "[X]", 0, USER_DEFINED);
    put_kind(&made, kind);
    return made;
}

static void show(const struct tokens *tokens, char found[256]) {
    found[0] = '\0';
    for (size_t i = 0; i < tokens->count; i++)
        snprintf(found + strlen(found), 256 - strlen(found), i ? " %u" : "%u", tokens->ids[i]);
}

static void assert_text(const struct files *files, const char *text, const char *expected) {
    struct tokenizer *tokenizer = open_good(files);
    struct tokens tokens = {0};
    struct error error;
    char found[256];
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), true, &tokens, &error));
    show(&tokens, found);
    assert_string_equal(found, expected);
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
}

static void merges_go_by_score(void **state) {
    (void)state;
    struct made made = example(BPE);
    struct files files = {.model = made.bytes, .model_size = made.size};
    assert_text(&files, "ab", "3 6"); /* ab before MARKa */
    assert_text(&files, "aab", "7 6");
    assert_text(&files, "a[X]b", "7 8 5");
    assert_text(&files, "acca", "7 0 4"); /* one <unk> for a row */
    assert_text(&files, "", "");
    assert_text(&files, "<s>a</s>", "1 7 2");
}

static void the_best_sum_wins(void **state) {
    (void)state;
    struct made made = example(UNIGRAM);
    struct files files = {.model = made.bytes, .model_size = made.size};
    assert_text(&files, "ab", "3 6");
    assert_text(&files, "aba", "3 6 4");
    assert_text(&files, "a[X]b", "7 8 5");
    assert_text(&files, "acca", "7 0 4");
}

/* ---- What stands beside the model ---- */

static void configurations_say_where_spaces_go(void **state) {
    (void)state;
    struct made made = example(BPE);
    struct files files = {.model = made.bytes, .model_size = made.size};
    files.config = "{\"legacy\":true}";
    assert_text(&files, "a<s>a", "7 1 7");
    files.config = "{\"legacy\":false}";
    assert_text(&files, "a<s>a", "7 1 4");
    assert_text(&files, "<s>a", "1 4");
    files.config = "{\"add_prefix_space\":false}";
    assert_text(&files, "a<s>a", "4 1 4");
}

static void assert_ends(const struct files *files, uint32_t n_prefix, uint32_t n_suffix) {
    struct tokenizer *tokenizer = open_good(files);
    size_t count;
    const uint32_t *ids = tokenizer_prefix(tokenizer, &count);
    assert_int_equal(count, n_prefix);
    assert_true(count == 0 || ids[0] == 1);
    ids = tokenizer_suffix(tokenizer, &count);
    assert_int_equal(count, n_suffix);
    assert_true(count == 0 || ids[0] == 2);
    tokenizer_free(tokenizer);
}

static void configurations_say_what_stands_before_and_behind(void **state) {
    (void)state;
    struct made made = example(BPE);
    struct files files = {.model = made.bytes, .model_size = made.size};
    assert_ends(&files, 1, 0);
    files.config = "{\"add_bos_token\":false,\"add_eos_token\":true}";
    assert_ends(&files, 0, 1);
    files.config = "{\"bos_token\":null}";
    assert_ends(&files, 0, 0);
}

static void tokens_are_added_by_each_file(void **state) {
    (void)state;
    struct made made = example(BPE);
    struct files files = {.model = made.bytes, .model_size = made.size};
    files.added_tokens = "{\"<x>\":9}";
    assert_text(&files, "a<x>a", "7 9 7");
    files.special_tokens = "{\"pad_token\":{\"content\":\"<x>\",\"single_word\":true}}";
    assert_text(&files, "a<x>a", "7 0 4");
    files.special_tokens = "{\"pad_token\":\"<y>\"}"; /* without an id: the next one */
    assert_text(&files, "a<x><y>", "7 9 10");
    files.config = "{\"added_tokens_decoder\":{\"9\":{\"content\":\"<z>\",\"special\":true}}}";
    assert_text(&files, "a<z><y>", "7 9 10");
}

/* ---- What is refused ---- */

static void assert_refused(const struct files *files, const char *sentence) {
    struct error error;
    struct tokenizer *tokenizer = open_files(files, 16, &error);
    if (tokenizer)
        fail_msg("accepted, though: %s", sentence);
    assert_string_equal(error.text, sentence);
}

static void refuse_bytes(const void *bytes, size_t size, const char *sentence) {
    struct files files = {.model = bytes, .model_size = size};
    assert_refused(&files, sentence);
}

#define NAME "m.qm: tokenizer.model: "

static void messages_that_are_malformed_are_placed(void **state) {
    (void)state;
#define BYTES(text) text, sizeof text - 1
    refuse_bytes(BYTES(""), NAME "has 0 pieces, expected 1 to 16777216");
    refuse_bytes(BYTES("\x80"), NAME "byte 0 begins a number that does not end");
    refuse_bytes(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                 NAME "byte 1 begins a number that does not end");
    refuse_bytes(BYTES("\x0a\x05"), NAME "field 1 has 5 bytes at 2, beyond its message, which ends at 2");
    refuse_bytes(BYTES("\x0a\x02\x15\x00"),
                 NAME "a number of 4 bytes at 3 goes beyond its message, which ends at 4");
    refuse_bytes(BYTES("\x00\x00"), NAME "byte 0 begins field 0, there is none of that number");
    refuse_bytes(BYTES("\x23"), NAME "field 4 at byte 0 is of wire type 3, which is not supported");
    refuse_bytes(BYTES("\x08\x01"), NAME "field 1 is no message");
    refuse_bytes(BYTES("\x0a\x02\x08\x01"), NAME "field 1 at byte 2 is of wire type 0, expected 2");
}

static void refuse_with(const char *text, float score, size_t type, size_t kind, const char *sentence) {
    struct made made = example(kind);
    put_piece(&made, text, score, type);
    refuse_bytes(made.bytes, made.size, sentence);
}

static void pieces_that_make_no_model_are_named(void **state) {
    (void)state;
    refuse_with("c", 0, NORMAL, WORD, NAME "a model of type WORD is not supported, only BPE and UNIGRAM are");
    refuse_with("c", 0, NORMAL, 7, NAME "is a model of type 7, expected 1 to 4");
    refuse_with("", 0, NORMAL, BPE, NAME "piece 9 has 0 bytes, expected 1 to 1024");
    refuse_with("\xff", 0, NORMAL, BPE, NAME "piece 9 is not UTF-8 without NUL");
    refuse_with("c", 0, 9, BPE, NAME "piece 9, 'c', is of type 9, expected 1 to 6");
    refuse_with("c", (float)(1e38 * 1e38), NORMAL, BPE, NAME "piece 9, 'c', has a score that is no number");
    refuse_with("a", 0, NORMAL, BPE, NAME "the pieces 4 and 9 are both 'a'");
    refuse_with("c", 0, UNKNOWN, BPE, NAME "the pieces 0 and 9 are both of the type for what is unknown");
    refuse_with("<0x00>", 0, BYTE, BPE, NAME "has pieces for 1 bytes, but no byte_fallback");
    refuse_with("ba", 0, UNUSED, BPE,
                NAME "the piece 'ba' is unused, but merges make it, which is not supported");
    refuse_with("ac", 0, NORMAL, BPE,
                NAME "the piece 'ac' has a character that is no piece, which is not supported");
}

static void files_beside_it_are_checked(void **state) {
    (void)state;
    struct made made = example(BPE);
    struct files files = {.model = made.bytes, .model_size = made.size};
    files.config = "[]";
    assert_refused(&files, "m.qm: tokenizer_config.json: is no object");
    files.config = "{\"added_tokens_decoder\":{\"x\":{\"content\":\"<z>\"}}}";
    assert_refused(&files, "m.qm: 'x' among the added_tokens_decoder is no id");
    files.config = "{\"added_tokens_decoder\":{\"9\":{}}}";
    assert_refused(&files, "m.qm: the added token 9 has no content");
    files.config = "{\"added_tokens_decoder\":{\"17\":{\"content\":\"<z>\"}}}";
    assert_refused(&files, "m.qm: the token '<z>' has id 17, the model's vocabulary ends at 16");
    files.config = NULL;
    files.added_tokens = "{\"<x>\":-1}";
    assert_refused(&files, "m.qm: '<x>' of added_tokens.json has no id");
}

/* ---- Lack of memory ---- */

static bool make_and_use(const struct files *files, struct error *error) {
    struct tokenizer *tokenizer = open_files(files, MANY, error);
    struct tokens tokens = {0};
    bool good = tokenizer && tokenizer_encode(tokenizer, "ab  c<x>", 8, true, &tokens, error);
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
    return good;
}

static void each_lack_of_memory_is_a_sentence(void **state) {
    (void)state;
    for (size_t kind = UNIGRAM; kind <= BPE; kind++) {
        struct made made = example(kind);
        struct files files = {
            .model = made.bytes, .model_size = made.size, .added_tokens = "{\"<x>\":9}", .config = "{}"};
        size_t n = 0;
        for (bool good = false; !good;) {
            struct error error = {""};
            memory_fail_at(++n);
            good = make_and_use(&files, &error);
            memory_fail_at(0);
            assert_true(good || error.text[0]);
        }
        assert_true(n > 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_sentencepieces),
        cmocka_unit_test(one_letter_is_no_trouble),
        cmocka_unit_test(merges_go_by_score),
        cmocka_unit_test(the_best_sum_wins),
        cmocka_unit_test(configurations_say_where_spaces_go),
        cmocka_unit_test(configurations_say_what_stands_before_and_behind),
        cmocka_unit_test(tokens_are_added_by_each_file),
        cmocka_unit_test(messages_that_are_malformed_are_placed),
        cmocka_unit_test(pieces_that_make_no_model_are_named),
        cmocka_unit_test(files_beside_it_are_checked),
        cmocka_unit_test(each_lack_of_memory_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
