/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/generator/mersenne_twister.h"

#include <math.h>

#include "base/wrap.h"

WRAPS_AROUND void twister_seed(Twister *twister, uint32_t seed) {
    *twister = (Twister){.next = TWISTER_WORDS};
    for (uint32_t i = 0; i < TWISTER_WORDS; i++) {
        twister->words[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
}

static void twist(Twister *twister) {
    uint32_t *words = twister->words;
    for (int i = 0; i < TWISTER_WORDS; i++) {
        const uint32_t joined = (words[i] & 0x80000000u) | (words[(i + 1) % TWISTER_WORDS] & 0x7fffffffu);
        words[i] = words[(i + 397) % TWISTER_WORDS] ^ joined >> 1 ^ (joined & 1 ? 0x9908b0dfu : 0);
    }
    twister->next = 0;
}

static uint32_t next_word(Twister *twister) {
    if (twister->next == TWISTER_WORDS)
        twist(twister);
    uint32_t word = twister->words[twister->next++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

double twister_uniform(Twister *twister) {
    const uint32_t high = next_word(twister) >> 5, low = next_word(twister) >> 6;
    return ((double)high * 0x1p26 + (double)low) * 0x1p-53;
}

double twister_normal(Twister *twister) {
    double x, y, square;
    if (twister->has_normal) {
        twister->has_normal = false;
        return twister->normal;
    }
    do {
        x = 2 * twister_uniform(twister) - 1;
        y = 2 * twister_uniform(twister) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = sqrt(-2 * log(square) / square);
    twister->normal = factor * x;
    twister->has_normal = true;
    return factor * y;
}

/* FNV-1a */
WRAPS_AROUND static uint32_t seed_of_place(const Node *node) {
    uint32_t hash = 2166136261u ^ (uint32_t)node->index;
    for (const char *c = node->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash * 16777619u;
}

Status parse_seed(ParseContext *ctx, uint32_t *seed) {
    const Attr *attr = attrs_find(ctx->attrs, "seed");
    float stated = NAN;
    *seed = seed_of_place(ctx->node);
    if (attr && attr->kind == ATTR_INT) { /* Dropout's */
        *seed = (uint32_t)(uint64_t)attr->i;
        return STRIDER_OK;
    }
    TRY(parse_float(ctx, "seed", NAN, &stated));
    if (!isnan(stated))
        *seed = (uint32_t)(uint64_t)i64_from_double((double)stated);
    return STRIDER_OK;
}
