/* SHA-256 (FIPS 180-4) of source files, by libcrypto. */
#ifndef MODELS_SHA256_H
#define MODELS_SHA256_H

#include "lib/file.h"

#define SHA256_TEXT 65 /* 64 lower-case hexadecimal digits and a NUL */

bool sha256_bytes(const void *bytes, size_t size, char text[SHA256_TEXT], struct error *error);
/* Reads the file once, from its first byte to its last. */
bool sha256_file(const struct input *file, char text[SHA256_TEXT], struct error *error);

#endif
