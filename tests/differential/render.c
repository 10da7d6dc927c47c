/* Renders chat templates for chat.py: one JSON object a line on standard input, {"template", "own",
 * "outside"} and perhaps "now" (seconds, in UTC), and one a line on standard output, {"text", "outside"} or
 * {"error"}; "outside" has a letter "1" for each byte that came from outside, else "0". */
#include "infer/jinja/jinja.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *render(const json_t *request, struct arena *arena, struct error *error) {
    const json_t *source = json_object_get(request, "template");
    time_t seconds = (time_t)json_integer_value(json_object_get(request, "now"));
    struct tm now = *gmtime(&seconds);
    struct jinja_input input = {json_object_get(request, "own"), json_object_get(request, "outside"), &now};
    struct jinja_output output;
    const struct jinja_template *template =
        jinja_parse("template", json_string_value(source), json_string_length(source), arena, error);
    if (!template || !jinja_render(template, &input, &output, arena, error))
        return NULL;
    for (size_t i = 0; i < output.size; i++)
        output.outside[i] = (char)('0' + output.outside[i]);
    return json_pack("{s:s%, s:s%}", "text", output.text, output.size, "outside", output.outside,
                     output.size);
}

static void answer(const char *line, size_t size) {
    struct arena arena = {0};
    struct error error = {""};
    json_t *request = json_read("request", line, size, &error);
    json_t *reply = request ? render(request, &arena, &error) : NULL;
    if (!reply)
        reply = json_pack("{s:s}", "error", error.text);
    json_dumpf(reply, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(reply);
    json_decref(request);
    arena_free(&arena);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, stdin)) > 0)
        answer(line, (size_t)size);
    free(line);
    return 0;
}
