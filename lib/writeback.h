/* Starts the disk early: while an output is still being written, a thread of its own asks the system to write
 * out what is there, so that the sync at the end finds little left. (Asking from the writing thread makes it
 * wait for the disk.) Does nothing where the system has no such call, and for small files. */
#ifndef LIB_WRITEBACK_H
#define LIB_WRITEBACK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct writeback {
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t waiting_bytes;
    bool running, ending;
};

void writeback_init(struct writeback *writeback, int fd);
void writeback_note(struct writeback *writeback, size_t size); /* so much was written; from any thread */
void writeback_end(struct writeback *writeback);

#endif
