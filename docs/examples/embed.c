/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a model on an input of ones: cc embed.c -lstrider */
#include <stdio.h>
#include <stdlib.h>

#include "strider/strider.h"

int main(int argc, char **argv)
{
    strider_model *model = NULL;
    strider_session *session = NULL;
    strider_error error = {0};
    int status = 1;
    float *pixels = NULL;
    strider_value_info info;
    strider_tensor output = {0};
    if (argc != 2 || strider_model_load(argv[1], NULL, &model, &error) ||
        strider_session_create(model, NULL, &session, &error) || strider_model_get_input(model, 0, &info))
        goto done;

    strider_tensor input = {.dtype = STRIDER_F32, .rank = info.rank};
    for (int i = 0; i < info.rank; i++)
        input.dims[i] = info.dims[i] < 0 ? 1 : info.dims[i]; /* an open dimension, such as the batch */
    int64_t count = strider_tensor_elements(&input);
    pixels = malloc((size_t)count * sizeof *pixels);
    if (!pixels)
        goto done;
    for (int64_t i = 0; i < count; i++)
        pixels[i] = 1;
    input.data = pixels;
    if (strider_session_run(session, &input, 1, &output, 1, &error))
        goto done;
    for (int64_t i = 0; i < strider_tensor_elements(&output); i++)
        printf("%g\n", ((const float *)output.data)[i]); /* the session's memory, until its next run */
    status = 0;
done:
    if (error.message[0])
        fprintf(stderr, "%s\n", error.message);
    free(pixels);
    strider_session_free(session);
    strider_model_free(model);
    return status;
}
