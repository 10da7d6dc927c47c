#include "types/gguf.h"

#include <string.h>

extern const struct type type_f32, type_f16, type_bf16;
extern const struct type type_gguf_q4_0, type_gguf_q4_1, type_gguf_q5_0, type_gguf_q5_1, type_gguf_q8_0;
extern const struct type type_gguf_q2_k, type_gguf_q3_k, type_gguf_q4_k, type_gguf_q5_k, type_gguf_q6_k;
extern const struct type type_gguf_iq4_nl, type_gguf_iq4_xs;

const struct gguf_type gguf_types[] = {
    {GGUF_F32, "F32", 1, 4, &type_f32},
    {GGUF_F16, "F16", 1, 2, &type_f16},
    {GGUF_Q4_0, "Q4_0", 32, 18, &type_gguf_q4_0},
    {3, "Q4_1", 32, 20, &type_gguf_q4_1},
    {6, "Q5_0", 32, 22, &type_gguf_q5_0},
    {7, "Q5_1", 32, 24, &type_gguf_q5_1},
    {GGUF_Q8_0, "Q8_0", 32, 34, &type_gguf_q8_0},
    {9, "Q8_1", 32, 36, NULL},
    {10, "Q2_K", 256, 84, &type_gguf_q2_k},
    {11, "Q3_K", 256, 110, &type_gguf_q3_k},
    {12, "Q4_K", 256, 144, &type_gguf_q4_k},
    {13, "Q5_K", 256, 176, &type_gguf_q5_k},
    {14, "Q6_K", 256, 210, &type_gguf_q6_k},
    {15, "Q8_K", 256, 292, NULL},
    {16, "IQ2_XXS", 256, 66, NULL},
    {17, "IQ2_XS", 256, 74, NULL},
    {18, "IQ3_XXS", 256, 98, NULL},
    {19, "IQ1_S", 256, 50, NULL},
    {20, "IQ4_NL", 32, 18, &type_gguf_iq4_nl},
    {21, "IQ3_S", 256, 110, NULL},
    {22, "IQ2_S", 256, 82, NULL},
    {23, "IQ4_XS", 256, 136, &type_gguf_iq4_xs},
    {24, "I8", 1, 1, NULL},
    {25, "I16", 1, 2, NULL},
    {26, "I32", 1, 4, NULL},
    {27, "I64", 1, 8, NULL},
    {28, "F64", 1, 8, NULL},
    {29, "IQ1_M", 256, 56, NULL},
    {GGUF_BF16, "BF16", 1, 2, &type_bf16},
    {34, "TQ1_0", 256, 54, NULL},
    {35, "TQ2_0", 256, 66, NULL},
    {39, "MXFP4", 32, 17, NULL},
    {40, "NVFP4", 64, 36, NULL},
};

const size_t n_gguf_types = sizeof gguf_types / sizeof *gguf_types;

const struct gguf_type *gguf_type_find(uint32_t id) {
    for (size_t i = 0; i < n_gguf_types; i++)
        if (gguf_types[i].id == id)
            return &gguf_types[i];
    return NULL;
}

const struct gguf_type *gguf_type_named(const char *name) {
    for (size_t i = 0; i < n_gguf_types; i++)
        if (!strcmp(gguf_types[i].name, name))
            return &gguf_types[i];
    return NULL;
}
