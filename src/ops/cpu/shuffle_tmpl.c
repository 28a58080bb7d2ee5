/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/shuffle.h"

#include "ops/cpu/simd.h"

INLINE vf kept_lanes(const float *from, vi lanes, vi keep) {
    return (vf)((vi)v_permute(v_load(from), lanes) & keep);
}

/* A few sources: their lanes stay in registers. */
INLINE void shuffle_few(const LaneSource *sources, const float *const *from, const int n, int64_t pixels,
                        float *to) {
    vi lanes[4], keep[4];
    for (int s = 0; s < n; s++) {
        memcpy(&lanes[s], sources[s].from, sizeof lanes[s]);
        memcpy(&keep[s], sources[s].keep, sizeof keep[s]);
    }
    for (int64_t i = 0; i < pixels; i++) {
        vi value = (vi)kept_lanes(from[0] + i * VW, lanes[0], keep[0]);
        for (int s = 1; s < n; s++)
            value |= (vi)kept_lanes(from[s] + i * VW, lanes[s], keep[s]);
        v_store(to + i * VW, (vf)value);
    }
}

static void shuffle(const LaneSource *sources, const float *const *from, int n, int64_t pixels, float *to) {
    switch (n) {
    case 1:
        shuffle_few(sources, from, 1, pixels, to);
        return;
    case 2:
        shuffle_few(sources, from, 2, pixels, to);
        return;
    case 3:
        shuffle_few(sources, from, 3, pixels, to);
        return;
    case 4:
        shuffle_few(sources, from, 4, pixels, to);
        return;
    default:
        break;
    }
    for (int64_t i = 0; i < pixels; i++) {
        vi value = {0};
        for (int s = 0; s < n; s++) {
            vi lanes, keep;
            memcpy(&lanes, sources[s].from, sizeof lanes);
            memcpy(&keep, sources[s].keep, sizeof keep);
            value |= (vi)kept_lanes(from[s] + i * VW, lanes, keep);
        }
        v_store(to + i * VW, (vf)value);
    }
}

const ShuffleTable TARGET(shuffle) = {shuffle};
