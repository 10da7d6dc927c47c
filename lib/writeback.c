#include "lib/writeback.h"

#include <fcntl.h>

void writeback_init(struct writeback *writeback, int fd) {
    *writeback = (struct writeback){.fd = fd};
    pthread_mutex_init(&writeback->mutex, NULL);
    pthread_cond_init(&writeback->changed, NULL);
}

#ifdef SYNC_FILE_RANGE_WRITE

enum { STEP_BYTES = 16 << 20 };

/* Without SYNC_FILE_RANGE_WAIT_*, so that errors are kept for the sync at the end. */
static void *write_out(void *context) {
    struct writeback *writeback = context;
    pthread_mutex_lock(&writeback->mutex);
    for (;;) {
        while (!writeback->ending && writeback->waiting_bytes < STEP_BYTES)
            pthread_cond_wait(&writeback->changed, &writeback->mutex);
        if (writeback->ending)
            break;
        writeback->waiting_bytes = 0;
        pthread_mutex_unlock(&writeback->mutex);
        sync_file_range(writeback->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        pthread_mutex_lock(&writeback->mutex);
    }
    pthread_mutex_unlock(&writeback->mutex);
    return NULL;
}

void writeback_note(struct writeback *writeback, size_t size) {
    pthread_mutex_lock(&writeback->mutex);
    writeback->waiting_bytes += size;
    if (writeback->waiting_bytes >= STEP_BYTES) {
        if (!writeback->running)
            writeback->running = pthread_create(&writeback->thread, NULL, write_out, writeback) == 0;
        pthread_cond_signal(&writeback->changed);
    }
    pthread_mutex_unlock(&writeback->mutex);
}

#else

void writeback_note(struct writeback *writeback, size_t size) {
    (void)writeback, (void)size;
}

#endif

void writeback_end(struct writeback *writeback) {
    pthread_mutex_lock(&writeback->mutex);
    writeback->ending = true;
    pthread_cond_signal(&writeback->changed);
    pthread_mutex_unlock(&writeback->mutex);
    if (writeback->running)
        pthread_join(writeback->thread, NULL);
    pthread_cond_destroy(&writeback->changed);
    pthread_mutex_destroy(&writeback->mutex);
}
