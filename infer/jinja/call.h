/* What templates can call: filters, tests, methods and functions, each one line of a table. */
#ifndef INFER_JINJA_CALL_H
#define INFER_JINJA_CALL_H

#include "infer/jinja/engine.h"

#define MAX_PARAMETERS 5

struct keyword {
    struct text name;
    struct value value;
};

struct arguments {
    struct value *items;
    size_t count;
    struct keyword *keywords;
    size_t n_keywords;
};

/* `self` is what a filter, test or method works on. There is one item for each parameter, of kind
 * VALUE_ABSENT where not given; where the only parameter is "*", items are as they were given, and keywords
 * too. */
struct call {
    const struct function *function;
    const struct value *self;
    struct arguments arguments;
};

/* Those of tests give booleans. */
typedef bool function_body(struct engine *engine, const struct call *call, struct value *to);

struct function {
    const char *name;
    function_body *body; /* NULL: Jinja or Python has it, we don't */
    int variant; /* what tells functions of one body apart */
    unsigned n_needed; /* of the parameters */
    const char *parameters[MAX_PARAMETERS];
};

struct method {
    const struct function *function;
    struct value self;
};

/* NULL where there is none of that name. */
const struct function *find_filter(struct text name);
const struct function *find_test(struct text name);
const struct function *find_global(struct text name);
const struct function *find_method(enum value_kind kind, struct text name);
/* In a table that ends with an empty line. */
const struct function *find_function(const struct function *table, struct text name);

extern const struct function text_methods[], list_methods[], tuple_methods[], dict_methods[],
    number_attributes[];
extern const struct function text_filters[], list_filters[];

/* `what` is "filter", "test", ... */
bool call_function(struct engine *engine, const char *what, const struct function *function,
                   const struct value *self, const struct arguments *arguments, struct value *to);

/* ---- For bodies: the i-th argument, or `otherwise` without one. Sentences name the wrong kind. ---- */
bool argument_given(const struct call *call, size_t i); /* and is not None */
bool argument_text(struct engine *engine, const struct call *call, size_t i, struct text *text);
/* *text is NULL without one. */
bool argument_optional_text(struct engine *engine, const struct call *call, size_t i,
                            const struct text **text);
bool argument_integer(struct engine *engine, const struct call *call, size_t i, int64_t otherwise,
                      int64_t *integer);
bool argument_truth(const struct call *call, size_t i);
const struct value *argument_named(const struct arguments *arguments,
                                   struct text name); /* NULL without one */

#endif
