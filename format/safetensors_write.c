#include "format/safetensors_write.h"

#include "format/safetensors.h"
#include "lib/json.h"

#include <ctype.h>
#include <string.h>

/* "bf16" -> "BF16" */
static json_t *dtype_json(const char *type) {
    char name[8] = "";
    for (size_t i = 0; type[i] && i + 1 < sizeof name; i++)
        name[i] = (char)toupper((unsigned char)type[i]);
    return json_string(name);
}

static json_t *tensor_json(const struct tensor *tensor) {
    json_t *shape = json_array();
    for (uint32_t d = 0; d < tensor->n_dims; d++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->dims[d]));
    return json_pack("{s:o, s:o, s:[I, I]}", "dtype", dtype_json(tensor->layout.name), "shape", shape,
                     "data_offsets", (json_int_t)tensor->offset, (json_int_t)(tensor->offset + tensor->size));
}

static int append(const char *text, size_t size, void *to) {
    struct error ignored;
    return buffer_append(to, text, size, &ignored) ? 0 : -1;
}

/* The size first is a place for it, and then it. */
bool safetensors_put_header(struct buffer *to, const char *path, const struct tensor *tensors,
                            size_t n_tensors, struct error *error) {
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    uint64_t size = 0;
    bool good = buffer_append(to, &size, sizeof size, error);
    for (size_t i = 0; good && i < n_tensors; i++)
        good = json_object_set_new(header, tensors[i].name, tensor_json(&tensors[i])) == 0;
    good = good && json_dump_callback(header, append, to, JSON_COMPACT) == 0;
    json_decref(header);
    while (good && to->size % 8)
        good = append(" ", 1, to) == 0;
    if (!good)
        return fail(error, "%s: out of memory for the header", path);
    size = to->size - sizeof size;
    if (size > SAFETENSORS_MAX_HEADER)
        return fail(error, "%s: the header takes %llu bytes, the limit is %u", path, (unsigned long long)size,
                    SAFETENSORS_MAX_HEADER);
    memcpy(to->data, &size, sizeof size);
    return true;
}
