/* A Hugging Face checkpoint: model.safetensors in a folder, or a .safetensors file, its tensors as the family
 * spells them, and the files beside it as they came. What was quantized is written as what it stands for. */
#include "convert/export.h"
#include "convert/targets.h"
#include "format/safetensors.h"
#include "format/safetensors_write.h"
#include "lib/progress.h"
#include "models/place.h"

#include <string.h>

#define CONFIG "config.json"
#define WEIGHTS "model.safetensors"

/* ---- The family, from the configuration that came along ---- */

/* Do both call for the same tensors? */
static bool same_tensors(const struct import *import, const struct model_config *config, struct arena *arena,
                         bool *same, struct error *error) {
    size_t n;
    const struct role_tensor *roles = config_tensors(config, &n, arena, error);
    *same = roles && n == import->n_tensors;
    for (size_t i = 0; *same && i < n; i++)
        *same = roles[i].role == import->roles[i].role && roles[i].layer == import->roles[i].layer &&
                !memcmp(roles[i].dims, import->roles[i].dims, sizeof roles[i].dims);
    return roles;
}

static bool find_family(const struct import *import, const struct family **family, struct arena *arena,
                        struct error *error) {
    const char *path = import->container.path;
    const struct blob *blob = container_blob(&import->container, CONFIG);
    struct model_config config;
    bool same;
    if (!blob)
        return fail(error, "%s: holds no %s, without which a checkpoint would be of no use", path, CONFIG);
    if (!family_read_config(path, blob->data, blob->size, family, &config, error) ||
        !same_tensors(import, &config, arena, &same, error))
        return false;
    return same || fail(error, "%s: its %s calls for other tensors than it holds", path, CONFIG);
}

/* ---- The plan: which rows of ours make which tensor of theirs ---- */

struct plan {
    const struct family *family;
    const struct type *dtype; /* of all tensors, or NULL */
    struct export export;
    struct arena arena;
    struct error *error;
};

/* Of what stands for a tensor. f32 holds quantized weights exactly. */
static const struct type *plain_type(const struct plan *plan, size_t source) {
    const struct type *type = plan->export.import->tensors[source]->type;
    return plan->dtype ? plan->dtype : type_is_plain(type) ? type : type_find("f32");
}

/* Are these numbers, less 1, the same again in `type` and with 1 added? */
static bool survive(const float *values, size_t n, const struct type *type, float *less, void *stored) {
    struct unfit unfit;
    for (size_t i = 0; i < n; i++)
        less[i] = values[i] - 1;
    if (!type_encode(type)(&(struct matrix){type_find("f32"), (const uint8_t *)less, 1, n}, NULL, stored,
                           &unfit))
        return false;
    type->decode_row(&(struct matrix){type, stored, 1, n}, 0, less);
    for (size_t i = 0; i < n; i++)
        if (less[i] + 1 != values[i])
            return false;
    return true;
}

/* Of a vector that is written less 1: the embedding's, as it was before 1 was added, where nothing is lost.
 */
static bool type_less_one(const struct plan *plan, size_t source, const struct type **type) {
    struct import *import = plan->export.import;
    struct arena arena = {0};
    size_t n = (size_t)import->roles[source].dims[0];
    float *values = ARENA_NEW(&arena, float, n, plan->error);
    float *less = values ? ARENA_NEW(&arena, float, n, plan->error) : NULL;
    void *stored = less ? ARENA_NEW(&arena, float, n, plan->error) : NULL;
    bool good = stored && import_read_rows(import, source, 0, 1, values, stored, plan->error);
    *type = plain_type(plan, 0);
    if (good && !plan->dtype && !survive(values, n, *type, less, stored))
        *type = type_find("f32");
    arena_free(&arena);
    return good;
}

static bool choose_type(const struct plan *plan, const struct place *place, size_t source,
                        const struct type **type) {
    const struct import *import = plan->export.import;
    const struct tensor *tensor = import->tensors[source];
    if (!tensor->type)
        return fail(plan->error, "%s: tensor '%s' is of type %s, which this version cannot decode",
                    import->container.path, tensor->name, tensor->layout.name);
    *type = plain_type(plan, source);
    return !place->tensor->add_one || type_less_one(plan, source, type);
}

static void set_type(struct tensor *tensor, const struct type *type) {
    tensor->type = type;
    tensor->layout = (struct type_layout){type->name, type->panel_rows, type->block_cols, type->block_bytes};
}

static struct tensor *add_tensor(struct plan *plan, const struct place *place, const char *name,
                                 const struct type *type) {
    struct tensor *tensor = &plan->export.tensors[plan->export.n_tensors++];
    tensor->name = arena_text(&plan->arena, name, strlen(name), plan->error);
    tensor->n_dims = place->n_dims;
    memcpy(tensor->dims, place->dims, sizeof place->dims);
    set_type(tensor, type);
    return tensor->name ? tensor : NULL;
}

/* The tensor of this name, among whose rows ours come behind another's. What has parts of two types is f32.
 */
static struct tensor *join_tensor(struct plan *plan, const char *name, const struct type *type) {
    struct tensor *tensor = &plan->export.tensors[plan->export.n_tensors - 1];
    while (strcmp(tensor->name, name))
        tensor--;
    set_type(tensor, tensor->type == type ? type : type_find("f32"));
    return tensor;
}

