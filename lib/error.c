#include "lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names from files end up on terminals: without control characters they can't move the cursor or split the
 * line. */
static void blank_controls(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* Where vsnprintf cut a sentence, it may have cut a character: drop the incomplete one. */
static void trim_cut_character(char *text, size_t length) {
    size_t start = length;
    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0 || (unsigned char)text[start - 1] < 0xc0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t needed = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (length - start < needed)
        text[start - 1] = '\0';
}

/* Formats beside the destination, because the arguments may well include the text being replaced. */
static void write_sentence(struct error *error, const char *format, va_list arguments) {
    char text[sizeof error->text];
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (length < 0)
        strcpy(text, "an error that could not be put into words");
    else if ((size_t)length >= sizeof text)
        trim_cut_character(text, sizeof text - 1);
    blank_controls(text);
    memcpy(error->text, text, sizeof text);
}

bool fail(struct error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_sentence(error, format, arguments);
    va_end(arguments);
    return false;
}

bool fail_errno(struct error *error, const char *format, ...) {
    int number = errno;
    struct error place;
    va_list arguments;
    va_start(arguments, format);
    write_sentence(&place, format, arguments);
    va_end(arguments);
    return fail(error, "%s: %s", place.text, strerror(number));
}
