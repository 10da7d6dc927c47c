/* Command lines as tables.
 *
 * A program lists its options, each with the variable that it sets; options_parse fills them, prints --help
 * and --version, and adds what all programs share: -j/--threads, --cpu, -q, -v, --force, --help, --version.
 * Long options take "--name value" and "--name=value", short ones "-n 5" and "-n5"; "--" ends options, a lone
 * "-" is an argument. The value is taken as it stands, so that negative numbers need nothing special. An
 * unknown option is an error that names the nearest known one. */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include "lib/memory.h"

enum option_kind {
    OPTION_FLAG, /* bool *: set to true */
    OPTION_TEXT, /* const char ** */
    OPTION_LIST, /* struct text_list *: may repeat */
    OPTION_COUNT, /* uint64_t *: decimal, with K M G (powers of 1000) or Ki Mi Gi behind it allowed */
    OPTION_REAL, /* double *: finite */
};

struct text_list {
    const char **items;
    size_t count;
};

struct option {
    const char *name; /* without dashes; "p|prompt" gives -p and --prompt */
    enum option_kind kind;
    void *value;
    const char *argument; /* as help shows it, such as "FILE"; NULL for flags */
    const char *help; /* one line; what happens without the option belongs in it */
};

struct command {
    const char *name; /* "quantize" */
    const char *synopsis; /* "--type TYPE IN OUT" */
    const char *summary; /* one sentence, then what a user must know, as --help prints it */
    const struct option *options; /* ends with a zeroed entry */
    size_t min_arguments, max_arguments; /* positional */
};

/* What every program takes. */
struct common {
    uint64_t n_threads; /* 0: one per processor */
    const char *cpu;
    bool quiet, verbose, force;
};

enum parsed { PARSED_RUN, PARSED_EXIT, PARSED_WRONG };

/* PARSED_RUN: go on. PARSED_EXIT: help or version was printed, exit 0. PARSED_WRONG: exit 2 with the
 * sentence. Positional arguments land in `arguments`; everything is owned by `arena` or by argv. --cpu is
 * applied here. */
enum parsed options_parse(const struct command *command, int argc, char **argv, struct common *common,
                          struct text_list *arguments, struct arena *arena, struct error *error);

/* Exit statuses of every program. */
enum { EXIT_DONE = 0, EXIT_CHECK_FAILED = 1, EXIT_UNABLE = 2 };

/* For the end of main: results that could not be written to standard output (a full disk) are a failure. */
bool finish_output(struct error *error);

/* Prints "name: sentence" to stderr, over a progress bar if there is one, and returns EXIT_UNABLE. */
int report_failure(const struct command *command, const struct error *error);

#define PROJECT_VERSION "1.0.0"

#endif
