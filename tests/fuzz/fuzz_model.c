/* SPDX-License-Identifier: Apache-2.0 */
/* For libFuzzer: any bytes as a model. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_model_bytes(data, size);
    return 0;
}
