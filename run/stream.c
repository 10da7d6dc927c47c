#include "run/stream.h"

#include "infer/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool put(struct stream *stream, const char *text, size_t size, struct error *error) {
    if (stream->closed || (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0))
        return true;
    stream->closed = errno == EPIPE;
    return stream->closed || fail_errno(error, "standard output");
}

static bool put_repaired(struct stream *stream, const char *text, size_t size, struct error *error) {
    struct buffer repaired = {0};
    bool good = utf8_repair(text, size, &repaired, error) &&
                (repaired.size == 0 || put(stream, repaired.data, repaired.size, error));
    buffer_free(&repaired);
    return good;
}

bool stream_write(struct stream *stream, const char *text, size_t size, struct error *error) {
    struct buffer *pending = &stream->pending;
    if (size == 0)
        return true;
    if (!buffer_append(pending, text, size, error))
        return false;
    size_t whole = utf8_complete(pending->data, pending->size);
    if (!put_repaired(stream, pending->data, whole, error))
        return false;
    pending->size -= whole;
    memmove(pending->data, pending->data + whole, pending->size);
    return true;
}

bool stream_end(struct stream *stream, struct error *error) {
    struct buffer *pending = &stream->pending;
    bool good = put_repaired(stream, pending->data, pending->size, error) && put(stream, "\n", 1, error);
    pending->size = 0;
    return good;
}

void stream_free(struct stream *stream) {
    buffer_free(&stream->pending);
}
