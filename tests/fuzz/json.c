/* Whatever the text, reading it ends with a sentence or with a tree that reads back the same from what is
 * written. */
#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer text = {0};
    struct error error = {""};
    json_t *tree = json_read("fuzz", (const char *)data, size, &error);
    if (tree) {
        if (!json_write(tree, &text, &error))
            abort();
        json_t *again = json_read("again", text.data, text.size, &error);
        if (!again || !json_equal(tree, again))
            abort();
        json_decref(again);
    } else if (strlen(error.text) == 0)
        abort();
    json_decref(tree);
    buffer_free(&text);
    return 0;
}
