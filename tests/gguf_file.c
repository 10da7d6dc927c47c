#include "tests/gguf_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(2);
    }
}

static void put(uint8_t *to, size_t room, size_t *used, const void *bytes, size_t size) {
    check(size <= room - *used, "a GGUF file of a test is too large");
    if (size)
        memcpy(to + *used, bytes, size);
    *used += size;
}

static void put_item(struct gguf_file *file, const void *bytes, size_t size) {
    put(file->items, sizeof file->items, &file->items_size, bytes, size);
}

static void put_item_number(struct gguf_file *file, uint64_t x, size_t size) {
    put_item(file, &x, size);
}

static void put_item_text(struct gguf_file *file, const char *text, size_t size) {
    put_item_number(file, size, 8);
    put_item(file, text, size);
}

static void begin_item(struct gguf_file *file, const char *key, uint32_t kind) {
    put_item_text(file, key, strlen(key));
    put_item_number(file, kind, 4);
    file->n_items++;
}

void gguf_put_uint(struct gguf_file *file, const char *key, uint32_t value) {
    begin_item(file, key, 4);
    put_item_number(file, value, 4);
}

void gguf_put_real(struct gguf_file *file, const char *key, float value) {
    begin_item(file, key, 6);
    put_item(file, &value, sizeof value);
}

void gguf_put_flag(struct gguf_file *file, const char *key, int value) {
    begin_item(file, key, 7);
    put_item_number(file, value != 0, 1);
}

void gguf_put_text(struct gguf_file *file, const char *key, const char *value) {
    begin_item(file, key, 8);
    put_item_text(file, value, strlen(value));
}

static void begin_array(struct gguf_file *file, const char *key, uint32_t kind, size_t count) {
    begin_item(file, key, 9);
    put_item_number(file, kind, 4);
    put_item_number(file, count, 8);
}

void gguf_put_texts(struct gguf_file *file, const char *key, const char *values) {
    size_t count = *values != 0;
    for (const char *at = values; *at; at++)
        count += *at == ' ';
    begin_array(file, key, 8, count);
    for (const char *at = values; count-- > 0; at += strcspn(at, " ") + 1)
        put_item_text(file, at, strcspn(at, " "));
}

void gguf_put_ints(struct gguf_file *file, const char *key, size_t count, const int32_t *values) {
    begin_array(file, key, 5, count);
    put_item(file, values, count * sizeof *values);
}

void gguf_put_raw(struct gguf_file *file, const char *key, const void *bytes, size_t size) {
    put_item_text(file, key, strlen(key));
    put_item(file, bytes, size);
    file->n_items++;
}

static size_t aligned(const struct gguf_file *file, size_t offset) {
    return offset + -offset % (file->alignment ? file->alignment : 32);
}

void gguf_put_tensor(struct gguf_file *file, const char *name, uint32_t type, size_t bytes, uint64_t rows,
                     uint64_t cols) {
    const uint64_t length = strlen(name), dims[] = {cols ? cols : rows, rows};
    const uint32_t n_dims = cols ? 2 : 1;
    const uint64_t offset = aligned(file, file->data_size);
    const struct {
        const void *bytes;
        size_t size;
    } parts[] = {{&length, 8}, {name, length}, {&n_dims, 4}, {dims, 8 * (size_t)n_dims},
                 {&type, 4},   {&offset, 8}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        put(file->tensors, sizeof file->tensors, &file->tensors_size, parts[i].bytes, parts[i].size);
    file->data_size = (size_t)offset + bytes;
    file->n_tensors++;
}

/* ---- A llama ---- */

void gguf_put_llama(struct gguf_file *file) {
    static const char *const matrices[] = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                           "ffn_gate", "ffn_up", "ffn_down"};
    char name[64];
    gguf_put_text(file, "general.architecture", "llama");
    gguf_put_uint(file, "llama.block_count", 1);
    gguf_put_uint(file, "llama.embedding_length", 32);
    gguf_put_uint(file, "llama.feed_forward_length", 32);
    gguf_put_uint(file, "llama.attention.head_count", 1);
    gguf_put_uint(file, "llama.context_length", 64);
    gguf_put_real(file, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_put_tensor(file, "token_embd.weight", 0, 40 * 32 * 4, 40, 32);
    gguf_put_tensor(file, "output_norm.weight", 0, 32 * 4, 32, 0);
    gguf_put_tensor(file, "blk.0.attn_norm.weight", 0, 32 * 4, 32, 0);
    gguf_put_tensor(file, "blk.0.ffn_norm.weight", 0, 32 * 4, 32, 0);
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) {
        snprintf(name, sizeof name, "blk.0.%s.weight", matrices[i]);
        gguf_put_tensor(file, name, 0, 32 * 32 * 4, 32, 32);
    }
}

/* ---- The whole ---- */

const uint8_t *gguf_bytes(const struct gguf_file *file, size_t *size) {
    static uint8_t bytes[1 << 18];
    const uint32_t version = file->version ? file->version : 3;
    *size = 0;
    put(bytes, sizeof bytes, size, "GGUF", 4);
    put(bytes, sizeof bytes, size, &version, 4);
    put(bytes, sizeof bytes, size, &file->n_tensors, 8);
    put(bytes, sizeof bytes, size, &file->n_items, 8);
    put(bytes, sizeof bytes, size, file->items, file->items_size);
    put(bytes, sizeof bytes, size, file->tensors, file->tensors_size);
    size_t end = aligned(file, *size) + file->data_size;
    check(end <= sizeof bytes, "a GGUF file of a test is too large");
    memset(bytes + *size, 0, end - *size);
    *size = end;
    return bytes;
}

void gguf_write(const struct gguf_file *file, const char *path) {
    size_t size;
    const uint8_t *bytes = gguf_bytes(file, &size);
    FILE *to = fopen(path, "wb");
    check(to && fwrite(bytes, 1, size, to) == size && fclose(to) == 0, path);
}
