/* XXH3-128, with which .qm files check everything. xxHash is compiled in: the layout of its state is no part
 * of the library's binary interface, and here the state lies in memory of ours. */
#ifndef FORMAT_DIGEST_H
#define FORMAT_DIGEST_H

#include "format/format.h"

struct digest_state {
    _Alignas(64) unsigned char opaque[576];
};

void digest_begin(struct digest_state *state);
void digest_add(struct digest_state *state, const void *bytes, size_t size);
struct digest128 digest_end(const struct digest_state *state);

struct digest128 digest_of(const void *bytes, size_t size);
bool digest_is(const struct digest128 *digest, const void *stored); /* 16 bytes */

/* Hexadecimal, for sentences. */
struct digest_text {
    char hex[33];
};
struct digest_text digest_text(const void *stored);

#endif
