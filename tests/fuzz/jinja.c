/* A chat template and, behind a NUL, what a user says, or a JSON object of variables. Whatever they are,
 * parsing ends with a sentence or a template, and rendering with a sentence or a text of well-formed UTF-8,
 * in bounded time and memory. What the user says never counts as the template's. */
#include "infer/jinja/jinja.h"
#include "infer/utf8.h"

#include <stdlib.h>
#include <string.h>

#define SECRET "\xf0\x9f\x90\x8c" /* said by the user; a template that has it itself proves nothing */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *variables_of(const char *text, size_t size) {
    struct error ignored;
    struct buffer said = {0};
    json_t *variables = json_read("fuzz", text, size, &ignored);
    if (!variables && utf8_repair(text, size, &said, &ignored))
        variables = json_pack("{s:[{s:s, s:s%}, {s:s, s:s}]}", "messages", "role", "user", "content",
                              said.size ? said.data : "", said.size, "role", "assistant", "content", SECRET);
    buffer_free(&said);
    return variables;
}

static void check(const struct jinja_output *output, bool secret) {
    const char *at = output->text;
    if (utf8_well_formed(output->text, output->size) < output->size)
        abort();
    for (size_t i = 0; i < output->size; i++)
        if (output->outside[i] != 0 && output->outside[i] != 1)
            abort();
    while (secret && (at = memmem(at, output->size - (size_t)(at - output->text), SECRET, 4)) != NULL)
        if (!output->outside[at++ - output->text])
            abort();
}

static void render(const struct jinja_template *template, const char *text, size_t size, bool secret) {
    json_t *own = json_pack("{s:s, s:s, s:b, s:n}", "bos_token", "<s>", "eos_token", "</s>",
                            "add_generation_prompt", true, "tools");
    json_t *outside = variables_of(text, size);
    struct tm now = {.tm_year = 125, .tm_mday = 1};
    struct jinja_input input = {own, outside, &now};
    struct jinja_output output;
    struct arena arena = {0};
    struct error error = {""};
    if (own && json_is_object(outside)) {
        if (jinja_render(template, &input, &output, &arena, &error))
            check(&output, secret);
        else if (strlen(error.text) == 0)
            abort();
    }
    arena_free(&arena);
    json_decref(outside);
    json_decref(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t template_size = nul ? (size_t)(nul - data) : size, behind = template_size + (nul != NULL);
    bool secret = !memmem(data, size, &SECRET[1], 3) && !memmem(data, size, "\\", 1);
    struct arena arena = {0};
    struct error error = {""};
    const struct jinja_template *template =
        jinja_parse("fuzz", (const char *)data, template_size, &arena, &error);
    if (template)
        render(template, (const char *)data + behind, size - behind, secret);
    else if (strlen(error.text) == 0)
        abort();
    arena_free(&arena);
    return 0;
}
