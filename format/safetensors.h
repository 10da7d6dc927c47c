/* Reading safetensors checkpoints: a single file, a Hugging Face folder, or the index of a sharded one.
 *
 * Follows the format's README (https://github.com/huggingface/safetensors) and refuses what its reference
 * implementation refuses: headers over 100 MB, duplicate names, tensors that overlap, leave holes or do not
 * end where the file ends. Types that are not weights (I64, U8, F64, ...) are kept as tensors without a
 * `type`. A scalar becomes one dimension of 1; more than MAX_DIMS dimensions are refused.
 *
 * Companion files (config.json, tokenizer.json, ...) that stand beside the weights become blobs. Where the
 * folder has an index, `files` are its shards by rising name; otherwise the one file. */
#ifndef FORMAT_SAFETENSORS_H
#define FORMAT_SAFETENSORS_H

#include "format/format.h"

extern const struct format safetensors_format;

/* Is this the name of a file that belongs beside the weights? */
bool safetensors_is_companion(const char *name);

#define SAFETENSORS_MAX_HEADER 100000000u
#define SAFETENSORS_MAX_SHARDS 512u

#endif
