#include "tests/checkpoint.h"

#include "lib/half.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die(const char *what) {
    perror(what);
    exit(2);
}

static void put_file(const char *folder, const char *name, const void *bytes, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        die(path);
}

/* ---- The tensors ---- */

struct writing {
    const struct checkpoint *checkpoint;
    char header[16384];
    size_t header_size;
    uint8_t data[1 << 18];
    size_t data_size;
    uint32_t random;
};

/* About [-1, 1], the same everywhere. */
static float next_value(struct writing *w) {
    w->random = w->random * 1664525 + 1013904223;
    return (float)(int32_t)w->random * 0x1p-31f;
}

static void put_value(struct writing *w, const char *dtype, float x) {
    uint32_t bits = float_bits(x);
    size_t size = 2;
    if (!strcmp(dtype, "F16"))
        bits = float_to_half(x);
    else if (!strcmp(dtype, "BF16"))
        bits = float_to_bfloat(x);
    else if (!strcmp(dtype, "F32"))
        size = 4;
    for (size_t i = 0; i < size; i++)
        w->data[w->data_size++] = (uint8_t)(bits >> 8 * i);
}

static bool is(const char *name, const char *wanted) {
    return wanted && !strcmp(name, wanted);
}

static void put_tensor(struct writing *w, const char *name, size_t n_rows, size_t n_cols) {
    const struct checkpoint *c = w->checkpoint;
    const char *dtype = is(name, c->retype) ? "I16" : c->dtype ? c->dtype : "F16";
    char shape[48];
    size_t begin = w->data_size, rows = n_rows ? n_rows : 1;
    if (is(name, c->drop))
        return;
    if (is(name, c->reshape) && n_rows)
        rows = ++n_rows;
    else if (is(name, c->reshape))
        n_cols++;
    for (size_t i = 0; i < rows * n_cols; i++) {
        float x = next_value(w);
        put_value(w, dtype, is(name, c->poke) && i == c->poke_at ? c->poke_value : x);
    }
    if (n_rows)
        snprintf(shape, sizeof shape, "%zu,%zu", n_rows, n_cols);
    else
        snprintf(shape, sizeof shape, "%zu", n_cols);
    w->header_size +=
        (size_t)snprintf(w->header + w->header_size, sizeof w->header - w->header_size,
                         "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                         w->header_size > 1 ? "," : "", name, dtype, shape, begin, w->data_size);
}

static void put_layer(struct writing *w, int layer) {
    static const struct {
        const char *name;
        size_t n_rows, n_cols;
    } tensors[] = {
        {"input_layernorm.weight", 0, 40},          {"mlp.down_proj.weight", 40, 72},
        {"mlp.gate_proj.weight", 72, 40},           {"mlp.up_proj.weight", 72, 40},
        {"post_attention_layernorm.weight", 0, 40}, {"self_attn.k_proj.weight", 20, 40},
        {"self_attn.o_proj.weight", 40, 40},        {"self_attn.q_proj.weight", 40, 40},
        {"self_attn.v_proj.weight", 20, 40},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        char name[128];
        snprintf(name, sizeof name, "model.layers.%d.%s", layer, tensors[i].name);
        put_tensor(w, name, tensors[i].n_rows, tensors[i].n_cols);
    }
}

static void put_tensors(struct writing *w) {
    const struct checkpoint *c = w->checkpoint;
    w->header[w->header_size++] = '{';
    put_tensor(w, "model.embed_tokens.weight", 50, 40);
    put_layer(w, 0);
    put_layer(w, 1);
    put_tensor(w, "model.norm.weight", 0, 40);
    if (c->head)
        put_tensor(w, "lm_head.weight", 50, 40);
    if (c->extra)
        put_tensor(w, c->extra, 0, 3);
    if (c->copy_of_embedding) {
        w->random = 1; /* as it was for the first tensor */
        put_tensor(w, c->copy_of_embedding, 50, 40);
    }
    w->header[w->header_size++] = '}';
}

void checkpoint_write(const char *folder, const struct checkpoint *checkpoint) {
    static struct writing w;
    static uint8_t file[8 + sizeof w.header + sizeof w.data];
    w = (struct writing){.checkpoint = checkpoint, .random = 1};
    put_tensors(&w);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)w.header_size >> 8 * i);
    memcpy(file + 8, w.header, w.header_size);
    memcpy(file + 8 + w.header_size, w.data, w.data_size);
    put_file(folder, "model.safetensors", file, 8 + w.header_size + w.data_size);
    const char *config = checkpoint->config ? checkpoint->config : CHECKPOINT_CONFIG;
    if (*config)
        put_file(folder, "config.json", config, strlen(config));
    put_file(folder, "tokenizer.json", "{}", 2);
}

/* ---- The folder ---- */

static char scratch[] = "/tmp/qm_test.XXXXXX";

static void remove_scratch(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    if (chdir("/") || system(command))
        perror(scratch);
}

void enter_scratch_folder(void) {
    if (!mkdtemp(scratch) || atexit(remove_scratch) || chdir(scratch))
        die(scratch);
}
