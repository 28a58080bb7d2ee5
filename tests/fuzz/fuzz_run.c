/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "strider/strider.h"

enum { MAX_ELEMENTS = 1 << 12, MAX_INPUTS = 16, MAX_OUTPUTS = 64 };

/* Ones for each input, or empty strings, open dimensions as 2; false where they are too many or too large. */
static bool make_inputs(const strider_model *model, strider_tensor *inputs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        strider_value_info info;
        if (strider_model_get_input(model, i, &info) || info.rank < 0)
            return false;
        inputs[i] = (strider_tensor){.dtype = info.dtype ? info.dtype : STRIDER_F32, .rank = info.rank};
        for (int d = 0; d < info.rank; d++)
            inputs[i].dims[d] = info.dims[d] < 0 ? 2 : info.dims[d];
        const int64_t elements = strider_tensor_elements(&inputs[i]);
        if (elements < 0 || elements > MAX_ELEMENTS)
            return false;
        const size_t bytes = (size_t)elements * sizeof(strider_string) + 64;
        inputs[i].data = malloc(bytes);
        if (!inputs[i].data)
            return false;
        memset(inputs[i].data, inputs[i].dtype != STRIDER_STRING, bytes);
    }
    return true;
}

static void run(const strider_model *model) {
    strider_tensor inputs[MAX_INPUTS] = {0}, outputs[MAX_OUTPUTS] = {0};
    strider_session_options options = strider_session_options_default();
    strider_session *session = NULL;
    strider_error error;
    const size_t n_in = strider_model_input_count(model), n_out = strider_model_output_count(model);
    options.threads = 1;
    options.max_memory_bytes = 1 << 24;
    options.max_body_runs = 2000;
    if (n_in <= MAX_INPUTS && n_out <= MAX_OUTPUTS && make_inputs(model, inputs, n_in) &&
        !strider_session_create(model, &options, &session, &error) &&
        !strider_session_prepare(session, inputs, n_in, &error)) {
        /* What takes long is no fault: references are slow. */
        strider_plan_info plan;
        if (!strider_session_get_plan(session, &plan) && plan.macs < 1 << 20 &&
            plan.activation_bytes < 1 << 20)
            (void)!strider_session_run(session, inputs, n_in, outputs, n_out, &error);
    }
    strider_session_free(session);
    for (size_t i = 0; i < n_in && i < MAX_INPUTS; i++)
        free(inputs[i].data);
}

void fuzz_model_bytes(const uint8_t *data, size_t size) {
    strider_load_options options = strider_load_options_default();
    strider_model *model;
    strider_error error;
    options.max_nodes = 1000;
    options.max_tensor_bytes = 1 << 22;
    options.max_parse_bytes = 1 << 26;
    if (strider_model_load_memory(data, size, NULL, &options, &model, &error))
        return;
    run(model);
    strider_model_free(model);
}
