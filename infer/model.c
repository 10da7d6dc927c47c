#include "infer/model.h"

#include "format/qm.h"
#include "infer/model_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_ALIGNMENT 64 /* what kernels expect of a matrix */

#define OUTSIDE(member) offsetof(struct model, member), false
#define INSIDE(member) offsetof(struct layer, member), true

/* Where a role lives: a matrix, or a vector decoded to floats. */
static const struct place {
    bool is_matrix;
    size_t offset;
    bool in_layer;
} places[ROLES] = {
    [ROLE_TOKEN_EMBD] = {true, OUTSIDE(embedding)},
    [ROLE_POSITION_EMBD] = {true, OUTSIDE(positions)},
    [ROLE_ATTN_NORM] = {false, INSIDE(attn_norm.weight)},
    [ROLE_ATTN_NORM_BIAS] = {false, INSIDE(attn_norm.bias)},
    [ROLE_ATTN_Q] = {true, INSIDE(q)},
    [ROLE_ATTN_Q_BIAS] = {false, INSIDE(q_bias)},
    [ROLE_ATTN_K] = {true, INSIDE(k)},
    [ROLE_ATTN_K_BIAS] = {false, INSIDE(k_bias)},
    [ROLE_ATTN_V] = {true, INSIDE(v)},
    [ROLE_ATTN_V_BIAS] = {false, INSIDE(v_bias)},
    [ROLE_ATTN_Q_NORM] = {false, INSIDE(q_norm)},
    [ROLE_ATTN_K_NORM] = {false, INSIDE(k_norm)},
    [ROLE_ATTN_OUTPUT] = {true, INSIDE(attn_output)},
    [ROLE_ATTN_OUTPUT_BIAS] = {false, INSIDE(attn_output_bias)},
    [ROLE_ATTN_POST_NORM] = {false, INSIDE(attn_post_norm.weight)},
    [ROLE_ATTN_POST_NORM_BIAS] = {false, INSIDE(attn_post_norm.bias)},
    [ROLE_FFN_NORM] = {false, INSIDE(ffn_norm.weight)},
    [ROLE_FFN_NORM_BIAS] = {false, INSIDE(ffn_norm.bias)},
    [ROLE_FFN_GATE] = {true, INSIDE(ffn.gate)},
    [ROLE_FFN_GATE_BIAS] = {false, INSIDE(ffn.gate_bias)},
    [ROLE_FFN_UP] = {true, INSIDE(ffn.up)},
    [ROLE_FFN_UP_BIAS] = {false, INSIDE(ffn.up_bias)},
    [ROLE_FFN_DOWN] = {true, INSIDE(ffn.down)},
    [ROLE_FFN_DOWN_BIAS] = {false, INSIDE(ffn.down_bias)},
    [ROLE_ROUTER] = {true, INSIDE(experts.router)},
    [ROLE_EXPERT_GATE] = {true, INSIDE(experts.gate)},
    [ROLE_EXPERT_UP] = {true, INSIDE(experts.up)},
    [ROLE_EXPERT_DOWN] = {true, INSIDE(experts.down)},
    [ROLE_SHARED_ROUTER] = {false, INSIDE(experts.shared_router)},
    [ROLE_SHARED_GATE] = {true, INSIDE(ffn.gate)},
    [ROLE_SHARED_UP] = {true, INSIDE(ffn.up)},
    [ROLE_SHARED_DOWN] = {true, INSIDE(ffn.down)},
    [ROLE_FFN_POST_NORM] = {false, INSIDE(ffn_post_norm.weight)},
    [ROLE_FFN_POST_NORM_BIAS] = {false, INSIDE(ffn_post_norm.bias)},
    [ROLE_OUTPUT_NORM] = {false, OUTSIDE(output_norm.weight)},
    [ROLE_OUTPUT_NORM_BIAS] = {false, OUTSIDE(output_norm.bias)},
    [ROLE_OUTPUT] = {true, OUTSIDE(head)},
};

