#include "infer/tokenizer.h"
#include "infer/tokenizer/sentencepiece.h"

static struct span blob_span(const struct container *container, const char *name) {
    const struct blob *blob = container_blob(container, name);
    return blob ? (struct span){blob->data, blob->size} : (struct span){0};
}

static struct tokenizer *from_sentencepiece(const struct container *container, uint64_t vocab_size,
                                            struct error *error) {
    const struct sentencepiece_files files = {
        .model = blob_span(container, "tokenizer.model"),
        .config = blob_span(container, "tokenizer_config.json"),
        .special_tokens = blob_span(container, "special_tokens_map.json"),
        .added_tokens = blob_span(container, "added_tokens.json"),
    };
    struct description description;
    struct arena arena = {0};
    struct tokenizer *t = NULL;
    if (sentencepiece_read(&description, container->path, &files, vocab_size, &arena, error))
        t = tokenizer_build(&description, vocab_size, error);
    arena_free(&arena);
    return t;
}

struct tokenizer *tokenizer_open(const struct container *container, uint64_t vocab_size,
                                 struct error *error) {
    struct span json = blob_span(container, "tokenizer.json");
    if (json.text)
        return tokenizer_new(container->path, json.text, json.size, vocab_size, error);
    if (container_blob(container, "tokenizer.model"))
        return from_sentencepiece(container, vocab_size, error);
    fail(error, "%s: comes with neither tokenizer.json nor tokenizer.model", container->files[0].path);
    return NULL;
}
