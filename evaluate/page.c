#include "evaluate/page.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(struct page *page, const char *bytes, size_t size) {
    if (!page->failed)
        page->failed = !buffer_append(page->to, bytes, size, page->error);
}

void put(struct page *page, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    assert(length >= 0);
    char *to = page->failed ? NULL : buffer_reserve(page->to, (size_t)length, page->error);
    if (to) {
        vsnprintf(to, (size_t)length + 1, format, again);
        page->to->size += (size_t)length;
    }
    page->failed = !to;
    va_end(again);
    va_end(arguments);
}

static const char *entity_of(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    }
    return NULL;
}

void put_text(struct page *page, const char *text) {
    for (; *text; text++) {
        const char *entity = entity_of(*text);
        append(page, entity ? entity : text, entity ? strlen(entity) : 1);
    }
}
