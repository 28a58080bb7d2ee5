/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators of a model Strider lacks: all of them are told at once, before anything is loaded.  Looks
 * into bodies, and into the functions that are called. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "graph/op.h"
#include "loader/loading.h"
#include "ops/op.h"

/* What is missing, with the first node that asks for it. */
typedef struct Missing {
    const char *domain, *type;
    int64_t opset; /* 0: the model imports no version of the domain */
    size_t count;
} Missing;

/* A node whose body is being looked through. */
typedef struct Around {
    const struct Around *outer;
    const Where *where;
    const char *attribute;
} Around;

enum { PLACE_TEXT = 300 };

typedef struct Survey {
    Loading *loading;
    const Around *around; /* the innermost; NULL: none */
    NameMap known;        /* to Missing, by domain, type and opset */
    Missing **found;
    size_t n_found, capacity;
    Where first; /* of all */
    Scope first_scope;
    char first_place[PLACE_TEXT]; /* the bodies that it stands in */
} Survey;

/* What is nearest to the node is kept. */
static void tell_place(Survey *survey) {
    char text[WHERE_TEXT], longer[PLACE_TEXT];
    for (const Around *around = survey->around; around; around = around->outer) {
        const int length =
            text_format(longer, sizeof longer, "%s: %.60s%s%s", where_text(around->where, text),
                        around->attribute, survey->first_place[0] ? ": " : "", survey->first_place);
        if (length >= PLACE_TEXT)
            return;
        memcpy(survey->first_place, longer, sizeof longer);
    }
}

static void note_first(Survey *survey, const Where *where) {
    survey->first_scope = *where->scope;
    survey->first = *where;
    survey->first.scope = &survey->first_scope;
    tell_place(survey);
}

static Status note_missing(Survey *survey, const Where *where, int64_t opset) {
    Loading *loading = survey->loading;
    const char *domain = text_or_empty(where->proto->domain), *type = text_or_empty(where->proto->op_type);
    domain = is_default_domain(domain) ? "ai.onnx" : domain;
    const char *key = region_format(&loading->parsed, "%" PRId64 " %s %s", opset, domain, type);
    void *known = NULL;
    if (!key)
        return no_memory(loading);
    if (!names_find(&survey->known, key, &known)) {
        if (!survey->n_found)
            note_first(survey, where);
        known = region_alloc(&loading->parsed, sizeof(Missing));
        if (!known || !names_add(&survey->known, key, known) ||
            !region_grow(&loading->parsed, &survey->found, survey->n_found, &survey->capacity,
                         sizeof(Missing *)))
            return no_memory(loading);
        *(Missing *)known = (Missing){.domain = domain, .type = type, .opset = opset};
        survey->found[survey->n_found++] = known;
    }
    ((Missing *)known)->count++;
    return STRIDER_OK;
}

static Status survey_body(Survey *survey, const Scope *scope);

static Status survey_function(Survey *survey, const Scope *outer, BodyNode *call) {
    Function *function = call->callee;
    /* What is nested more deeply, or without end, is refused when it is called. */
    if (function->is_surveyed || outer->depth >= survey->loading->options->max_depth)
        return STRIDER_OK;
    TRY(prepare_call(survey->loading, call));
    function->is_surveyed = true;
    const Scope inner = {.body = &function->body,
                         .imports = function_imports(function, outer->imports),
                         .function = text_or_empty(function->proto->name),
                         .depth = outer->depth + 1};
    return survey_body(survey, &inner);
}

static Status survey_node(Survey *survey, const Where *where, BodyNode *node) {
    const Onnx__NodeProto *proto = node->proto;
    int64_t opset;
    for (size_t i = 0; node->graphs && i < proto->n_attribute; i++) {
        if (!node->graphs[i])
            continue;
        const Around around = {survey->around, where, proto->attribute[i]->name};
        Scope inner = *where->scope;
        inner.body = node->graphs[i];
        survey->around = &around;
        TRY(survey_body(survey, &inner));
        survey->around = around.outer;
    }
    if (node->callee)
        return survey_function(survey, where->scope, node);
    return has_operator(survey->loading, where, &opset) ? STRIDER_OK : note_missing(survey, where, opset);
}

