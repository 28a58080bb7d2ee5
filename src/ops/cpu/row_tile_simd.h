/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a register tile of two vectors' columns, and a list of all heights, for tables of functions. */
#ifndef OPS_CPU_ROW_TILE_SIMD_H
#define OPS_CPU_ROW_TILE_SIMD_H

#include "ops/cpu/simd.h"

#if STRIDER_WIDTH == 16
enum { TILE_ROWS = 14 };
#define FOR_TILES(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14)
#elif STRIDER_WIDTH == 8
enum { TILE_ROWS = 6 };
#define FOR_TILES(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
#else
enum { TILE_ROWS = 5 };
#define FOR_TILES(DO) DO(1) DO(2) DO(3) DO(4) DO(5)
#endif

#endif
