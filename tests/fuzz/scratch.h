/* For targets of parsers that open paths: a folder of this process's own, and files in it. */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_FILES 4

static char scratch_folder[] = "/tmp/fuzz.XXXXXX";
static char scratch_paths[SCRATCH_FILES][64];

static void scratch_remove(void) {
    for (int i = 0; i < SCRATCH_FILES; i++)
        if (scratch_paths[i][0])
            unlink(scratch_paths[i]);
    rmdir(scratch_folder);
}

static void scratch_check(int good) {
    if (!good) {
        perror(scratch_folder);
        abort();
    }
}

/* The path of file number `slot`, which is called `name`. */
static const char *scratch_write(int slot, const char *name, const void *data, size_t size) {
    static int is_made;
    if (!is_made) {
        scratch_check(mkdtemp(scratch_folder) != NULL);
        is_made = !atexit(scratch_remove);
    }
    snprintf(scratch_paths[slot], sizeof scratch_paths[slot], "%s/%s", scratch_folder, name);
    FILE *file = fopen(scratch_paths[slot], "wb");
    scratch_check(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    return scratch_paths[slot];
}

#endif