static Status survey_body(Survey *survey, const Scope *scope) {
    for (size_t i = 0; i < scope->body->n_nodes; i++) {
        BodyNode *node = &scope->body->nodes[i];
        const Where where = make_where(survey->loading, scope, node, i);
        TRY(survey_node(survey, &where, node));
    }
    return STRIDER_OK;
}

/* --- what is said of it --- */

enum { MISSING_TEXT = 260 };

/* What onnxruntime writes where it has arranged a model for one machine. */
static const char *advice(const Survey *survey) {
    for (size_t i = 0; i < survey->n_found; i++)
        if (strcmp(survey->found[i]->domain, "com.microsoft.nchwc") == 0 ||
            strcmp(survey->found[i]->domain, "com.ms.internal.nhwc") == 0)
            return "; onnxruntime wrote this model for one machine alone: let it optimise to the level "
                   "\"extended\" at most, or take the model from before";
    return "";
}

static const char *missing_text(const Missing *missing, char text[MISSING_TEXT]) {
    char version[32] = "no opset";
    if (missing->opset)
        snprintf(version, sizeof version, "opset %" PRId64, missing->opset);
    text_format(text, MISSING_TEXT, "%.60s.%.60s (%s, %zu node%s)", missing->domain, missing->type, version,
                missing->count, missing->count == 1 ? "" : "s");
    return text;
}

/* As many as fit; the log has them all where these are not all. */
static Status fail_many(const Survey *survey) {
    enum { LIST_TEXT = 400, MORE_TEXT = 64 };
    const Loading *loading = survey->loading;
    const Log log = {loading->options->log, loading->options->log_context};
    char list[LIST_TEXT] = "", text[MISSING_TEXT], more[MORE_TEXT] = "";
    size_t shown = 0, length = 0;
    for (; shown < survey->n_found; shown++) {
        const size_t wanted = (size_t)snprintf(list + length, sizeof list - length, "%s%s", shown ? ", " : "",
                                               missing_text(survey->found[shown], text));
        if (wanted >= sizeof list - length)
            break;
        length += wanted;
    }
    list[length] = '\0';
    if (shown < survey->n_found)
        snprintf(more, sizeof more, " and %zu more, which the log names", survey->n_found - shown);
    for (size_t i = shown < survey->n_found ? 0 : survey->n_found; i < survey->n_found; i++)
        log_warning(&log, "not supported: %s", missing_text(survey->found[i], text));
    return fail_at(loading->err, STRIDER_UNSUPPORTED, survey->first.offset,
                   "%zu operators are not supported: %s%s%s", survey->n_found, list, more, advice(survey));
}

static Status fail_one(Survey *survey) {
    const Missing *missing = survey->found[0];
    char message[560], count[48] = "";
    if (missing->count > 1)
        snprintf(count, sizeof count, ", in %zu nodes", missing->count);
    if (missing->opset)
        text_format(message, sizeof message,
                    "the operator is not supported (domain \"%.100s\", opset %" PRId64 ")%s%s",
                    missing->domain, missing->opset, count, advice(survey));
    else
        text_format(message, sizeof message,
                    "the operator is not supported, and the model imports no version of its domain "
                    "\"%.100s\"%s%s",
                    missing->domain, count, advice(survey));
    const Status status = where_fail(survey->loading, &survey->first, STRIDER_UNSUPPORTED, message);
    return survey->first_place[0] ? error_within(survey->loading->err, status, "%s", survey->first_place)
                                  : status;
}

Status survey_operators(Loading *loading, Body *body, const Imports *imports) {
    Survey survey = {.loading = loading, .known = {.region = &loading->parsed}};
    const Scope scope = {.body = body, .imports = imports, .graph = loading->graph, .prefix = ""};
    TRY(survey_body(&survey, &scope));
    if (!survey.n_found)
        return STRIDER_OK;
    const Status status = survey.n_found == 1 ? fail_one(&survey) : fail_many(&survey);
    error_name_node(loading->err, survey.first.proto->name, survey.first.proto->op_type);
    return status;
}