static bool plan_part(struct plan *plan, const struct place *place, size_t source, size_t part,
                      const struct type *type) {
    struct export *export = &plan->export;
    const struct place_name name = place_name(place, export->import->roles[source].layer, part);
    const struct tensor *tensor =
        place->offset ? join_tensor(plan, name.text, type) : add_tensor(plan, place, name.text, type);
    if (!tensor)
        return false;
    export->strips[export->n_strips++] = (struct strip){
        .source = source,
        .first = part * place->rows_each,
        .count = place->rows_each,
        .tensor = (size_t)(tensor - export->tensors),
        .take = place->take,
        .stride = place->stride,
        .offset = place->offset,
        .transposed = place->tensor->transposed && place->n_dims > 1,
        .add = place->tensor->add_one ? -1 : 0,
    };
    return true;
}

static bool plan_role(struct plan *plan, size_t i) {
    const struct import *import = plan->export.import;
    const struct type *type = NULL;
    struct place place;
    if (!place_find(plan->family, &import->config, import->roles, import->n_tensors, i, &place))
        return fail(plan->error, "%s: holds %s, which no %s model is known to have", import->container.path,
                    import->roles[i].name, plan->family->name);
    if (!choose_type(plan, &place, i, &type))
        return false;
    for (size_t part = 0; part < place.n_parts; part++)
        if (!plan_part(plan, &place, i, part, type))
            return false;
    return true;
}

static bool plan_tensors(struct plan *plan) {
    struct export *export = &plan->export;
    const struct import *import = export->import;
    size_t most = 0;
    for (size_t i = 0; i < import->n_tensors; i++)
        most += import->roles[i].n_dims == 3 ? (size_t)import->roles[i].dims[0] : 1;
    export->tensors = ARENA_NEW(&plan->arena, struct tensor, most, plan->error);
    export->strips = export->tensors ? ARENA_NEW(&plan->arena, struct strip, most, plan->error) : NULL;
    for (size_t i = 0; export->strips && i < import->n_tensors; i++)
        if (!plan_role(plan, i))
            return false;
    return export->strips;
}

/* ---- Files ---- */

/* What is written; none appears before all are whole. */
struct files {
    struct folder folder;
    struct output **outputs; /* of the files beside the weights */
    size_t n_outputs;
};

static bool create_beside(const struct plan *plan, struct files *files, const char *weights, bool force) {
    const struct container *container = &plan->export.import->container;
    struct arena arena = {0};
    bool good = true;
    for (size_t i = 0; good && i < container->n_blobs; i++) {
        const struct blob *blob = &container->blobs[i];
        if (!safetensors_is_companion(blob->name))
            continue;
        const char *path = path_beside(weights, blob->name, &arena, plan->error);
        struct output *output = path ? output_create(path, force, plan->error) : NULL;
        good = output && output_write(output, blob->data, blob->size, 0, plan->error);
        files->outputs[files->n_outputs] = output;
        files->n_outputs += output != NULL;
    }
    arena_free(&arena);
    return good;
}

static bool create_weights(struct plan *plan, const char *path, bool force) {
    struct export *export = &plan->export;
    struct buffer header = {0};
    bool good = import_check_output(export->import, path, plan->error) &&
                tensor_output_place(&export->to, path, export->tensors, export->n_tensors, 1, plan->error) &&
                safetensors_put_header(&header, path, export->tensors, export->n_tensors, plan->error) &&
                tensor_output_create(&export->to, path, force, &header, 1, plan->error);
    buffer_free(&header);
    return good;
}

static void abandon(struct plan *plan, struct files *files) {
    while (files->n_outputs > 0)
        output_abandon(files->outputs[--files->n_outputs]);
    output_abandon(plan->export.to.output);
    plan->export.to.output = NULL;
}

/* The weights first: they are what a disk may fail to take. */
static bool commit(struct plan *plan, struct files *files) {
    bool good = output_commit(plan->export.to.output, plan->error);
    plan->export.to.output = NULL;
    while (good && files->n_outputs > 0)
        good = output_commit(files->outputs[--files->n_outputs], plan->error);
    return good;
}

static bool write_files(struct plan *plan, struct files *files, const char *weights,
                        const struct request *request, struct pool *pool) {
    bool force = request->common.force;
    files->outputs =
        ARENA_NEW(&plan->arena, struct output *, plan->export.import->container.n_blobs + 1, plan->error);
    bool good = files->outputs && create_weights(plan, weights, force) &&
                create_beside(plan, files, weights, force) &&
                export_rows(&plan->export, pool, "convert", request->common.quiet, plan->error) &&
                commit(plan, files);
    abandon(plan, files);
    return good;
}

static bool make_plan(struct plan *plan, const struct request *request) {
    return find_dtype(request->dtype, &plan->dtype, plan->error) &&
           find_family(plan->export.import, &plan->family, &plan->arena, plan->error) && plan_tensors(plan);
}

/* `weights` stands for the file of weights; where that is in a folder of its own, `folder` is made first. */
static bool write_all(const struct request *request, struct import *import, const char *out, bool folder,
                      struct pool *pool, struct error *error) {
    struct plan plan = {.export = {.import = import}, .error = error};
    struct files files = {.folder.slot = -1};
    double started = clock_seconds();
    const char *weights = folder ? path_join(out, WEIGHTS, &plan.arena, error) : out;
    bool good = weights && make_plan(&plan, request) &&
                (!folder || folder_create(&files.folder, out, request->common.force, error)) &&
                write_files(&plan, &files, weights, request, pool) &&
                (!folder || folder_keep(&files.folder, error));
    folder_abandon(&files.folder);
    if (good && !request->common.quiet)
        report_written(out, export_weights(&plan.export), plan.export.to.data_size, started);
    arena_free(&plan.arena);
    return good;
}

bool write_folder(const struct request *request, struct import *import, const char *out, struct pool *pool,
                  struct error *error) {
    return write_all(request, import, out, true, pool, error);
}

bool write_safetensors(const struct request *request, struct import *import, const char *out,
                       struct pool *pool, struct error *error) {
    return write_all(request, import, out, false, pool, error);
}
