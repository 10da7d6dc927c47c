/* Models of a given shape with made-up weights: a few random panels for each width, encoded once and
 * repeated, so that a model of 7 billion weights is there in the time that writing its bytes takes. */
#include "infer/model_parts.h"

#include <math.h>
#include <string.h>

#define SAMPLE_ROWS (4 * PANEL_ROWS)
#define DATA_ALIGNMENT 64

/* PCG32 (O'Neill 2014), one stream. */
static uint32_t random_bits(uint64_t *state) {
    uint64_t old = *state;
    *state = old * 6364136223846793005u + 1442695040888963407u;
    uint32_t mixed = (uint32_t)((old >> 18 ^ old) >> 27), turn = (uint32_t)(old >> 59);
    return mixed >> turn | mixed << (-turn & 31);
}

/* Bell-shaped, as trained weights are: the sum of three uniform numbers, variance 1. */
static float random_weight(uint64_t *state) {
    float sum = -1.5f;
    for (int i = 0; i < 3; i++)
        sum += (float)(random_bits(state) >> 8) * 0x1p-24f;
    return 2 * sum;
}

/* Rows encoded once for every matrix of this width. */
struct sample {
    size_t n_cols, bytes;
    uint8_t *data;
};

struct filling {
    struct model *model;
    const struct type *type;
    const struct role_tensor *roles;
    size_t n_roles;
    struct sample *samples; /* [n_roles], by role; those of one width share data */
};

static bool encode_sample(struct sample *sample, const struct type *type, size_t n_cols, struct arena *arena,
                          struct error *error) {
    uint64_t bytes, state = 42;
    if (!matrix_bytes(type, SAMPLE_ROWS, n_cols, &bytes))
        return fail(error, "rows of %zu weights are too long", n_cols);
    float *rows = ARENA_NEW(arena, float, SAMPLE_ROWS *n_cols, error);
    *sample = (struct sample){n_cols, bytes, ARENA_NEW(arena, uint8_t, bytes, error)};
    if (!rows || !sample->data)
        return false;
    float scale = 1 / sqrtf((float)n_cols); /* keeps the size of what passes through */
    for (size_t i = 0; i < SAMPLE_ROWS * n_cols; i++)
        rows[i] = random_weight(&state) * scale;
    const struct matrix matrix = {type_find("f32"), (const uint8_t *)rows, SAMPLE_ROWS, n_cols};
    struct unfit unfit;
    if (!type_encode(type)(&matrix, NULL, sample->data, &unfit))
        return fail(error, "type %s cannot hold the value %g", type->name, (double)unfit.value);
    return true;
}

static bool encode_samples(struct filling *filling, struct arena *arena, struct error *error) {
    filling->samples = ARENA_NEW(arena, struct sample, filling->n_roles, error);
    if (!filling->samples)
        return false;
    for (size_t i = 0; i < filling->n_roles; i++) {
        if (filling->roles[i].n_dims == 1)
            continue;
        size_t n_cols = model_cols(&filling->roles[i]), same = 0;
        while (same < i && filling->samples[same].n_cols != n_cols)
            same++;
        if (same < i)
            filling->samples[i] = filling->samples[same];
        else if (!encode_sample(&filling->samples[i], filling->type, n_cols, arena, error))
            return false;
    }
    return true;
}

static bool place_vector(struct model *model, const struct role_tensor *role, struct error *error) {
    float *values = ARENA_NEW(&model->arena, float, role->dims[0], error);
    if (!values)
        return false;
    bool norm = role_is_norm(role->role);
    for (size_t i = 0; i < role->dims[0]; i++)
        values[i] = norm ? 1 : 0;
    *model_vector(model, role) = values;
    model_count(model, role, role->dims[0] * sizeof *values);
    return true;
}

/* Lays matrices out one behind the other; their data are offsets until there is memory. */
static bool place_matrix(struct model *model, const struct role_tensor *role, const struct type *type,
                         uint64_t *end, struct error *error) {
    uint64_t begin = *end, bytes;
    if (!matrix_bytes(type, model_rows(role), model_cols(role), &bytes) || !add_sizes(*end, bytes, end) ||
        !add_sizes(*end, -*end % DATA_ALIGNMENT, end) || *end > SIZE_MAX)
        return fail(error, "%s: tensor '%s' is too large for memory", model->path, role->name);
    *model_matrix(model, role) =
        (struct matrix){type, (const uint8_t *)(uintptr_t)begin, model_rows(role), model_cols(role)};
    model_count(model, role, bytes);
    return true;
}

static bool place_all(struct filling *filling, struct error *error) {
    struct model *model = filling->model;
    uint64_t end = 0;
    for (size_t i = 0; i < filling->n_roles; i++) {
        const struct role_tensor *role = &filling->roles[i];
        if (!(role->n_dims == 1 ? place_vector(model, role, error)
                                : place_matrix(model, role, filling->type, &end, error)))
            return false;
    }
    const uint64_t available = memory_available();
    if (end > available) /* filled nevertheless, it would end the process, or stall the system */
        return fail(error, "%s: takes %llu MB of memory, the system has %llu MB to give", model->path,
                    (unsigned long long)end / 1000000, (unsigned long long)available / 1000000);
    model->pages_bytes = (size_t)end;
    model->pages = memory_pages(model->pages_bytes);
    if (!model->pages)
        return fail(error, "%s: no memory for %zu bytes of weights", model->path, model->pages_bytes);
    for (size_t i = 0; i < filling->n_roles; i++) {
        struct matrix *matrix = model_matrix(model, &filling->roles[i]);
        if (matrix)
            matrix->data = (uint8_t *)model->pages + (uintptr_t)matrix->data;
    }
    return true;
}

/* Each thread fills, and so first touches, the rows that it will later multiply. */
static void fill(void *context, unsigned thread, unsigned n_threads) {
    const struct filling *filling = context;
    for (size_t i = 0; i < filling->n_roles; i++) {
        const struct sample *sample = &filling->samples[i];
        const struct matrix *matrix = model_matrix(filling->model, &filling->roles[i]);
        size_t begin, end;
        uint64_t first, last;
        if (!matrix)
            continue;
        share_of(matrix->n_rows, SAMPLE_ROWS, thread, n_threads, &begin, &end);
        matrix_bytes(matrix->type, begin, matrix->n_cols, &first);
        matrix_bytes(matrix->type, end, matrix->n_cols, &last);
        for (uint8_t *to = (uint8_t *)(uintptr_t)matrix->data; first < last; first += sample->bytes)
            memcpy(to + first, sample->data, last - first < sample->bytes ? last - first : sample->bytes);
    }
}

static bool make(struct model *model, const struct type *type, struct pool *pool, struct error *error) {
    struct arena scratch = {0};
    struct filling filling = {.model = model, .type = type};
    struct role_tensor *roles = config_tensors(&model->config, &filling.n_roles, &scratch, error);
    filling.roles = roles;
    bool good = roles && model_allocate_layers(model, error) && encode_samples(&filling, &scratch, error) &&
                place_all(&filling, error);
    if (good) {
        pool_run(pool, fill, &filling);
        model_finish(model, roles, filling.n_roles);
    }
    arena_free(&scratch);
    return good;
}

bool model_synthetic(struct model *model, const struct model_config *shape, const struct type *type,
                     const char *label, struct pool *pool, struct error *error) {
    *model = (struct model){.config = *shape, .path = label};
    if (config_check(shape, label, error) && make(model, type, pool, error))
        return true;
    model_close(model);
    return false;
}
