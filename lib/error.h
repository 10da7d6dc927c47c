/* Errors are sentences.
 *
 * A function that can fail returns bool (or a pointer, NULL on failure) and takes a `struct error *` last.
 * Whoever finds the problem writes the whole sentence, naming file, place and numbers: "model.qm: tensor
 * 'output.weight' ends at 4096, the file is 4000 bytes". Callers pass it on untouched; only `main` prints it.
 */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#include <stdbool.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

struct error {
    char text[1024]; /* UTF-8, NUL-terminated, no full stop or newline at its end; longer sentences are cut */
};

/* Writes the sentence and returns false, so that a check reads `return fail(error, "...")`. */
bool fail(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Like fail(), with ": " and the text of the current errno behind the sentence. */
bool fail_errno(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
