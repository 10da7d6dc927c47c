/* A GGUF file as a model: what its keys and tensors say in terms of struct model_config, and the blobs that a
 * .qm file made of it keeps. docs/gguf.md has the tables.
 *
 * An architecture is a line in gguf_tables.c: its name, and what neither keys nor tensors tell. Everything
 * else follows from keys common to all and from which tensors there are. Keys of the architecture that are
 * not known here are refused: they may change results. */
#ifndef MODELS_GGUF_H
#define MODELS_GGUF_H

#include "format/gguf.h"
#include "models/config.h"

/* The configuration; `paired` where the rows of queries and keys lie with rotary pairs side by side (0, 1),
 * (2, 3), ... within each head, as ggml's "normal" rope has them, in place of (0, rope_dim / 2), ... */
bool gguf_read_config(const struct container *container, struct model_config *config, bool *paired,
                      struct error *error);

/* The tensor of the file that holds a role's, and where in it (models/gguf_tables.h). */
struct gguf_place;
struct gguf_place gguf_find_place(const struct container *container, const struct model_config *config,
                                  const struct role_tensor *role);

/* Tensors that the configuration was read from, NULL behind the last. */
extern const char *const gguf_read_tensors[];

/* Makes container->blobs: tokenizer.json, tokenizer_config.json, generation_config.json. */
bool gguf_make_blobs(struct container *container, struct error *error);

/* ---- Parts of that, in gguf_tokenizer.c and gguf_merges.c ---- */

/* Appends the text of tokenizer.json. */
bool gguf_write_tokenizer(const struct container *container, struct buffer *to, struct error *error);

/* What stands under this key as a text, NULL where it is absent or none. */
const char *gguf_text_of(const struct container *container, const char *key, struct arena *arena,
                         struct error *error);

#endif
