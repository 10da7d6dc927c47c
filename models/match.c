#include "models/match.h"

#include "models/gguf.h"
#include "models/gguf_tables.h"
#include "models/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct matching {
    struct import *import;
    const struct family *family; /* NULL where tensors have their .qm names */
    bool is_gguf, paired; /* see match_gguf_tensors */
    bool *used; /* [container.n_tensors] */
    struct error *error;
};

/* ---- Names ---- */

/* The tensor of this name, or of what is left of it behind the family's prefix. */
static const struct tensor *find(const struct matching *m, const char *name) {
    const char *prefix = m->family ? m->family->prefix : NULL;
    size_t length = prefix ? strlen(prefix) : 0;
    const struct tensor *tensor = container_tensor(&m->import->container, name);
    return tensor || !length || strncmp(name, prefix, length)
               ? tensor
               : container_tensor(&m->import->container, name + length);
}

/* ---- Shapes ---- */

struct shape {
    uint32_t n_dims;
    uint64_t dims[MAX_DIMS];
};

struct shape_text {
    char text[96];
};

static struct shape_text shape_text(uint32_t n_dims, const uint64_t *dims) {
    struct shape_text shape = {"["};
    size_t length = 1;
    for (uint32_t d = 0; d < n_dims; d++)
        length += (size_t)snprintf(shape.text + length, sizeof shape.text - length,
                                   d ? ", %" PRIu64 : "%" PRIu64, dims[d]);
    snprintf(shape.text + length, sizeof shape.text - length, "]");
    return shape;
}

/* A vector may be stored as a matrix of one row. */
static bool has_shape(const struct tensor *tensor, const struct shape *shape) {
    uint32_t extra = tensor->n_dims == shape->n_dims + 1 && shape->n_dims == 1 && tensor->dims[0] == 1;
    return tensor->n_dims == shape->n_dims + extra &&
           !memcmp(tensor->dims + extra, shape->dims, shape->n_dims * sizeof *shape->dims);
}

static const struct tensor *take(const struct matching *m, const char *name, const struct shape *shape) {
    const struct container *container = &m->import->container;
    const struct tensor *tensor = find(m, name);
    if (!tensor) {
        fail(m->error, "%s: tensor '%s' is missing", container->path, name);
        return NULL;
    }
    const char *file = container->files[tensor->file].path;
    m->used[tensor - container->tensors] = true;
    if (!has_shape(tensor, shape))
        fail(m->error, "%s: tensor '%s' has the shape %s, the configuration calls for %s", file, tensor->name,
             shape_text(tensor->n_dims, tensor->dims).text, shape_text(shape->n_dims, shape->dims).text);
    else if (!tensor->type && !m->import->is_qm)
        fail(m->error, "%s: tensor '%s' is of type %s, weights must be F32, F16 or BF16%s", file,
             tensor->name, tensor->layout.name, m->is_gguf ? ", or of a block type that is read" : "");
    else
        return tensor;
    return NULL;
}

/* ---- Roles that a tensor holds as they are ---- */

static bool match_whole(struct matching *m, size_t i, const char *name) {
    const struct role_tensor *role = &m->import->roles[i];
    struct shape shape = {.n_dims = role->n_dims};
    memcpy(shape.dims, role->dims, sizeof role->dims);
    m->import->tensors[i] = take(m, name, &shape);
    return m->import->tensors[i];
}

/* ---- Roles that are views ---- */

static bool take_parts(struct matching *m, struct view *view, const struct place *place, uint32_t layer) {
    struct shape shape = {.n_dims = place->n_dims};
    memcpy(shape.dims, place->dims, sizeof place->dims);
    view->parts = ARENA_NEW(&m->import->arena, const struct tensor *, view->n_parts, m->error);
    for (size_t p = 0; view->parts && p < view->n_parts; p++) {
        view->parts[p] = take(m, place_name(place, layer, p).text, &shape);
        if (!view->parts[p])
            return false;
        if (view->parts[p]->type != view->parts[0]->type)
            return fail(m->error, "%s: tensor '%s' is of another type than '%s', beside which it belongs",
                        m->import->container.path, view->parts[p]->name, view->parts[0]->name);
    }
    return view->parts;
}

