/* A tokenizer.json and, behind a NUL, a text. Whatever the two are, reading ends with a sentence or a
 * tokenizer, and encoding with a sentence or ids that the tokenizer knows. */
#include "infer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define VOCAB_SIZE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ids(const struct tokenizer *tokenizer, const struct tokens *tokens) {
    for (size_t i = 0; i < tokens->count; i++) {
        size_t n_bytes;
        tokenizer_bytes(tokenizer, tokens->ids[i], &n_bytes);
        if (tokens->ids[i] >= tokenizer_size(tokenizer))
            abort();
    }
}

static void encode(const struct tokenizer *tokenizer, const char *text, size_t size) {
    const struct text_part parts[] = {{text, size / 2, false}, {text + size / 2, size - size / 2, true}};
    struct tokens tokens = {0};
    struct error error = {""};
    if (tokenizer_encode_parts(tokenizer, parts, 2, &tokens, &error))
        check_ids(tokenizer, &tokens);
    else if (strlen(error.text) == 0)
        abort();
    tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t json_size = nul ? (size_t)(nul - data) : size;
    const char *text = (const char *)data + json_size;
    struct error error = {""};
    struct tokenizer *tokenizer = tokenizer_new("fuzz", (const char *)data, json_size, VOCAB_SIZE, &error);
    if (tokenizer)
        encode(tokenizer, text, size - json_size);
    else if (strlen(error.text) == 0)
        abort();
    tokenizer_free(tokenizer);
    return 0;
}
