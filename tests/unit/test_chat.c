/* A template's marks tell its form, and turns come out as the template would write them. */
#include "infer/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Marks stand in a template as they do in published ones; the logic between them is not looked at. */
#define CHATML                                                                                               \
    "{% for m in messages %}{{'<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n'}}{% "       \
    "endfor %}"
#define LLAMA3                                                                                               \
    "{{'<|start_header_id|>' + m.role + '<|end_header_id|>' + m.content | trim + '<|eot_id|>'}} bos_token "

static struct chat chat_of(const char *template, struct arena *arena) {
    struct chat chat;
    struct error error;
    if (!chat_init(&chat, "m.qm", template, "<s>", "</s>", arena, &error))
        fail_msg("%s", error.text);
    return chat;
}

/* Parts of the user's own stand between « and ». */
static void add_turn(struct chat *chat, const char *system, const char *user, char *out, size_t room) {
    struct text_part parts[CHAT_MAX_PARTS];
    struct error error;
    size_t n;
    if (!chat_turn(chat, system, user, parts, &n, &error))
        fail_msg("%s", error.text);
    assert_in_range(n, 1, CHAT_MAX_PARTS);
    for (size_t i = 0; i < n; i++)
        snprintf(out + strlen(out), room - strlen(out), parts[i].parse_special ? "%.*s" : "«%.*s»",
                 (int)parts[i].size, parts[i].text);
}

static void assert_turns(const char *template, const char *name, const char *system, const char *stop,
                         const char *expected) {
    struct arena arena = {0};
    struct chat chat = chat_of(template, &arena);
    char found[2048] = "";
    assert_string_equal(chat_form_name(&chat), name);
    assert_string_equal(chat_stop(&chat), stop);
    add_turn(&chat, system, " one\n", found, sizeof found);
    snprintf(found + strlen(found), sizeof found - strlen(found), "ANSWER");
    add_turn(&chat, system, "two", found, sizeof found);
    assert_string_equal(found, expected);
    arena_free(&arena);
}

static void forms_are_told_by_their_marks(void **state) {
    (void)state;
    assert_turns(CHATML, "ChatML", NULL, "<|im_end|>",
                 "<|im_start|>user\n« one\n»<|im_end|>\n<|im_start|>assistant\nANSWER<|im_end|>\n"
                 "<|im_start|>user\n«two»<|im_end|>\n<|im_start|>assistant\n");
    assert_turns("{{ bos_token }}" CHATML, "ChatML", "S", "<|im_end|>",
                 "<s><|im_start|>system\n«S»<|im_end|>\n<|im_start|>user\n« one\n»<|im_end|>\n"
                 "<|im_start|>assistant\nANSWER<|im_end|>\n"
                 "<|im_start|>user\n«two»<|im_end|>\n<|im_start|>assistant\n");
    assert_turns("'<|im_start|>user<|im_sep|>' + '<|im_end|>'", "Phi-4", NULL, "<|im_end|>",
                 "<|im_start|>user<|im_sep|>« one\n»<|im_end|><|im_start|>assistant<|im_sep|>ANSWER<|im_end|>"
                 "<|im_start|>user<|im_sep|>«two»<|im_end|><|im_start|>assistant<|im_sep|>");
    assert_turns(LLAMA3, "Llama 3", "S", "<|eot_id|>",
                 "<s><|start_header_id|>system<|end_header_id|>\n\n«S»<|eot_id|>"
                 "<|start_header_id|>user<|end_header_id|>\n\n«one»<|eot_id|>"
                 "<|start_header_id|>assistant<|end_header_id|>\n\nANSWER<|eot_id|>"
                 "<|start_header_id|>user<|end_header_id|>\n\n«two»<|eot_id|>"
                 "<|start_header_id|>assistant<|end_header_id|>\n\n");
    assert_turns(LLAMA3 "\"Cutting Knowledge Date: December 2023\\n\" \"26 Jul 2024\"", "Llama 3.1", NULL,
                 "<|eot_id|>",
                 "<s><|start_header_id|>system<|end_header_id|>\n\n"
                 "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
                 "<|start_header_id|>user<|end_header_id|>\n\n«one»<|eot_id|>"
                 "<|start_header_id|>assistant<|end_header_id|>\n\nANSWER<|eot_id|>"
                 "<|start_header_id|>user<|end_header_id|>\n\n«two»<|eot_id|>"
                 "<|start_header_id|>assistant<|end_header_id|>\n\n");
    assert_turns("bos_token '<start_of_turn>' + role + '<end_of_turn>\\n'", "Gemma", NULL, "<end_of_turn>",
                 "<s><start_of_turn>user\n«one»<end_of_turn>\n<start_of_turn>model\nANSWER<end_of_turn>\n"
                 "<start_of_turn>user\n«two»<end_of_turn>\n<start_of_turn>model\n");
    assert_turns("bos_token first_user_prefix '<start_of_turn>' + role + '<end_of_turn>\\n'", "Gemma 3", "S",
                 "<end_of_turn>",
                 "<s><start_of_turn>user\n«S»\n\n«one»<end_of_turn>\n<start_of_turn>model\nANSWER"
                 "<end_of_turn>\n<start_of_turn>user\n«two»<end_of_turn>\n<start_of_turn>model\n");
    assert_turns("bos_token + '[INST] ' + content.strip() + ' [/INST]' '<<SYS>>\\n' eos_token", "Llama 2",
                 "S", "</s>",
                 "<s>[INST] <<SYS>>\n«S»\n<</SYS>>\n\n« one» [/INST]ANSWER </s><s>[INST] «two» [/INST]");
    assert_turns("bos_token '[INST] ' + content + ' [/INST]' content + eos_token + ' '", "Mistral v0.1", NULL,
                 "</s>", "<s>[INST] « one\n» [/INST]ANSWER</s> [INST] «two» [/INST]");
    assert_turns("bos_token '[INST] ' + content + ' [/INST]' content + eos_token", "Mistral v0.2", NULL,
                 "</s>", "<s>[INST] « one\n» [/INST]ANSWER</s>[INST] «two» [/INST]");
    assert_turns("bos_token '[INST] ' + content + '[/INST]' content + eos_token", "Mistral v0.3", NULL,
                 "</s>", "<s>[INST] « one\n»[/INST]ANSWER</s>[INST] «two»[/INST]");
    assert_turns("bos_token \"[INST]\" system_message \"[/INST]\" eos_token", "Mistral Nemo", "S", "</s>",
                 "<s>[INST]«S»\n\n« one\n»[/INST]ANSWER</s>[INST]«two»[/INST]");
    assert_turns("'<|system|>\\n' '<|user|>\\n' '<|end|>\\n' '<|assistant|>\\n'", "Phi-3.5", "S", "<|end|>",
                 "<|system|>\n«S»<|end|>\n<|user|>\n« one\n»<|end|>\n<|assistant|>\nANSWER<|end|>\n"
                 "<|user|>\n«two»<|end|>\n<|assistant|>\n");
    assert_turns("'<|' + message['role'] + '|>' + message['content'] + '<|end|>'", "Phi-4-mini", NULL,
                 "<|end|>",
                 "<|user|>« one\n»<|end|><|assistant|>ANSWER<|end|><|user|>«two»<|end|><|assistant|>");
}

