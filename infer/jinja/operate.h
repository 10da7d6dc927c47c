/* Operators. Each writes its result to *to. */
#ifndef INFER_JINJA_OPERATE_H
#define INFER_JINJA_OPERATE_H

#include "infer/jinja/node.h"

/* + - * / // % ** */
bool operate(struct engine *engine, enum operation operator, const struct value * a, const struct value *b,
             struct value *to);
/* == != < <= > >= in, not in */
bool compare(struct engine *engine, enum operation operator, const struct value * a, const struct value *b,
             bool *result);
bool contains(struct engine *engine, const struct value *whole, const struct value *part, bool *result);

/* text % values, and text.format(...) */
struct arguments;
bool format_percent(struct engine *engine, struct text format, const struct value *values, struct value *to);
bool format_braces(struct engine *engine, struct text format, const struct arguments *arguments,
                   struct value *to);

#endif
