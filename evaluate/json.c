#include "lib/json.h"
#include "evaluate/results.h"
#include "evaluate/roofline.h"

static json_t *machine_json(const struct machine *m) {
    return json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "cpu", m->cpu, "level", m->level, "threads",
                     (int)m->threads, "processors", (int)m->processors, "os", m->os, "compiler", m->compiler,
                     "version", m->version);
}

/* json_object_set_new takes the value, and fails for NULL, which json_real gives for what is not finite. */
static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static bool set_quality(json_t *to, const struct evaluation *e, const struct row *row) {
    return (!e->has_perplexity || (set(to, "ppl", json_real(row->perplexity.mean)) &&
                                   set(to, "ppl_se", json_real(row->perplexity.error)))) &&
           (!e->has_divergence || (set(to, "kl", json_real(row->divergence.mean)) &&
                                   set(to, "kl_se", json_real(row->divergence.error)) &&
                                   set(to, "kl_p99", json_real(row->divergence_p99)) &&
                                   set(to, "top1", json_real(row->agreement))));
}

static bool set_speed(json_t *to, const struct evaluation *e, const struct row *row) {
    return !e->has_speed || (set(to, "streamed_bytes_per_token", json_real(row->streamed_bytes)) &&
                             set(to, "prefill_tok_s", json_real(row->prefill)) &&
                             set(to, "decode_tok_s", json_real(row->decode)) &&
                             set(to, "decode_gb_s", json_real(1e-9 * row->bandwidth)) &&
                             set(to, "roof_share", json_real(row->roof_share)));
}

static bool set_batches(json_t *to, const struct evaluation *e, const struct row *row) {
    return !e->has_batches || (set(to, "batch", batches_json(row)) &&
                               (row->knee == 0 || set(to, "knee_batch", json_real(row->knee))));
}

static json_t *row_json(const struct evaluation *e, const struct row *row) {
    json_t *to = json_object();
    bool good = set(to, "file", json_string(row->file)) && set(to, "type", json_string(row->type)) &&
                set(to, "bpw", json_real(row->bits_per_weight)) &&
                (row->synthetic ? set(to, "synthetic", json_true())
                                : set(to, "file_bytes", json_integer((json_int_t)row->file_bytes))) &&
                set_quality(to, e, row) && set_speed(to, e, row) && set_batches(to, e, row) &&
                (!e->rooflines || set(to, "roofline", roofline_json(e->rooflines, (size_t)(row - e->rows))));
    if (good)
        return to;
    json_decref(to);
    return NULL;
}

static json_t *fit_json(const struct line *fit) {
    return json_pack("{s:f, s:f, s:f}", "gb_s", 1e-9 / fit->slope, "constant_ms", 1e3 * fit->intercept,
                     "r_squared", fit->r_squared);
}

static json_t *text_json(const struct evaluation *e) {
    return json_pack("{s:s, s:I, s:I, s:I}", "name", e->text, "ctx", (json_int_t)e->context, "windows",
                     (json_int_t)e->windows, "scored_per_window", (json_int_t)e->scored);
}

static json_t *evaluation_json(const struct evaluation *e) {
    json_t *to = json_object(), *rows = json_array();
    bool good = set(to, "machine", machine_json(&e->machine)) &&
                (!(e->has_perplexity || e->has_divergence) || set(to, "text", text_json(e))) &&
                (!e->has_divergence || set(to, "reference", json_string(e->reference))) &&
                (!e->has_speed || (set(to, "roof_gb_s", json_real(1e-9 * e->roof)) &&
                                   set(to, "depth", json_integer((json_int_t)e->prompt)))) &&
                (!e->has_fit || set(to, "fit", fit_json(&e->fit)));
    for (size_t i = 0; good && i < e->n_rows; i++)
        good = json_array_append_new(rows, row_json(e, &e->rows[i])) == 0;
    good = set(to, "models", rows) && good;
    if (good)
        return to;
    json_decref(to);
    return NULL;
}

bool print_json(const struct evaluation *evaluation, struct buffer *to, struct error *error) {
    json_t *tree = evaluation_json(evaluation);
    if (!tree)
        return fail(error, "the results cannot be written as JSON");
    bool good = json_write(tree, to, error);
    json_decref(tree);
    return good;
}