static void a_system_message_in_the_template_is_the_default(void **state) {
    (void)state;
    static const char with_default[] = "'<|im_start|>system\\n' + m.content {{ '<|im_start|>system\\n"
                                       "You\\\\I, a helpful\\nassistant.<|im_end|>\\n' }}" CHATML;
    struct arena arena = {0};
    struct chat chat = chat_of(with_default, &arena);
    assert_string_equal(chat.default_system, "You\\I, a helpful\nassistant.");
    chat = chat_of("{{- '<|im_start|>system\\n' + content + '<|im_end|>\\n' }}" CHATML, &arena);
    assert_null(chat.default_system);
    arena_free(&arena);
}

static void assert_unsupported(const char *template) {
    struct arena arena = {0};
    struct chat chat;
    struct error error;
    assert_false(chat_init(&chat, "m.qm", template, "", "", &arena, &error));
    assert_memory_equal(error.text, "m.qm: the chat template is of no supported form; it begins '", 58);
    arena_free(&arena);
}

static void other_templates_are_said_to_be_unsupported(void **state) {
    (void)state;
    assert_unsupported("");
    assert_unsupported("{{ '<|START_OF_TURN_TOKEN|>' }}");
    assert_unsupported("<|user|> <|assistant|>");
    assert_unsupported(CHATML
                       "{{ '<|im_start|>assistant\\n<think>\\n' }}"); /* the answer has a head of its own */
    assert_unsupported(CHATML "{{ strftime_now('%d') }}");
}

static void a_form_without_a_system_message_refuses_one(void **state) {
    (void)state;
    struct arena arena = {0};
    struct chat chat = chat_of("'<start_of_turn>' '<end_of_turn>'", &arena);
    struct text_part parts[CHAT_MAX_PARTS];
    struct error error;
    size_t n;
    assert_false(chat_turn(&chat, "S", "one", parts, &n, &error));
    assert_string_equal(error.text, "the model's chat template (Gemma) takes no system message");
    arena_free(&arena);
}

/* ---- From a model ---- */

static bool open_with(const char *config, const char *file, struct chat *chat, struct arena *arena,
                      struct error *error) {
    struct blob blobs[2];
    size_t n = 0;
    if (file)
        blobs[n++] = (struct blob){"chat_template.jinja", file, strlen(file)};
    if (config)
        blobs[n++] = (struct blob){"tokenizer_config.json", config, strlen(config)};
    struct container container = {.path = "m.qm", .blobs = blobs, .n_blobs = n};
    return chat_open(chat, &container, arena, error);
}

static void templates_are_found_where_models_keep_them(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    struct chat chat;
    assert_true(open_with("{\"chat_template\":\"<|im_start|><|im_end|> bos_token\",\"bos_token\":\"<s>\"}",
                          NULL, &chat, &arena, &error));
    assert_string_equal(chat.bos, "<s>");
    assert_true(open_with("{\"chat_template\":[{\"name\":\"rag\",\"template\":\"x\"},{\"name\":\"default\","
                          "\"template\":\"'[INST] ' '[/INST]'\"}],\"eos_token\":{\"content\":\"</s>\"}}",
                          NULL, &chat, &arena, &error));
    assert_string_equal(chat_stop(&chat), "</s>");
    assert_true(open_with("{\"bos_token\":null}", "<start_of_turn><end_of_turn>", &chat, &arena, &error));
    assert_string_equal(chat_form_name(&chat), "Gemma");
    assert_true(open_with(NULL, "<|im_start|><|im_end|>", &chat, &arena, &error));
    assert_false(open_with("{}", NULL, &chat, &arena, &error));
    assert_non_null(strstr(error.text, "m.qm: the model has no chat template"));
    assert_false(open_with(NULL, NULL, &chat, &arena, &error));
    assert_false(open_with("{\"chat_template\":", NULL, &chat, &arena, &error));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_told_by_their_marks),
        cmocka_unit_test(a_system_message_in_the_template_is_the_default),
        cmocka_unit_test(other_templates_are_said_to_be_unsupported),
        cmocka_unit_test(a_form_without_a_system_message_refuses_one),
        cmocka_unit_test(templates_are_found_where_models_keep_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
