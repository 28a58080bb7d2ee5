/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: MT19937 (Matsumoto and Nishimura, 1998), seeded and turned into floats as NumPy's
 * RandomState does, so that the same seed gives NumPy's numbers. */
#ifndef OPS_GENERATOR_MERSENNE_TWISTER_H
#define OPS_GENERATOR_MERSENNE_TWISTER_H

#include "ops/op.h"

enum { TWISTER_WORDS = 624 };

typedef struct Twister {
    uint32_t words[TWISTER_WORDS];
    int next;
    bool has_normal; /* normal numbers are made in pairs */
    double normal;
} Twister;

void twister_seed(Twister *twister, uint32_t seed);
/* Uniform in [0, 1), of 53 bits. */
double twister_uniform(Twister *twister);
/* Of mean 0 and standard deviation 1, by Marsaglia's polar method. */
double twister_normal(Twister *twister);

/* A node's seed.  It draws the same numbers in every run: those of its attribute `seed`, of whose whole part
 * the low 32 bits count, or where that is absent or NaN, of a number made of its name and place in the graph.
 */
Status parse_seed(ParseContext *ctx, uint32_t *seed) MUST_CHECK;

#endif
