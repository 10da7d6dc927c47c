/* Text on standard output as its bytes come, in whole characters. */
#ifndef RUN_STREAM_H
#define RUN_STREAM_H

#include "lib/memory.h"

struct stream {
    struct buffer pending; /* the beginning of a character */
    bool closed; /* nobody reads any more: not an error, but reason to stop */
};

/* Ill-formed bytes become U+FFFD. False where standard output cannot be written (a full disk). */
bool stream_write(struct stream *stream, const char *text, size_t size, struct error *error);

/* Writes what is left of a broken character, and a newline. */
bool stream_end(struct stream *stream, struct error *error);
void stream_free(struct stream *stream);

#endif
