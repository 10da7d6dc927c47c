#include "models/family.h"

extern const struct family llama_family, mistral_family;

const struct family *const families[] = {&llama_family, &mistral_family, NULL};
