#include "infer/tokenizer.h"

struct tokenizer *tokenizer_open(const struct container *container, uint64_t vocab_size,
                                 struct error *error) {
    const struct blob *json = container_blob(container, "tokenizer.json");
    if (json)
        return tokenizer_new(container->path, json->data, json->size, vocab_size, error);
    fail(error, "%s: comes without tokenizer.json", container->files[0].path);
    return NULL;
}
