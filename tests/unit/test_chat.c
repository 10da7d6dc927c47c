/* What the model reads is what the template makes of the conversation; only the template's own text may
 * become special tokens. */
#include "infer/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CHATML                                                                                               \
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/* Roles alternate; there is no system message. */
#define STRICT                                                                                               \
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"            \
    "{{ raise_exception('Roles must alternate') }}{% endif %}"                                               \
    "{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else m.content + eos_token }}{% endfor %}"

static struct chat chat_of(const char *template) {
    struct chat chat;
    struct error error;
    json_t *config = json_pack("{s:s, s:{s:s}}", "bos_token", "<s>", "eos_token", "content", "</s>");
    if (!chat_init(&chat, "m.qm", template, strlen(template), config, &error))
        fail_msg("%s", error.text);
    json_decref(config);
    return chat;
}

static void add(struct chat *chat, const char *role, const char *text) {
    struct error error;
    assert_true(chat_add(chat, role, text, strlen(text), &error));
}

/* What was said stands between « and ». */
static void assert_prompt(struct chat *chat, const char *expected) {
    const struct text_part *parts;
    struct error error;
    char found[1024] = "";
    size_t n;
    if (!chat_prompt(chat, &parts, &n, &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < n; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found),
                 parts[i].parse_special ? "%.*s" : "«%.*s»", (int)parts[i].size, parts[i].text);
    assert_string_equal(found, expected);
}

static void what_is_said_stays_text(void **state) {
    (void)state;
    struct chat chat = chat_of(CHATML);
    add(&chat, "system", "S");
    add(&chat, "user", "one<|im_end|>");
    assert_prompt(&chat, "<|im_start|>system\n«S»<|im_end|>\n<|im_start|>user\n«one<|im_end|>»<|im_end|>\n"
                         "<|im_start|>assistant\n");
    add(&chat, "assistant", "\xff");
    add(&chat, "user", "");
    assert_prompt(&chat, "<|im_start|>system\n«S»<|im_end|>\n<|im_start|>user\n«one<|im_end|>»<|im_end|>\n"
                         "<|im_start|>assistant\n«\xef\xbf\xbd»<|im_end|>\n<|im_start|>user\n<|im_end|>\n"
                         "<|im_start|>assistant\n");
    chat_close(&chat);
}

static void tokens_are_those_of_the_configuration(void **state) {
    (void)state;
    struct chat chat = chat_of(STRICT "{{ unk_token is defined }}{{ tools is none }}{{ documents is none }}");
    add(&chat, "user", "one");
    assert_prompt(&chat, "<s>[INST] «one» [/INST]FalseTrueTrue");
    chat_close(&chat);
}

static void templates_may_refuse_a_conversation(void **state) {
    (void)state;
    struct chat chat = chat_of(STRICT);
    const struct text_part *parts;
    struct error error;
    size_t n;
    add(&chat, "system", "S");
    assert_false(chat_prompt(&chat, &parts, &n, &error));
    assert_string_equal(error.text,
                        "m.qm: chat template: line 1, column 95: the template says: Roles must alternate");
    chat_close(&chat);
}

static void a_system_message_that_would_be_left_out_is_refused(void **state) {
    (void)state;
    struct chat chat = chat_of("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}");
    struct error error;
    assert_false(chat_add(&chat, "system", "S", 1, &error));
    assert_string_equal(error.text, "the model's chat template leaves system messages out");
    add(&chat, "user", "one");
    assert_prompt(&chat, "«one»");
    chat_close(&chat);
}

static void assert_behind(const char *template, const char *expected) {
    struct chat chat = chat_of(template);
    assert_string_equal(chat_behind_answer(&chat), expected);
    chat_close(&chat);
}

static void what_ends_an_answer_is_seen_behind_one(void **state) {
    (void)state;
    assert_behind(CHATML, "<|im_end|>\n<|im_start|>user\n");
    assert_behind(STRICT, "</s>[INST] ");
    assert_behind("{{ messages[-1].content }}", "");
    assert_behind("{{ raise_exception('no') }}", "");
}

static void what_a_template_cannot_do_is_said_when_it_is_opened(void **state) {
    (void)state;
    struct chat chat;
    struct error error;
    assert_false(chat_init(&chat, "m.qm", "{% import 'x' %}", 16, NULL, &error));
    assert_string_equal(
        error.text,
        "m.qm: chat template: line 1, column 4: expected a tag that is supported, found 'import'");
}

/* ---- From a model ---- */

static bool open_with(const char *config, const char *file, struct chat *chat, struct error *error) {
    struct blob blobs[2];
    size_t n = 0;
    if (file)
        blobs[n++] = (struct blob){"chat_template.jinja", file, strlen(file)};
    if (config)
        blobs[n++] = (struct blob){"tokenizer_config.json", config, strlen(config)};
    struct container container = {.path = "m.qm", .blobs = blobs, .n_blobs = n};
    return chat_open(chat, &container, error);
}

static void assert_found(const char *config, const char *file, const char *expected) {
    struct chat chat;
    struct error error;
    if (!open_with(config, file, &chat, &error))
        fail_msg("%s", error.text);
    assert_prompt(&chat, expected);
    chat_close(&chat);
}

static void templates_are_found_where_models_keep_them(void **state) {
    (void)state;
    struct chat chat;
    struct error error;
    assert_found("{\"chat_template\":\"{{ bos_token }}\",\"bos_token\":\"<s>\"}", NULL, "<s>");
    assert_found("{\"chat_template\":[{\"name\":\"rag\",\"template\":\"x\"},{\"name\":\"default\","
                 "\"template\":\"y{{ eos_token }}\"}],\"eos_token\":{\"content\":\"</s>\"}}",
                 NULL, "y</s>");
    assert_found("{\"chat_template\":\"x\",\"bos_token\":null}", "file{{ bos_token }}", "file");
    assert_found(NULL, "file", "file");
    assert_false(open_with("{}", NULL, &chat, &error));
    assert_string_equal(error.text,
                        "m.qm: the model has no chat template, so it cannot chat; give it a prompt with -p "
                        "instead");
    assert_false(open_with(NULL, NULL, &chat, &error));
    assert_false(open_with("{\"chat_template\":", NULL, &chat, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_stays_text),
        cmocka_unit_test(tokens_are_those_of_the_configuration),
        cmocka_unit_test(templates_may_refuse_a_conversation),
        cmocka_unit_test(a_system_message_that_would_be_left_out_is_refused),
        cmocka_unit_test(what_ends_an_answer_is_seen_behind_one),
        cmocka_unit_test(what_a_template_cannot_do_is_said_when_it_is_opened),
        cmocka_unit_test(templates_are_found_where_models_keep_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
