#include "infer/tokenizer/added_tokens.h"

#include "infer/tokenizer/unicode.h"
#include "infer/utf8.h"

#include <string.h>

struct matcher_node {
    uint32_t child, sibling; /* 0: none */
    uint32_t token; /* index + 1 of the token that ends here, or 0 */
    uint8_t byte;
};

static uint32_t child_of(const struct matcher *matcher, uint32_t node, uint8_t byte) {
    uint32_t child = matcher->nodes[node].child;
    while (child != 0 && matcher->nodes[child].byte != byte)
        child = matcher->nodes[child].sibling;
    return child;
}

static uint32_t add_child(struct matcher *matcher, uint32_t node, uint8_t byte) {
    uint32_t child = matcher->n_nodes++;
    matcher->nodes[child] = (struct matcher_node){.sibling = matcher->nodes[node].child, .byte = byte};
    matcher->nodes[node].child = child;
    return child;
}

/* The token's node. */
static struct matcher_node *add_text(struct matcher *matcher, const char *text, size_t size) {
    uint32_t node = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        uint32_t child = child_of(matcher, node, byte);
        node = child ? child : add_child(matcher, node, byte);
    }
    matcher->begins[(uint8_t)text[0]] = true;
    return &matcher->nodes[node];
}

bool matcher_init(struct matcher *matcher, const char *name, const struct added_token *tokens, size_t count,
                  bool normalized, struct arena *arena, struct error *error) {
    *matcher = (struct matcher){.n_nodes = 1};
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += tokens[i].normalized == normalized ? tokens[i].size : 0;
    if (most > UINT32_MAX)
        return fail(error, "%s: added tokens of %zu bytes together", name, most);
    matcher->nodes = ARENA_NEW(arena, struct matcher_node, most, error);
    if (!matcher->nodes)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (tokens[i].normalized != normalized)
            continue;
        struct matcher_node *node = add_text(matcher, tokens[i].text, tokens[i].size);
        if (node->token != 0)
            return fail(error, "%s: the added tokens %u and %u are both '%s'", name,
                        tokens[node->token - 1].id, tokens[i].id, tokens[i].text);
        node->token = i + 1;
    }
    return true;
}

/* The longest token that begins at the text: index + 1, or 0; and its size. */
static uint32_t longest(const struct matcher *matcher, const char *text, size_t size, size_t *length) {
    uint32_t found = 0, node = 0;
    *length = 0;
    for (size_t i = 0; i < size && (node = child_of(matcher, node, (uint8_t)text[i])) != 0; i++)
        if (matcher->nodes[node].token != 0) {
            found = matcher->nodes[node].token;
            *length = i + 1;
        }
    return found;
}

size_t matcher_longest(const struct matcher *matcher, const char *text, size_t size) {
    size_t length = 0;
    if (size > 0 && matcher->begins[(uint8_t)text[0]])
        longest(matcher, text, size, &length);
    return length;
}

static bool stands_alone(const char *text, size_t size, size_t begin, size_t end) {
    uint32_t code;
    if (begin > 0) {
        utf8_last(text, begin, &code);
        if (is_word(code))
            return false;
    }
    if (end == size)
        return true;
    utf8_next(text + end, &code);
    return !is_word(code);
}

/* Plain bytes within a match: none, some or all. */
enum plainness { OPEN, MIXED, PLAIN };

static enum plainness plainness_of(const uint8_t *plain, size_t size) {
    size_t count = 0;
    for (size_t i = 0; plain && i < size; i++)
        count += plain[i] != 0;
    return count == 0 ? OPEN : count == size ? PLAIN : MIXED;
}

bool matcher_split(const struct matcher *matcher, const struct added_token *tokens, const char *text,
                   size_t size, const uint8_t *plain, section_fn *section, void *context,
                   struct error *error) {
    size_t done = 0, length;
    for (size_t at = 0; at < size;) {
        uint32_t found =
            matcher->begins[(uint8_t)text[at]] ? longest(matcher, text + at, size - at, &length) : 0;
        if (found == 0) {
            at++;
            continue;
        }
        const struct added_token *token = &tokens[found - 1];
        size_t begin = at, end = at + length;
        enum plainness kind = token->special ? plainness_of(plain ? plain + at : NULL, length) : OPEN;
        /* A token that does not count still hides those that begin within it, as in Hugging Face's library,
         * but for one that a user began and the template would end: it must not hide the template's. */
        at = kind == MIXED ? at + 1 : end;
        if (kind != OPEN || (token->single_word && !stands_alone(text, size, begin, end)))
            continue;
        if (token->lstrip)
            begin = without_white_space_behind(text, done, begin);
        if (token->rstrip) /* a token within what the one before took along ends where that ends */
            end = end < done ? done : end + white_space_before(text + end, size - end);
        if (done < begin &&
            !section(context, text + done, begin - done, plain ? plain + done : NULL, NULL, error))
            return false;
        if (!section(context, NULL, 0, NULL, &token->id, error))
            return false;
        done = end;
    }
    return done >= size ||
           section(context, text + done, size - done, plain ? plain + done : NULL, NULL, error);
}
