/* A model family as data: how a Hugging Face checkpoint of it spells its configuration and its tensors.
 *
 * A family is one file ending in a descriptor, and one line in families.c. docs/adding-a-model.md walks
 * through one. */
#ifndef MODELS_FAMILY_H
#define MODELS_FAMILY_H

#include "models/config.h"

/* A key of config.json and the field that it sets. */
struct family_key {
    const char *key; /* "num_hidden_layers"; "a|b" where checkpoints spell it either way */
    size_t field; /* offsetof(struct model_config, ...) */
    enum { KEY_UINT, KEY_REAL, KEY_BOOL } kind;
    enum {
        KEY_REQUIRED,
        KEY_OPTIONAL
    } presence; /* an optional one that is absent or null leaves the family's default */
};

/* A key that must be absent, null or have this value, because another would change results. */
struct family_fixed {
    const char *key;
    const char *value; /* as JSON text: "\"silu\"", "false", "0.0" */
};

/* How a role's tensor is called in the checkpoint; {} stands for the layer. */
struct family_tensor {
    enum role role;
    const char *name; /* "model.layers.{}.self_attn.q_proj.weight" */
};

struct family {
    const char *name; /* "llama" */
    const char *const *classes; /* of "architectures", NULL behind the last */
    struct model_config defaults;
    const struct family_key *keys; /* zeroed entry behind the last, and so below */
    const struct family_fixed *fixed;
    const struct family_tensor *tensors;
    const char *const
        *ignored_tensors; /* patterns of tensors that carry nothing, such as stored rope tables */
};

extern const struct family *const families[]; /* THE LIST, in families.c, NULL behind the last */

/* The family and configuration of a config.json. An unknown class is refused by name with the list of those
 * known. */
bool family_read_config(const char *path, const char *json, size_t size, const struct family **family,
                        struct model_config *config, struct arena *arena, struct error *error);

#endif
