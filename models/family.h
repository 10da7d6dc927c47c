/* A model family as data: how a Hugging Face checkpoint of it spells its configuration and its tensors.
 *
 * A family is one file ending in a descriptor, and one line in families.c. docs/adding-a-model.md walks
 * through one. */
#ifndef MODELS_FAMILY_H
#define MODELS_FAMILY_H

#include "models/config.h"

/* What a key's value is, and what it makes of its field. */
enum key_kind {
    KEY_UINT,
    KEY_REAL,
    KEY_BOOL,
    KEY_SWITCH, /* of another key's number: false or absent makes it 0 */
    KEY_SCALE, /* a factor, above 0 */
    KEY_INVERSE, /* 1 / x */
    KEY_INVERSE_ROOT, /* 1 / sqrt(x) */
    KEY_REALS, /* a list of numbers */
    KEY_ACTIVATION, /* by name */
    KEY_ROPE, /* by name */
    /* Layers that have a trait: all those of the family's default, of which each of these keys takes some
     * away, */
    KEY_LAYERS_EVERY, /* n: but the n-th, the 2n-th, ... */
    KEY_LAYERS_NOT_EVERY, /* n: the n-th, the 2n-th, ... */
    KEY_LAYERS_FROM, /* n: the first n */
    KEY_LAYERS_BELOW, /* n: all but the first n */
    KEY_LAYERS_WITHOUT, /* a list: those whose numbers it has */
    /* or those which a list says. */
    KEY_LAYER_FLAGS, /* 1 or 0 a layer */
    KEY_LAYER_TYPES, /* "sliding_attention" or "full_attention" a layer; the former have it */
};

/* A key of config.json and the field that it sets. Within objects a dot goes down a level; "a|b" where
 * checkpoints spell it either way (with different values in both, the file is refused). Rope keys are common
 * to all families: family.c has them. Keys are read in their order, later ones over earlier ones. */
struct family_key {
    const char *key; /* "num_hidden_layers" */
    size_t field; /* offsetof(struct model_config, ...) */
    enum key_kind kind;
    /* An optional key that is absent or null leaves the family's default; but null is 0 for KEY_NULLABLE. */
    enum { KEY_OPTIONAL, KEY_REQUIRED, KEY_NULLABLE } presence;
    uint64_t otherwise; /* n of KEY_LAYERS_* where the key is absent; 0: nothing is taken away */
};

/* KEY("hidden_size", dim, KEY_UINT, .presence = KEY_REQUIRED) */
#define KEY(spellings, name, sort, ...)                                                                      \
    { .key = spellings, .field = offsetof(struct model_config, name), .kind = sort, __VA_ARGS__ }

/* A key that must be absent, null or have this value, because another would change results. */
struct family_fixed {
    const char *key;
    const char *value; /* as compact JSON: "\"silu\"", "false", "1"; "null" for must be absent; "a|b": either
                        */
};

/* Where the checkpoint keeps a role's tensor. Roles of one name share a tensor: it holds the rows of one
 * behind those of the other, in the order of enum role. */
struct family_tensor {
    const char *name; /* "model.layers.{}.self_attn.q_proj.weight": {} stands for the layer, a second one for
                         the expert */
    bool by_head; /* shared in turns: what belongs to one key-value head, then to the next */
    bool one_row; /* a vector as a matrix of one row */
    bool transposed; /* (columns, rows), as Conv1D has it */
    bool add_one; /* 1 is to be added to the numbers, which then are f32 */
};

/* Lists of what families share and what one has of its own, for use in descriptors. */
#define KEYS(...) ((const struct family_key *const[]){__VA_ARGS__, NULL})
#define TENSORS(...) ((const struct family_tensor *const[]){__VA_ARGS__, NULL})
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* In `defaults`, n_kv_heads 0 stands for n_heads, head_dim 0 for dim / n_heads; they are those of the class's
 * configuration in transformers. */
struct family {
    const char *name; /* "llama" */
    const char *const *classes; /* of "architectures", NULL behind the last */
    /* Where one class has several layouts: which of its families a configuration is of. The first whose keys
     * have these values, absent ones counting as null; NULL: any. */
    const struct family_fixed *when;
    struct model_config defaults;
    double rotary_share; /* of a head's values rotate, where no key says how many; 0: all, and no key may say
                            otherwise */
    bool embedding_by_root; /* embeddings are scaled by sqrt(dim) */
    uint64_t ffn_multiple; /* of dim is ffn_dim, where no key says it; 0: one must */
    const struct family_key *const *keys; /* lists, each with a zeroed entry behind the last, and so below */
    const struct family_fixed *fixed;
    /* Tables [ROLES]; of those that have a role, the first counts. */
    const struct family_tensor *const *tensors;
    const char *prefix; /* of all names in `tensors`, which some checkpoints leave out */
    /* Tensors that carry nothing, such as stored rope tables; NULL behind the last. */
    const char *const *ignored_tensors;
};

/* Spellings that many families share with Llama. */
extern const struct family_key llama_keys[]; /* sizes, norm_eps, head */
extern const struct family_key hidden_act_keys[];
extern const struct family_key window_keys[]; /* sliding_window, null for none */
extern const struct family_key use_window_keys[]; /* the same behind use_sliding_window */
extern const struct family_tensor llama_tensors[ROLES];
extern const char *const llama_ignored_tensors[];
extern const struct family_tensor qk_norm_tensors[ROLES];
extern const struct family_tensor norm_bias_tensors[ROLES];
extern const struct family_tensor expert_tensors[ROLES];

extern const struct family *const families[]; /* THE LIST, in families.c, NULL behind the last */

/* The family and configuration of a config.json. An unknown class is refused by name with the list of those
 * known. */
bool family_read_config(const char *path, const char *json, size_t size, const struct family **family,
                        struct model_config *config, struct error *error);

/* Traits as a .qm file has them: what changes nothing is 0. */
void family_settle(struct model_config *config);

/* Where the family keeps a role; NULL where nowhere. */
const struct family_tensor *family_tensor(const struct family *family, enum role role);

#endif
