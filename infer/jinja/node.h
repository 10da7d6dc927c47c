/* A template as a tree. Lists of nodes go on by `next`. What the fields hold for each kind stands beside it.
 */
#ifndef INFER_JINJA_NODE_H
#define INFER_JINJA_NODE_H

#include "infer/jinja/value.h"

enum node_kind {
    /* expressions */
    NODE_LITERAL, /* literal */
    NODE_NAME, /* name */
    NODE_LIST, /* first: items */
    NODE_TUPLE, /* first: items */
    NODE_DICT, /* first: key, value, key, value, ... */
    NODE_ATTRIBUTE, /* first.name */
    NODE_ITEM, /* first[second] */
    NODE_SLICE, /* first[second:third:fourth], each of the last three perhaps NULL */
    NODE_CALL, /* first(second: arguments) */
    NODE_KEYWORD, /* of an argument or parameter: name=first, which is NULL where a parameter has no default
                   */
    NODE_FILTER, /* first|name(second: arguments) */
    NODE_TEST, /* first is name(second: arguments) */
    NODE_BODY, /* what a filter of a block is put on */
    NODE_NOT, /* first */
    NODE_SIGN, /* operator first */
    NODE_AND, /* first, second */
    NODE_OR, /* first, second */
    NODE_CONDITION, /* first if second else third, which may be NULL */
    NODE_COMPARE, /* first, then second: NODE_OPERAND each */
    NODE_OPERAND, /* operator, first */
    NODE_BINARY, /* first operator second */
    NODE_CONCAT, /* first: operands of ~ */
    /* statements */
    NODE_DATA, /* name: the text */
    NODE_OUTPUT, /* first */
    NODE_IF, /* if first: second; else: third */
    NODE_FOR, /* for first in second if third: fourth; else: fifth */
    NODE_SET, /* first = second */
    NODE_SET_BLOCK, /* first = second (filters over NODE_BODY) of third: statements */
    NODE_MEMBER, /* as a target: first.name */
    NODE_MACRO, /* name(first: parameters): second */
    NODE_WITH, /* first: NODE_SET each; second: statements */
    NODE_FILTER_BLOCK, /* first: filters over NODE_BODY; second: statements */
    NODE_SCOPE, /* first: statements that keep their variables to themselves */
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_KINDS,
};

enum operation {
    OPERATOR_ADD,
    OPERATOR_SUBTRACT,
    OPERATOR_MULTIPLY,
    OPERATOR_DIVIDE,
    OPERATOR_DIVIDE_DOWN,
    OPERATOR_REMAINDER,
    OPERATOR_POWER,
    OPERATOR_EQUAL,
    OPERATOR_NOT_EQUAL,
    OPERATOR_LESS,
    OPERATOR_LESS_EQUAL,
    OPERATOR_GREATER,
    OPERATOR_GREATER_EQUAL,
    OPERATOR_IN,
    OPERATOR_NOT_IN,
};

struct node {
    enum node_kind kind;
    enum operation operator;
    size_t offset; /* in the source */
    struct node *next;
    struct node *first, *second, *third, *fourth, *fifth;
    struct text name;
    struct value literal;
};

#endif
