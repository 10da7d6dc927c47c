/* Upper and lower case, and kinds of characters, as Python's str has them. What changes its length or depends
 * on its neighbours is refused. */
#ifndef INFER_JINJA_LETTERS_H
#define INFER_JINJA_LETTERS_H

#include "infer/jinja/text.h"

enum letter_case {
    CASE_UPPER,
    CASE_LOWER,
    CASE_CAPITALIZED, /* str.capitalize: the first letter upper, the others lower */
    CASE_TITLE, /* str.title: so for each run of letters */
    CASE_TITLE_FILTER, /* the filter: so for each word behind white space or one of -({[< */
};
bool change_case(struct engine *engine, struct text text, enum letter_case letter_case, struct value *to);

enum letter_kind {
    LETTERS_DIGIT,
    LETTERS_ALPHA,
    LETTERS_ALNUM,
    LETTERS_SPACE,
    LETTERS_UPPER, /* of those with case, at least one */
    LETTERS_LOWER,
};
/* Whether all of a text's characters, at least one, are of a kind. */
bool text_is_all(struct text text, enum letter_kind kind);

#endif
