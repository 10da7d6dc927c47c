/* What convert can make of a model, by the ending of the output's name. */
#ifndef CONVERT_TARGETS_H
#define CONVERT_TARGETS_H

#include "lib/options.h"
#include "lib/threads.h"
#include "models/import.h"

struct request {
    const char *dtype; /* but for .gguf */
    const char *as; /* for .gguf; NULL: each tensor keeps its type */
    struct common common;
};

/* Each says what it wrote on standard error, unless quiet. */
typedef bool write_fn(const struct request *request, struct import *import, const char *out,
                      struct pool *pool, struct error *error);
write_fn write_qm, write_safetensors, write_folder, write_gguf;

struct target {
    const char *ending; /* "" stands for every other name, which is a folder's */
    write_fn *write;
};

/* By the ending of `out`; NULL where it is one of a file that is not written. */
const struct target *find_target(const char *out, struct error *error);

/* Refuses options that are another target's. */
bool check_options(const struct request *request, const struct target *target, struct error *error);

/* The last line of a run: "OUT: 134.52 M weights, 269.1 MB, 16.00 bits per weight, 0.31 s". */
void report_written(const char *out, uint64_t n_weights, uint64_t bytes, double started);

/* "f16" as a type, NULL for "keep". */
bool find_dtype(const char *name, const struct type **type, struct error *error);

#endif
