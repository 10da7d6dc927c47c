/* Writing HTML and SVG into a buffer. The first failure is kept, and what comes behind it does nothing, so
 * that a page reads as a list of its parts. */
#ifndef EVALUATE_PAGE_H
#define EVALUATE_PAGE_H

#include "lib/memory.h"

struct page {
    struct buffer *to;
    struct error *error;
    bool failed;
};

/* Markup with numbers put in; never text from elsewhere. */
void put(struct page *page, const char *format, ...) PRINTF_LIKE(2, 3);

/* Any text, with what means something to HTML made harmless. */
void put_text(struct page *page, const char *text);

#endif
