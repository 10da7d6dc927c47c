#include "format/qm.h"
#include "format/safetensors.h"

const struct format *const formats[] = {&qm_format, &safetensors_format, NULL};