static void *place_of(struct model *model, const struct role_tensor *role, bool is_matrix) {
    const struct place *place = &places[role->role];
    char *owner = place->in_layer ? (char *)&model->layers[role->layer] : (char *)model;
    return place->is_matrix == is_matrix ? owner + place->offset : NULL;
}

struct matrix *model_matrix(struct model *model, const struct role_tensor *role) {
    return place_of(model, role, true);
}

const float **model_vector(struct model *model, const struct role_tensor *role) {
    return place_of(model, role, false);
}

uint64_t model_rows(const struct role_tensor *role) {
    return role->n_dims == 3 ? role->dims[0] * role->dims[1] : role->dims[0];
}

uint64_t model_cols(const struct role_tensor *role) {
    return role->dims[role->n_dims - 1];
}

/* ---- Sums over the model, for reports ---- */

/* The part of a tensor that one token meets: one row of what is looked up, the experts that are used. */
static uint64_t streamed(const struct model_config *c, const struct role_tensor *role, uint64_t whole) {
    if (role->role == ROLE_POSITION_EMBD || (role->role == ROLE_TOKEN_EMBD && !c->tied_head))
        return whole / role->dims[0];
    return role->n_dims == 3 ? whole / c->n_experts * c->n_experts_used : whole;
}

void model_count(struct model *model, const struct role_tensor *role, uint64_t bytes) {
    uint64_t n_weights = role->n_dims == 1 ? role->dims[0] : model_rows(role) * model_cols(role);
    model->tensor_bytes += bytes;
    model->n_weights += n_weights;
    model->streamed_bytes += streamed(&model->config, role, bytes);
    model->n_streamed_weights += streamed(&model->config, role, n_weights);
}

static uint64_t bytes_of_type(struct model *model, const struct role_tensor *roles, size_t n_roles,
                              const struct type *type) {
    uint64_t sum = 0, bytes;
    for (size_t i = 0; i < n_roles; i++) {
        const struct matrix *matrix = model_matrix(model, &roles[i]);
        if (matrix && matrix->type == type && matrix_bytes(type, matrix->n_rows, matrix->n_cols, &bytes))
            sum += bytes;
    }
    return sum;
}

void model_finish(struct model *model, const struct role_tensor *roles, size_t n_roles) {
    uint64_t most = 0;
    for (size_t i = 0; types[i]; i++) {
        uint64_t bytes = bytes_of_type(model, roles, n_roles, types[i]);
        if (bytes > most) {
            most = bytes;
            model->main_type = types[i]->name;
        }
    }
    if (model->config.tied_head)
        model->head = model->embedding;
}

/* ---- From a file ---- */

static bool check_dims(const struct tensor *tensor, const struct role_tensor *role, const char *path,
                       struct error *error) {
    bool same = tensor->n_dims == role->n_dims;
    for (uint32_t d = 0; same && d < role->n_dims; d++)
        same = tensor->dims[d] == role->dims[d];
    if (same)
        return true;
    return fail(error, "%s: tensor '%s' is %s, its configuration calls for %s", path, tensor->name,
                dims_text(tensor->n_dims, tensor->dims).text, dims_text(role->n_dims, role->dims).text);
}

static bool point_at(struct model *model, const struct tensor *tensor, struct matrix *matrix,
                     struct error *error) {
    const struct input *file = &model->container.files[tensor->file];
    uint64_t n_rows, n_cols, bytes;
    tensor_rows_cols(tensor, &n_rows, &n_cols);
    if (!tensor->type)
        return fail(error, "%s: tensor '%s' is of type '%s', which this version cannot decode", model->path,
                    tensor->name, tensor->layout.name);
    if (!matrix_bytes(tensor->type, n_rows, n_cols, &bytes) || bytes != tensor->size)
        return fail(error, "%s: tensor '%s' has %" PRIu64 " bytes, its shape calls for another number",
                    model->path, tensor->name, tensor->size);
    if (!add_sizes(tensor->offset, bytes, &bytes) || bytes > file->size)
        return fail(error, "%s: tensor '%s' ends at %" PRIu64 ", the file is %" PRIu64 " bytes", model->path,
                    tensor->name, bytes, file->size);
    if (tensor->offset % DATA_ALIGNMENT)
        return fail(error, "%s: tensor '%s' begins at %" PRIu64 ", which is no multiple of %d", model->path,
                    tensor->name, tensor->offset, DATA_ALIGNMENT);
    *matrix = (struct matrix){tensor->type, file->map + tensor->offset, n_rows, n_cols};
    return true;
}