/* What it looks like: of the parts' type, or of f32 where 1 is added. */
static bool describe(const struct matching *m, struct view *view, const struct role_tensor *role) {
    const struct tensor *first = view->parts[0];
    view->as = (struct tensor){.name = role->name,
                               .layout = first->layout,
                               .type = first->type,
                               .n_dims = role->n_dims,
                               .offset = first->offset,
                               .file = first->file};
    memcpy(view->as.dims, role->dims, sizeof role->dims);
    if (view->add_one) {
        view->as.type = type_find("f32");
        view->as.layout = (struct type_layout){"f32", 1, 1, sizeof(float)};
    }
    return tensor_bytes(&view->as, &view->as.size) ||
           fail(m->error, "%s: tensor '%s' is too large", m->import->container.path, role->name);
}

static bool match_view(struct matching *m, size_t i, const struct place *place) {
    struct import *import = m->import;
    const struct role_tensor *role = &import->roles[i];
    struct view *view = ARENA_NEW(&import->arena, struct view, 1, m->error);
    if (!view)
        return false;
    view->n_parts = place->n_parts;
    view->rows_each = place->rows_each;
    view->take = place->take;
    view->stride = place->stride;
    view->offset = place->offset;
    view->transposed = place->tensor->transposed;
    view->add_one = place->tensor->add_one;
    import->views[i] = view;
    import->tensors[i] = &view->as;
    return take_parts(m, view, place, role->layer) && describe(m, view, role);
}

/* ---- Roles of a GGUF file, which are views where rows lie among others' or in another order ---- */

/* Rows of queries and keys whose rotary pairs lie side by side: the halves of each head are every second row,
 * so each is a part of its own, which begins a row later than the one before. */
static bool halve_heads(struct matching *m, struct view *view, const struct tensor *whole,
                        const struct role_tensor *role, const struct gguf_place *place) {
    const uint64_t half = m->import->config.head_dim / 2, row_bytes = whole->size / place->n_rows;
    view->n_parts = (size_t)(role->dims[0] / half);
    view->rows_each = half;
    view->take = 1;
    view->stride = 2;
    view->parts = ARENA_NEW(&m->import->arena, const struct tensor *, view->n_parts, m->error);
    struct tensor *parts = ARENA_NEW(&m->import->arena, struct tensor, view->n_parts, m->error);
    for (size_t p = 0; view->parts && parts && p < view->n_parts; p++) {
        uint64_t before = (place->first_row + p / 2 * 2 * half + p % 2) * row_bytes;
        parts[p] = *whole;
        parts[p].offset += before;
        parts[p].size -= before;
        view->parts[p] = &parts[p];
    }
    return view->parts && parts;
}

static bool take_rows(struct matching *m, struct view *view, const struct tensor *whole,
                      const struct role_tensor *role, const struct gguf_place *place) {
    view->n_parts = 1;
    view->rows_each = view->take = view->stride = role->dims[0];
    view->offset = place->first_row;
    view->parts = ARENA_NEW(&m->import->arena, const struct tensor *, 1, m->error);
    if (view->parts)
        view->parts[0] = whole;
    return view->parts;
}

static bool has_pairs(const struct matching *m, const struct role_tensor *role) {
    return m->paired && (role->role == ROLE_ATTN_Q || role->role == ROLE_ATTN_K ||
                         role->role == ROLE_ATTN_Q_BIAS || role->role == ROLE_ATTN_K_BIAS);
}

static bool match_gguf(struct matching *m, size_t i) {
    struct import *import = m->import;
    const struct role_tensor *role = &import->roles[i];
    struct gguf_place place = gguf_find_place(&import->container, &import->config, role);
    struct shape shape = {.n_dims = role->n_dims};
    memcpy(shape.dims, role->dims, sizeof role->dims);
    shape.dims[0] = place.n_rows;
    const struct tensor *whole = import->tensors[i] = take(m, place.name, &shape);
    if (!whole || (!has_pairs(m, role) && place.n_rows == role->dims[0]))
        return whole;
    struct view *view = ARENA_NEW(&import->arena, struct view, 1, m->error);
    if (!view || !(has_pairs(m, role) ? halve_heads : take_rows)(m, view, whole, role, &place))
        return false;
    import->views[i] = view;
    import->tensors[i] = &view->as;
    return describe(m, view, role);
}

static bool match_role(struct matching *m, size_t i) {
    const struct import *import = m->import;
    const struct role_tensor *role = &import->roles[i];
    struct place place;
    if (m->is_gguf)
        return match_gguf(m, i);
    if (!m->family)
        return match_whole(m, i, role->name);
    if (!place_find(m->family, &import->config, import->roles, import->n_tensors, i, &place))
        return fail(m->error, "%s: the configuration calls for %s, which no %s model is known to have",
                    import->container.path, role->name, m->family->name);
    return place.whole ? match_whole(m, i, place_name(&place, role->layer, 0).text)
                       : match_view(m, i, &place);
}

