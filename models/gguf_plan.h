/* A configuration as a GGUF file says it, for llama.cpp to run: the architecture, its keys, where the roles'
 * tensors lie. What neither architecture nor keys can say is refused by name. */
#ifndef MODELS_GGUF_PLAN_H
#define MODELS_GGUF_PLAN_H

#include "format/gguf_write.h"
#include "models/gguf_tables.h"

struct gguf_plan {
    const struct gguf_architecture *architecture;
    /* Where the architecture knows no windows, the context is the window: up to there it changes nothing. */
    struct model_config config;
    bool context_cut;
};

/* `path` begins sentences. */
bool gguf_plan_config(const struct model_config *config, const char *path, struct gguf_plan *plan,
                      struct error *error);

bool gguf_put_config(const struct gguf_plan *plan, struct gguf_items *items, struct error *error);

/* Where a role's tensor lies in the file. */
struct gguf_place gguf_plan_place(const struct gguf_plan *plan, const struct role_tensor *role);
/* Do its rows lie with rotary pairs side by side? */
bool gguf_plan_pairs(const struct gguf_plan *plan, enum role role);

/* Tensors that hold what rotary frequencies are divided by. */
struct gguf_factors {
    const char *name;
    uint64_t count;
    float values[CONFIG_MAX_ROPE_FACTORS];
};
size_t gguf_plan_factors(const struct gguf_plan *plan, struct gguf_factors factors[2]);

#endif
