/* SPDX-License-Identifier: Apache-2.0 */
/* For libFuzzer: bytes as each kind of file that tensors are read from. */
#include "formats/npy.h"
#include "formats/npz.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    strider_error error;
    strider_tensor tensor;
    char name[32];
    TensorFile file = {0};
    if (!npy_parse(data, size, &tensor, &error))
        strider_tensor_free(&tensor);
    (void)!npz_parse(data, size, &file, &error);
    tensor_file_free(&file);
    if (!strider_tensor_from_onnx(data, size, &tensor, name, sizeof name, &error))
        strider_tensor_free(&tensor);
    return 0;
}
