/* A byte that picks a tokenizer_config.json, and a tokenizer.model, whose bytes are the text too. Whatever it
 * is, reading ends with a sentence or a tokenizer, and encoding with a sentence or ids that the tokenizer
 * knows. */
#include "infer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define VOCAB_SIZE 4096
#define TEXT_LIMIT 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct tokenizer *tokenizer, const char *text, size_t size) {
    const struct text_part parts[] = {{"<s>a  b ", 8, true}, {text, size, false}};
    struct tokens tokens = {0};
    struct error error = {""};
    bool good = tokenizer_encode_parts(tokenizer, parts, 2, &tokens, &error);
    if (!good && strlen(error.text) == 0)
        abort();
    for (size_t i = 0; i < tokens.count; i++)
        if (tokens.ids[i] >= tokenizer_size(tokenizer))
            abort();
    tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const configs[] = {
        "{}", "{\"legacy\":false}",
        "{\"added_tokens_decoder\":{\"9\":{\"content\":\"a \",\"lstrip\":true}},\"pad_token\":\"<x>\"}"};
    if (size == 0)
        return 0;
    const char *config = configs[data[0] % 3], *model = (const char *)data + 1;
    struct blob blobs[] = {{"tokenizer.model", model, size - 1},
                           {"tokenizer_config.json", config, strlen(config)}};
    struct container container = {.path = "fuzz", .blobs = blobs, .n_blobs = 2};
    struct error error = {""};
    struct tokenizer *tokenizer = tokenizer_open(&container, VOCAB_SIZE, &error);
    if (tokenizer)
        encode(tokenizer, model, size - 1 < TEXT_LIMIT ? size - 1 : TEXT_LIMIT);
    else if (strlen(error.text) == 0)
        abort();
    tokenizer_free(tokenizer);
    return 0;
}
