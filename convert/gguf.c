/* A GGUF file as llama.cpp reads it. Weights go over as they are where a type of ggml holds them exactly. */
#include "convert/gguf.h"
#include "convert/export.h"
#include "convert/targets.h"
#include "lib/progress.h"
#include "models/gguf_plan.h"
#include "types/gguf.h"

#include <stdio.h>
#include <string.h>

struct writing {
    struct gguf_plan plan;
    const struct gguf_type *as; /* of matrices, or NULL */
    struct export export;
    struct gguf_factors factors[2];
    size_t n_factors; /* the export's last tensors */
    struct gguf_items items;
    struct arena arena;
    struct error *error;
};

/* ---- Types ---- */

static bool can_be_written(const struct gguf_type *type) {
    return type->type && (type_is_plain(type->type) || type->type->restore);
}

static bool find_as(const char *name, const struct gguf_type **type, struct error *error) {
    *type = name ? gguf_type_named(name) : NULL;
    return !name || (*type && can_be_written(*type)) ||
           fail(error, "--as %s: expected F32, F16, BF16, Q8_0 or Q4_0", name);
}

/* The type of ggml that holds what this one does; NULL where there is none. */
static const struct gguf_type *same_type(const struct type *type) {
    for (size_t i = 0; i < n_gguf_types; i++) {
        const struct type *other = gguf_types[i].type;
        if (other && (other == type || (other->restore && other->native == type)))
            return &gguf_types[i];
    }
    return NULL;
}

/* llama.cpp adds and compares these as floats. */
static bool is_float(const struct role_tensor *role) {
    return role->n_dims == 1 || role->role == ROLE_ROUTER || role->role == ROLE_POSITION_EMBD;
}

/* F32, too, where rows are no whole number of blocks. */
static const struct gguf_type *type_of(const struct writing *w, size_t source) {
    const struct role_tensor *role = &w->export.import->roles[source];
    const struct gguf_type *type = is_float(role) ? NULL
                                   : w->as        ? w->as
                                                  : same_type(w->export.import->tensors[source]->type);
    return type && role->dims[role->n_dims - 1] % type->block_cols == 0 ? type : gguf_type_find(GGUF_F32);
}

static void set_type(struct tensor *tensor, const struct gguf_type *type) {
    tensor->type = type->type;
    tensor->layout = (struct type_layout){type->name, 1, type->block_cols, type->block_bytes};
}

/* ---- Tensors ---- */

static struct tensor *find_tensor(struct writing *w, const char *name) {
    for (size_t i = w->export.n_tensors; i-- > 0;)
        if (!strcmp(w->export.tensors[i].name, name))
            return &w->export.tensors[i];
    return NULL;
}

static struct tensor *add_tensor(struct writing *w, const char *name, const struct gguf_type *type) {
    struct tensor *tensor = &w->export.tensors[w->export.n_tensors];
    tensor->name = arena_text(&w->arena, name, strlen(name), w->error);
    set_type(tensor, type);
    w->export.n_tensors += tensor->name != NULL;
    return tensor->name ? tensor : NULL;
}

/* The rows of a role behind those of others: what has parts of two types is F32. */
static struct tensor *join_tensor(struct writing *w, const char *name, const struct gguf_type *type) {
    struct tensor *tensor = find_tensor(w, name);
    if (tensor->type != type->type)
        set_type(tensor, gguf_type_find(GGUF_F32));
    return tensor;
}

static bool plan_rows(struct writing *w, size_t source, const struct gguf_place *place) {
    struct export *export = &w->export;
    const struct role_tensor *role = &export->import->roles[source];
    uint64_t count = role->n_dims == 3 ? role->dims[0] * role->dims[1] : role->dims[0];
    struct tensor *tensor = place->first_row ? join_tensor(w, place->name, type_of(w, source))
                                             : add_tensor(w, place->name, type_of(w, source));
    if (!tensor)
        return false;
    tensor->n_dims = role->n_dims;
    memcpy(tensor->dims, role->dims, sizeof role->dims);
    tensor->dims[0] = place->n_rows;
    export->strips[export->n_strips++] = (struct strip){
        .source = source,
        .count = count,
        .tensor = (size_t)(tensor - export->tensors),
        .take = count,
        .stride = count,
        .offset = place->first_row,
        .head_dim = gguf_plan_pairs(&w->plan, role->role) ? w->plan.config.head_dim : 0,
    };
    return true;
}

