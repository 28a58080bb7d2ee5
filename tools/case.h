/* SPDX-License-Identifier: Apache-2.0 */
/* A model with inputs, and the outputs that it should give. */
#ifndef TOOLS_CASE_H
#define TOOLS_CASE_H

#include <jansson.h>

#include "values.h"

/* One data set of one model: what it should give. */
typedef struct Case {
    const char *path;
    const strider_model *model;
    Inputs inputs;
    strider_value *given;    /* by the model's inputs: those that are no tensors */
    strider_value *expected; /* by the model's outputs: those that are compared */
    NameIndex outputs_by_name;
    json_t *outputs, *not_compared; /* of the latter the names: nothing was given to compare them with */
    char message[700];
    double max_abs, max_of_peak;
    bool differs;
} Case;

strider_status case_init(Case *at, const char *path, const strider_model *model, strider_error *error);
void case_free(Case *at);
/* Reads input_0.pb, input_1.pb, ... of an ONNX test case, or output_0.pb and so on, as long as there are such
 * files. */
strider_status case_read_set(const char *folder, Case *at, bool is_output, const Options *options,
                             strider_error *error);
/* Runs with each number of threads; results must have the same bits.  Differences are noted in the case. */
strider_status case_run(Case *at, const Options *options, strider_error *error);

#endif
