#include "infer/jinja/evaluate.h"

static bool from_json(struct engine *engine, const json_t *json, bool outside, struct value *to);

/* Bytes of JSON's texts are copied, so that the tree may go, and marked. */
static bool text_from_json(struct engine *engine, const char *bytes, size_t size, bool outside,
                           struct value *to) {
    struct builder builder = {0};
    return build_bytes(engine, &builder, bytes, size, outside) && give_text(&builder, to);
}

static bool list_from_json(struct engine *engine, const json_t *json, bool outside, struct value *to) {
    struct list *list = list_new(engine);
    for (size_t i = 0; list && i < json_array_size(json); i++) {
        struct value item;
        if (!from_json(engine, json_array_get(json, i), outside, &item) || !list_push(engine, list, &item))
            return false;
    }
    *to = value_list(VALUE_LIST, list);
    return list != NULL;
}

static bool dict_from_json(struct engine *engine, const json_t *json, bool outside, struct value *to) {
    struct dict *dict = dict_new(engine);
    json_t *mutable = (json_t *)(uintptr_t)json, *member; /* jansson's iterators don't say const */
    const char *name;
    json_object_foreach(mutable, name, member) {
        struct value key, value;
        if (!dict || !text_from_json(engine, name, strlen(name), outside, &key) ||
            !from_json(engine, member, outside, &value) || !dict_put(engine, dict, &key, &value))
            return false;
    }
    *to = value_dict(dict);
    return dict != NULL;
}

/* JSON is no deeper than JSON_DEPTH_LIMIT. */
static bool from_json(struct engine *engine, const json_t *json, bool outside, struct value *to) {
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return dict_from_json(engine, json, outside, to);
    case JSON_ARRAY:
        return list_from_json(engine, json, outside, to);
    case JSON_STRING:
        return text_from_json(engine, json_string_value(json), json_string_length(json), outside, to);
    case JSON_INTEGER:
        *to = value_integer(json_integer_value(json));
        return true;
    case JSON_REAL:
        *to = value_real(json_real_value(json));
        return true;
    case JSON_NULL:
        *to = value_none();
        return true;
    default:
        *to = value_boolean(json_is_true(json));
        return true;
    }
}

static bool set_variables(struct engine *engine, const json_t *object, bool outside) {
    json_t *mutable = (json_t *)(uintptr_t)object, *member;
    const char *name;
    json_object_foreach(mutable, name, member) {
        struct value key, value;
        if (!text_from_json(engine, name, strlen(name), false, &key) ||
            !from_json(engine, member, outside, &value) || !scope_set(engine, key.text, &value))
            return false;
    }
    return true;
}

/* Templates build tokens of roles. */
static bool trust_roles(struct engine *engine) {
    const struct value *messages;
    if (!scope_find(engine, TEXT("messages"), &messages))
        return false;
    size_t n = messages && messages->kind == VALUE_LIST ? messages->list->count : 0;
    for (size_t i = 0; i < n; i++) {
        const struct value *message = &messages->list->items[i];
        struct entry *role = message->kind == VALUE_DICT ? dict_find_name(message->dict, TEXT("role")) : NULL;
        if (role && role->value.kind == VALUE_TEXT)
            role->value.text.origin = NULL;
    }
    return true;
}

static bool give(struct engine *engine, const struct builder *text, struct jinja_output *output) {
    output->size = text->size;
    output->text = arena_text(engine->arena, text->size ? text->bytes : "", text->size, engine->error);
    output->outside = arena_text(engine->arena, text->size ? text->origin : "", text->size, engine->error);
    return output->text && output->outside;
}

bool jinja_render(const struct jinja_template *template, const struct jinja_input *input,
                  struct jinja_output *output, struct arena *arena, struct error *error) {
    struct builder text = {0};
    struct engine engine = {
        .template = template, .arena = arena, .error = error, .now = input->now, .output = &text};
    enum flow flow = FLOW_ON;
    return scope_enter(&engine, NULL) && set_variables(&engine, input->own, false) &&
           set_variables(&engine, input->outside, true) && trust_roles(&engine) &&
           scope_enter(&engine, engine.scope) && execute(&engine, template->body, &flow) &&
           give(&engine, &text, output);
}
