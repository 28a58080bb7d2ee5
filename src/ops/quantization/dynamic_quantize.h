/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_QUANTIZATION_DYNAMIC_QUANTIZE_H
#define OPS_QUANTIZATION_DYNAMIC_QUANTIZE_H

#include <stdint.h>

enum { DYNAMIC_Y, DYNAMIC_SCALE, DYNAMIC_ZERO, DYNAMIC_OUTPUTS };

/* How uint8 stands for numbers from `low` to `high`, among which is 0. */
typedef struct DynamicScale {
    float scale;
    int64_t zero;
} DynamicScale;
DynamicScale dynamic_scale(float low, float high);

#endif