/* ---- Tensors that no role asks for ---- */

/* Is `name` the pattern with some number in place of {}? */
static bool matches_pattern(const char *name, const char *pattern) {
    const char *place = strstr(pattern, "{}");
    if (!place)
        return !strcmp(name, pattern);
    size_t before = (size_t)(place - pattern);
    if (strncmp(name, pattern, before))
        return false;
    size_t digits = strspn(name + before, "0123456789");
    return digits && !strcmp(name + before + digits, place + 2);
}

static bool matches_without(const char *name, const char *pattern, const char *prefix) {
    size_t length = prefix ? strlen(prefix) : 0;
    return length && !strncmp(pattern, prefix, length) && matches_pattern(name, pattern + length);
}

static bool is_ignored(const struct matching *m, const char *name) {
    const char *const *pattern = m->is_gguf  ? gguf_read_tensors
                                 : m->family ? m->family->ignored_tensors
                                             : NULL;
    const char *prefix = m->family ? m->family->prefix : NULL;
    for (; pattern && *pattern; pattern++)
        if (matches_pattern(name, *pattern) || matches_without(name, *pattern, prefix))
            return true;
    return false;
}

static bool check_extras(const struct matching *m) {
    const struct container *container = &m->import->container;
    const struct tensor *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        if (m->used[i] || is_ignored(m, tensor->name))
            continue;
        first = first ? first : tensor;
        count++;
    }
    if (!first)
        return true;
    const char *file = container->files[first->file].path;
    if (count == 1)
        return fail(m->error, "%s: tensor '%s' has no place in this model", file, first->name);
    return fail(m->error, "%s: tensor '%s' and %zu more have no place in this model", file, first->name,
                count - 1);
}

static bool same_bytes(const struct import *import, const struct tensor *a, const struct tensor *b,
                       bool *same, struct error *error) {
    uint8_t one[1 << 15], other[1 << 15];
    *same = a->type == b->type && a->size == b->size;
    for (uint64_t at = 0; *same && at < a->size; at += sizeof one) {
        size_t size = a->size - at < sizeof one ? (size_t)(a->size - at) : sizeof one;
        if (!tensor_read(&import->container, a, one, size, at, error) ||
            !tensor_read(&import->container, b, other, size, at, error))
            return false;
        *same = !memcmp(one, other, size);
    }
    return true;
}

/* A checkpoint with a tied head may store the head again. Where it is the embedding it carries nothing; where
 * it differs, versions of transformers disagree about which to believe, and so the checkpoint is refused. */
static bool check_stored_head(const struct matching *m) {
    const struct container *container = &m->import->container;
    if (!m->family || !m->import->config.tied_head)
        return true;
    const struct tensor *head = find(m, family_tensor(m->family, ROLE_OUTPUT)->name);
    const struct tensor *embedding = find(m, family_tensor(m->family, ROLE_TOKEN_EMBD)->name);
    bool same;
    if (!head)
        return true;
    if (!same_bytes(m->import, head, embedding, &same, m->error))
        return false;
    m->used[head - container->tensors] = true;
    return same ||
           fail(m->error,
                "%s: tie_word_embeddings is true, but tensor '%s' differs from '%s'; set it to false to "
                "keep both",
                container->path, head->name, embedding->name);
}

static bool match_roles(struct matching *m) {
    for (size_t i = 0; i < m->import->n_tensors; i++)
        if (!match_role(m, i))
            return false;
    return true;
}

static bool match_all(struct matching *m) {
    struct import *import = m->import;
    struct arena *arena = &import->arena;
    struct error *error = m->error;
    import->roles = config_tensors(&import->config, &import->n_tensors, arena, error);
    import->tensors =
        import->roles ? ARENA_NEW(arena, const struct tensor *, import->n_tensors, error) : NULL;
    import->views = import->tensors ? ARENA_NEW(arena, const struct view *, import->n_tensors, error) : NULL;
    m->used = import->views ? ARENA_NEW(arena, bool, import->container.n_tensors + 1, error) : NULL;
    return m->used && match_roles(m) && check_stored_head(m) && check_extras(m);
}

bool match_tensors(struct import *import, const struct family *family, struct error *error) {
    return match_all(&(struct matching){.import = import, .family = family, .error = error});
}

bool match_gguf_tensors(struct import *import, bool paired, struct error *error) {
    return match_all(&(struct matching){.import = import, .is_gguf = true, .paired = paired, .error = error});
}
