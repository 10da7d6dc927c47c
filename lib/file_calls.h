/* What file.c and output.c share: system calls that tests can make fail. */
#ifndef LIB_FILE_CALLS_H
#define LIB_FILE_CALLS_H

#include "lib/file.h"

/* True with errno set for the call that file_fail_at chose; asked before each. */
bool file_call_fails(void);

/* How much to ask for at once: some systems refuse transfers of more than INT_MAX bytes. */
static inline size_t file_transfer(size_t size) {
    return size < (size_t)1 << 30 ? size : (size_t)1 << 30;
}

/* Of what stands before the base, its last slash included; 0 for a bare name. */
static inline size_t path_folder_length(const char *path) {
    return (size_t)(path_base(path) - path);
}

#endif
