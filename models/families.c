#include "models/family.h"

extern const struct family falcon_11b_family, falcon_40b_family, falcon_7b_family, gemma2_family,
    gemma3_family, gemma_family, gpt2_family, gpt_neox_family, granite_family, llama_family, mistral_family,
    mixtral_family, olmo2_family, olmo3_family, olmoe_family, phi3_family, qwen2_family, qwen2_moe_family,
    qwen3_family, qwen3_moe_family, smollm3_family, stablelm_family, starcoder2_family;

const struct family *const families[] = {
    &llama_family,     &mistral_family,    &mixtral_family,    &qwen2_family,  &qwen2_moe_family,
    &qwen3_family,     &qwen3_moe_family,  &gemma_family,      &gemma2_family, &gemma3_family,
    &phi3_family,      &smollm3_family,    &olmo2_family,      &olmo3_family,  &olmoe_family,
    &granite_family,   &stablelm_family,   &starcoder2_family, &gpt2_family,   &gpt_neox_family,
    &falcon_7b_family, &falcon_11b_family, &falcon_40b_family, NULL,
};