static bool load_tensor(struct model *model, const struct role_tensor *role, struct error *error) {
    const struct tensor *tensor = container_tensor(&model->container, role->name);
    if (!tensor)
        return fail(error, "%s: tensor '%s' is missing, which the configuration calls for", model->path,
                    role->name);
    struct matrix matrix;
    if (!check_dims(tensor, role, model->path, error) || !point_at(model, tensor, &matrix, error))
        return false;
    model_count(model, role, tensor->size);
    struct matrix *to = model_matrix(model, role);
    if (to) {
        *to = matrix;
        return true;
    }
    float *values = ARENA_NEW(&model->arena, float, matrix.n_cols, error);
    if (!values)
        return false;
    matrix.type->decode_row(&matrix, 0, values);
    *model_vector(model, role) = values;
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct role_tensor *)a)->name, ((const struct role_tensor *)b)->name);
}

/* All of the configuration's tensors are there; so if there are more, some tensor is not one of them. */
static bool refuse_extra(const struct model *model, struct role_tensor *roles, size_t n_roles,
                         struct error *error) {
    if (model->container.n_tensors == n_roles)
        return true;
    qsort(roles, n_roles, sizeof *roles, by_name);
    size_t i = 0;
    while (i < n_roles && !strcmp(model->container.tensors[i].name, roles[i].name))
        i++;
    return fail(error, "%s: tensor '%s' is not one that the configuration calls for", model->path,
                model->container.tensors[i].name);
}

bool model_allocate_layers(struct model *model, struct error *error) {
    const struct model_config *c = &model->config;
    model->layers = ARENA_NEW(&model->arena, struct layer, c->n_layers, error);
    for (size_t i = 0; model->layers && i < c->n_layers; i++) {
        struct layer *layer = &model->layers[i];
        bool windowed = c->window && layer_has(&c->window_layers, i);
        layer->window = windowed ? c->window : SIZE_MAX;
        layer->rotates = layer_has(&c->rope_layers, i);
        layer->local = windowed && c->rope_local_theta > 0;
    }
    return model->layers != NULL;
}

static bool load_tensors(struct model *model, struct error *error) {
    struct arena scratch = {0};
    size_t n_roles;
    struct role_tensor *roles = config_tensors(&model->config, &n_roles, &scratch, error);
    bool good = roles && model_allocate_layers(model, error);
    for (size_t i = 0; good && i < n_roles; i++)
        good = load_tensor(model, &roles[i], error);
    if (good)
        model_finish(model, roles, n_roles);
    good = good && refuse_extra(model, roles, n_roles, error);
    arena_free(&scratch);
    return good;
}

static bool load(struct model *model, struct error *error) {
    struct container *container = &model->container;
    if (container->format != &qm_format)
        return fail(error, "%s: this is %s, only a .qm file can be run; convert makes one", model->path,
                    container->format->summary);
    if (!config_from_metadata(&model->config, &container->metadata, model->path, error) ||
        !input_map(&container->files[0], error) || !load_tensors(model, error))
        return false;
    const struct qm_details *details = container->details;
    for (size_t i = 0; i < sizeof details->model_id.bytes; i++)
        snprintf(model->model_id + 2 * i, 3, "%02x", details->model_id.bytes[i]);
    model->file_bytes = container->files[0].size;
    return true;
}

bool model_open(struct model *model, const char *path, struct error *error) {
    *model = (struct model){.path = path};
    if (!container_open(&model->container, path, error))
        return false;
    model->path = model->container.path;
    if (load(model, error))
        return true;
    model_close(model);
    return false;
}

void model_close(struct model *model) {
    container_close(&model->container);
    if (model->pages)
        memory_pages_free(model->pages, model->pages_bytes);
    arena_free(&model->arena);
    *model = (struct model){0};
}