static bool plan_role(struct writing *w, size_t i) {
    const struct import *import = w->export.import;
    const struct tensor *tensor = import->tensors[i];
    struct gguf_place place = gguf_plan_place(&w->plan, &import->roles[i]);
    if (!tensor->type)
        return fail(w->error, "%s: tensor '%s' is of type %s, which this version cannot decode",
                    import->container.path, tensor->name, tensor->layout.name);
    return plan_rows(w, i, &place);
}

/* The embedding once more, where it is the head and llama.cpp wants it apart. */
static bool plan_head(struct writing *w) {
    const struct gguf_place place = {"output.weight", 0, w->plan.config.vocab_size};
    return !w->plan.config.tied_head || !w->plan.architecture->own_head || plan_rows(w, 0, &place);
}

static bool plan_factors(struct writing *w) {
    w->n_factors = gguf_plan_factors(&w->plan, w->factors);
    for (size_t i = 0; i < w->n_factors; i++) {
        struct tensor *tensor = add_tensor(w, w->factors[i].name, gguf_type_find(GGUF_F32));
        if (!tensor)
            return false;
        tensor->n_dims = 1;
        tensor->dims[0] = w->factors[i].count;
    }
    return true;
}

static bool plan_tensors(struct writing *w) {
    struct export *export = &w->export;
    size_t most = export->import->n_tensors + 1 + sizeof w->factors / sizeof *w->factors;
    export->tensors = ARENA_NEW(&w->arena, struct tensor, most, w->error);
    export->strips = export->tensors ? ARENA_NEW(&w->arena, struct strip, most, w->error) : NULL;
    for (size_t i = 0; export->strips && i < export->import->n_tensors; i++)
        if (!plan_role(w, i))
            return false;
    return export->strips && plan_head(w) && plan_factors(w);
}

/* ---- The file ---- */

static bool put_items(struct writing *w) {
    return gguf_put_config(&w->plan, &w->items, w->error) &&
           gguf_item_uint(&w->items, "general.quantization_version", 2, w->error) &&
           gguf_put_tokenizer(w->export.import, &w->items, w->error);
}

static bool create(struct writing *w, const char *path, bool force) {
    struct export *export = &w->export;
    struct buffer header = {0};
    bool good = import_check_output(export->import, path, w->error) &&
                tensor_output_place(&export->to, path, export->tensors, export->n_tensors, GGUF_ALIGNMENT,
                                    w->error) &&
                gguf_put_header(&header, &w->items, export->tensors, export->n_tensors, w->error) &&
                tensor_output_create(&export->to, path, force, &header, GGUF_ALIGNMENT, w->error);
    buffer_free(&header);
    return good;
}

static bool write_factors(struct writing *w) {
    for (size_t i = 0; i < w->n_factors; i++)
        if (!tensor_output_write(&w->export.to, w->export.n_tensors - w->n_factors + i, w->factors[i].values,
                                 (size_t)w->factors[i].count * sizeof(float), 0, w->error))
            return false;
    return true;
}

static bool write_file(struct writing *w, const struct request *request, const char *out, struct pool *pool) {
    struct export *export = &w->export;
    if (create(w, out, request->common.force) && write_factors(w) &&
        export_rows(export, pool, "convert", request->common.quiet, w->error))
        return output_commit(export->to.output, w->error);
    output_abandon(export->to.output);
    return false;
}

static void remark(const struct writing *w, const char *out) {
    if (w->plan.context_cut)
        fprintf(stderr,
                "%s: llama.cpp knows no sliding window for a %s model; the context is %llu, up to which it "
                "changes nothing\n",
                out, w->plan.architecture->name, (unsigned long long)w->plan.config.context);
}

bool write_gguf(const struct request *request, struct import *import, const char *out, struct pool *pool,
                struct error *error) {
    struct writing w = {.export = {.import = import}, .error = error};
    double started = clock_seconds();
    bool good = find_as(request->as, &w.as, error) &&
                gguf_plan_config(&import->config, import->container.path, &w.plan, error) &&
                plan_tensors(&w) && put_items(&w) && write_file(&w, request, out, pool);
    if (good && !request->common.quiet) {
        remark(&w, out);
        report_written(out, export_weights(&w.export), w.export.to.data_size, started);
    }
    gguf_items_free(&w.items);
    arena_free(&w.arena);
    return good;
}
