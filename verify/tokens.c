#include "infer/reference.h"
#include "verify/checks.h"

size_t check_tokens(const struct import *model, struct findings *findings) {
    const struct container *container = &model->container;
    const struct blob *blob = container_blob(container, REFERENCE_BLOB);
    struct error error;
    size_t count = 0;
    if (!blob)
        return 0;
    struct tokenizer *tokenizer = tokenizer_open(container, model->config.vocab_size, &error);
    if (!tokenizer || !reference_check(tokenizer, container->path, blob, &count, &error))
        found(findings, error.text);
    tokenizer_free(tokenizer);
    return count;
}
