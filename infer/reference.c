#include "infer/reference.h"

#include "lib/json.h"

#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
    "",
    "Hello world",
    " one space before,  two within, one behind ",
    "I'm here, WE'RE there; they'll say \"it's\" 'tis; she'd've",
    "0 1 12 123 1234 1234567890 3.14159 -1,000,000 1e-5",
    "def f(x):\n\tif x > 1:\n\t\treturn [x ** 2, 'a']  # ok\n\n\n    return {}\r\n",
    "<div class=\"a\">&amp;</div> {\"k\": [1, 2]} a_b?c=d&e=%20#f",
    "   \t\t \n \n\n\n\r\n  x\t",
    "                                        y",
    "CamelCase snake_case SCREAMING kebab-case antidisestablishmentarianism",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ---------------- ==== !!!?",
    "naïve café Ångström ae\u0301o\u0308 ﬁ ½ Ａｂ ſ ㎏",
    "Привет, мир! Γειά σου Κόσμε",
    "漢字かな交じり文、中文，한국어 가\u1100\u1161",
    "שלום מְנֻקָּד مرحبا ١٢٣",
    "नमस्ते दुनिया สวัสดีชาวโลก",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ 😀",
    "\u00a0a\u2003b\u3000c\u200bd\u2028e\ufefff\x01g\x7f",
    "\u0301x \ufffd \U00010348 \U0001fae8 \U000e0041 \U0010fffd",
    "▁▁ <0x41> Ġ <s> </s> [INST] <|endoftext|> <unk>",
};

/* ---- Writing ---- */

static json_t *ids_as_json(const struct tokens *tokens) {
    json_t *ids = json_array();
    bool good = ids != NULL;
    for (size_t i = 0; good && i < tokens->count; i++)
        good = !json_array_append_new(ids, json_integer(tokens->ids[i]));
    if (good)
        return ids;
    json_decref(ids);
    return NULL;
}

static bool add_text(const struct tokenizer *tokenizer, const char *text, size_t size, json_t *tests,
                     struct error *error) {
    struct tokens tokens = {0};
    bool good = tokenizer_encode(tokenizer, text, size, true, &tokens, error);
    if (good) {
        json_t *ids = ids_as_json(&tokens);
        json_t *test = ids ? json_pack("{s:s%, s:o}", "text", text, size, "ids", ids) : NULL;
        good = !json_array_append_new(tests, test) || fail(error, "no memory for the tokenizer's tests");
    }
    tokens_free(&tokens);
    return good;
}

/* The first special tokens, written out with text around them. */
static bool write_special(const struct tokenizer *tokenizer, struct buffer *text, struct error *error) {
    static const char *const around[] = {"b ", " c", "\nd", ""};
    size_t count = 0, n_around = sizeof around / sizeof *around;
    if (!buffer_append(text, "a", 1, error))
        return false;
    for (uint32_t id = 0; id < tokenizer_size(tokenizer) && count < n_around; id++) {
        size_t size;
        const char *bytes = tokenizer_bytes(tokenizer, id, &size);
        if (!tokenizer_is_special(tokenizer, id))
            continue;
        if (!buffer_append(text, bytes, size, error) ||
            !buffer_append(text, around[count], strlen(around[count]), error))
            return false;
        count++;
    }
    return true;
}

static bool add_special(const struct tokenizer *tokenizer, json_t *tests, struct error *error) {
    struct buffer text = {0};
    bool good =
        write_special(tokenizer, &text, error) && add_text(tokenizer, text.data, text.size, tests, error);
    buffer_free(&text);
    return good;
}

static bool add_texts(const struct tokenizer *tokenizer, json_t *tests, struct error *error) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!add_text(tokenizer, texts[i], strlen(texts[i]), tests, error))
            return false;
    return add_special(tokenizer, tests, error);
}

bool reference_write(const struct tokenizer *tokenizer, struct buffer *to, struct error *error) {
    json_t *tests = json_array();
    bool good = tests ? add_texts(tokenizer, tests, error) && json_write(tests, to, error)
                      : fail(error, "no memory for the tokenizer's tests");
    json_decref(tests);
    return good;
}

bool reference_make(const struct container *container, uint64_t vocab_size, struct arena *arena,
                    const char **references, struct error *error) {
    struct buffer text = {0};
    *references = NULL;
    if (container_blob(container, REFERENCE_BLOB))
        return true;
    struct tokenizer *tokenizer = tokenizer_open(container, vocab_size, error);
    if (tokenizer && reference_write(tokenizer, &text, error))
        *references = arena_text(arena, text.data, text.size, error);
    tokenizer_free(tokenizer);
    buffer_free(&text);
    return *references != NULL;
}

/* ---- Checking ---- */

struct replay {
    const struct tokenizer *tokenizer;
    const char *name;
    size_t n_different;
    char first[512]; /* what differs in the first of these */
};

/* "token 318", or "none" behind the last. */
static void show_id(char shown[32], bool there, long long id) {
    snprintf(shown, 32, there ? "token %lld" : "none", id);
}

static void describe(struct replay *replay, const json_t *text, const json_t *ids, const struct tokens *found,
                     size_t place) {
    char theirs[32], ours[32];
    bool there = place < found->count;
    show_id(theirs, place < json_array_size(ids), json_integer_value(json_array_get(ids, place)));
    show_id(ours, there, there ? found->ids[place] : 0);
    snprintf(replay->first, sizeof replay->first, "%s, has %s at place %zu, here %s", json_show(text).text,
             theirs, place, ours);
}

static void compare(struct replay *replay, const json_t *text, const json_t *ids,
                    const struct tokens *found) {
    size_t place = 0;
    while (place < found->count &&
           json_integer_value(json_array_get(ids, place)) == (json_int_t)found->ids[place])
        place++;
    if (place == found->count && place == json_array_size(ids))
        return;
    if (replay->n_different++ == 0)
        describe(replay, text, ids, found, place);
}

static bool is_ids(const json_t *ids) {
    bool good = json_is_array(ids);
    for (size_t i = 0; good && i < json_array_size(ids); i++)
        good = json_is_integer(json_array_get(ids, i));
    return good;
}

static bool replay_test(struct replay *replay, const json_t *test, size_t i, struct error *error) {
    const json_t *text = json_object_get(test, "text"), *ids = json_object_get(test, "ids");
    struct tokens tokens = {0};
    if (!json_is_string(text) || !is_ids(ids))
        return fail(error, "%s: entry %zu of " REFERENCE_BLOB " is not a text and ids", replay->name, i);
    bool good = tokenizer_encode(replay->tokenizer, json_string_value(text), json_string_length(text), true,
                                 &tokens, error);
    if (good)
        compare(replay, text, ids, &tokens);
    tokens_free(&tokens);
    return good;
}

bool reference_check(const struct tokenizer *tokenizer, const char *name, const struct blob *blob,
                     size_t *count, struct error *error) {
    struct replay replay = {.tokenizer = tokenizer, .name = name};
    json_t *tests = json_read(name, blob->data, blob->size, error);
    bool good = tests && (json_is_array(tests) || fail(error, "%s: " REFERENCE_BLOB " is no list", name));
    *count = json_array_size(tests);
    for (size_t i = 0; good && i < *count; i++)
        good = replay_test(&replay, json_array_get(tests, i), i, error);
    json_decref(tests);
    if (good && replay.n_different > 0)
        return fail(error, "%s: %zu of %zu reference strings have other tokens here; the first, %s", name,
                    replay.n_different, *count, replay.first);
    return good;
}
