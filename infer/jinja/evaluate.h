/* Walking the tree. */
#ifndef INFER_JINJA_EVALUATE_H
#define INFER_JINJA_EVALUATE_H

#include "infer/jinja/call.h"
#include "infer/jinja/node.h"

struct macro {
    const struct node *node;
    struct scope *scope; /* where it was defined */
};

/* What is left of the list passes the loop's condition only as it is needed, as Jinja's generator does. */
struct loop {
    const struct node *node;
    struct scope *outer; /* where the condition is evaluated */
    struct list *source;
    size_t next; /* of the source, not looked at yet */
    struct list *items; /* that passed */
    size_t index;
};

bool evaluate(struct engine *engine, const struct node *node, struct value *to);

/* What a statement leaves behind: the next one, the loop, or the rest of its body. */
enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };
bool execute(struct engine *engine, const struct node *statements, enum flow *flow);

bool loop_attribute(struct engine *engine, struct loop *loop, struct text name, struct value *to);
bool call_macro(struct engine *engine, const struct macro *macro, const struct arguments *arguments,
                struct value *to);

bool scope_set(struct engine *engine, struct text name, const struct value *value);
/* *found is NULL where there is none of that name. */
bool scope_find(struct engine *engine, struct text name, const struct value **found);
/* Whether it is one that the template was given, and that nothing hides. */
bool scope_is_given(struct engine *engine, struct text name, bool *given);
struct scope *scope_enter(struct engine *engine, struct scope *parent); /* NULL on failure */

#endif
