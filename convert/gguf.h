/* Parts of writing a GGUF file. */
#ifndef CONVERT_GGUF_H
#define CONVERT_GGUF_H

#include "format/gguf_write.h"
#include "models/import.h"

/* The tokenizer as llama.cpp reads it: tokens, merges or scores, the name of the way in which texts are cut
 * into words, special tokens, the chat template. What cannot be said so is refused by name. */
bool gguf_put_tokenizer(const struct import *import, struct gguf_items *items, struct error *error);

#endif
