#include "models/place.h"

#include <string.h>

/* The layer goes into the first {} and the expert into the second. */
struct place_name place_name(const struct place *place, uint32_t layer, size_t part) {
    struct place_name first = {""}, name = {""};
    layer_name(first.text, sizeof first.text, place->tensor->name, layer);
    layer_name(name.text, sizeof name.text, first.text, (uint32_t)part);
    return name;
}

static bool has_two_places(const char *pattern) {
    const char *place = strstr(pattern, "{}");
    return place && strstr(place + 2, "{}");
}

/* How the roles that share role i's tensor lie in it. */
struct sharing {
    uint64_t rows; /* of all of them */
    uint64_t before; /* of those before role i */
};

static struct sharing sharing_of(const struct family *family, const struct role_tensor *roles, size_t n_roles,
                                 size_t i) {
    const char *name = family_tensor(family, roles[i].role)->name;
    struct sharing sharing = {0};
    size_t k = i;
    while (k > 0 && roles[k - 1].layer == roles[i].layer)
        k--;
    for (; k < n_roles && roles[k].layer == roles[i].layer; k++) {
        const struct family_tensor *tensor = family_tensor(family, roles[k].role);
        if (!tensor || strcmp(tensor->name, name))
            continue;
        sharing.before += k < i ? roles[k].dims[0] : 0;
        sharing.rows += roles[k].dims[0];
    }
    return sharing;
}

static void set_dims(struct place *place, const struct role_tensor *role, uint64_t rows) {
    uint64_t cols = role->dims[role->n_dims - 1];
    bool transposed = place->tensor->transposed;
    place->n_dims = role->n_dims == 1 ? 1 : 2;
    place->dims[0] = transposed && role->n_dims > 1 ? cols : rows;
    place->dims[1] = transposed ? rows : cols;
}

static void lay_whole(struct place *place, const struct role_tensor *role) {
    place->whole = true;
    place->n_parts = 1;
    place->n_dims = role->n_dims + place->tensor->one_row;
    place->dims[0] = 1;
    memcpy(place->dims + place->tensor->one_row, role->dims, role->n_dims * sizeof *role->dims);
    place->rows_each = place->take = place->stride = role->dims[0];
}

static void lay_parts(struct place *place, const struct role_tensor *role, struct sharing sharing,
                      uint64_t turns) {
    bool experts = role->n_dims == 3;
    if (experts)
        sharing = (struct sharing){role->dims[1], 0};
    place->n_parts = experts ? (size_t)role->dims[0] : 1;
    place->rows_each = experts ? role->dims[1] : role->dims[0];
    place->take = place->rows_each / turns;
    place->stride = sharing.rows / turns;
    place->offset = sharing.before / turns;
    set_dims(place, role, sharing.rows);
}

bool place_find(const struct family *family, const struct model_config *config,
                const struct role_tensor *roles, size_t n_roles, size_t i, struct place *place) {
    const struct family_tensor *tensor = family_tensor(family, roles[i].role);
    *place = (struct place){.tensor = tensor};
    if (!tensor)
        return false;
    struct sharing sharing = sharing_of(family, roles, n_roles, i);
    if (tensor->transposed || tensor->add_one || has_two_places(tensor->name) ||
        sharing.rows != roles[i].dims[0])
        lay_parts(place, &roles[i], sharing, tensor->by_head ? config->n_kv_heads : 1);
    else
        lay_whole(place, &roles[i]);
    return true;
}
