/* The 16 values of the IQ4 types. */
#ifndef TYPES_GGUF_IQ4_H
#define TYPES_GGUF_IQ4_H

#include <stdint.h>

static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

#endif
