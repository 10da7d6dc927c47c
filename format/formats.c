#include "format/gguf.h"
#include "format/qm.h"
#include "format/safetensors.h"

const struct format *const formats[] = {&qm_format, &gguf_format, &safetensors_format, NULL};
