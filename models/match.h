/* Pairs the tensors that a configuration calls for with those of the input. */
#ifndef MODELS_MATCH_H
#define MODELS_MATCH_H

#include "models/family.h"
#include "models/import.h"
#include "models/view.h"

/* Sets import->roles, tensors and views by the input's names: those of a .qm file where family is NULL. What
 * is missing, extra, wrongly shaped or of no type that this build decodes is named. */
bool match_tensors(struct import *import, const struct family *family, struct error *error);
/* The same of a GGUF file; `paired` as gguf_read_config says. */
bool match_gguf_tensors(struct import *import, bool paired, struct error *error);

#endif
