/* Pairs the tensors that a configuration calls for with those of the input. */
#ifndef MODELS_MATCH_H
#define MODELS_MATCH_H

#include "models/family.h"
#include "models/import.h"
#include "models/view.h"

/* Sets import->roles, tensors and views by the input's names: those of a .qm file where family is NULL. What
 * is missing, extra, wrongly shaped or of no type that this build decodes is named. */
bool match_tensors(struct import *import, const struct family *family, struct error *error);

#endif
