/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and columns of elements of 1, 2, 4 and 8 bytes, transposed by square blocks: each line of one is a
 * vector of 16 bytes. */
#ifndef OPS_CPU_TRANSPOSE_BLOCK_H
#define OPS_CPU_TRANSPOSE_BLOCK_H

#include <stdint.h>
#include <string.h>

enum { TRANSPOSE_BYTES = 16 };

/* A block: elements of two lines in turn, of their first and of their second halves; done with all lines and
 * the ones half of the block further, as many times as it takes to halve the block, that is a transposition.
 * `rows` and `columns` are multiples of a line's elements; strides are in bytes. */
#define TRANSPOSE(NAME, T, LOW, HIGH)                                                                        \
    static inline void NAME##_block(const char *from, int64_t in, char *to, int64_t out) {                   \
        typedef T vector __attribute__((vector_size(TRANSPOSE_BYTES)));                                      \
        enum { N = TRANSPOSE_BYTES / (int)sizeof(T) };                                                       \
        vector lines[N], mixed[N];                                                                           \
        for (int i = 0; i < N; i++)                                                                          \
            memcpy(&lines[i], from + i * in, sizeof(vector));                                                \
        for (int step = 1; step < N; step *= 2) {                                                            \
            for (int i = 0; i < N / 2; i++) {                                                                \
                mixed[2 * i] = __builtin_shufflevector(lines[i], lines[i + N / 2], LOW);                     \
                mixed[2 * i + 1] = __builtin_shufflevector(lines[i], lines[i + N / 2], HIGH);                \
            }                                                                                                \
            memcpy(lines, mixed, sizeof lines);                                                              \
        }                                                                                                    \
        for (int i = 0; i < N; i++)                                                                          \
            memcpy(to + i * out, &lines[i], sizeof(vector));                                                 \
    }                                                                                                        \
    static void NAME(const char *from, int64_t in, char *to, int64_t out, int64_t rows, int64_t columns) {   \
        enum { N = TRANSPOSE_BYTES / (int)sizeof(T), SIZE = (int)sizeof(T) };                                \
        for (int64_t c = 0; c < columns; c += N)                                                             \
            for (int64_t r = 0; r < rows; r += N)                                                            \
                NAME##_block(from + c * in + r * SIZE, in, to + r * out + c * SIZE, out);                    \
    }
#define IN_TURN_8(A, B) A, B, A + 1, B + 1, A + 2, B + 2, A + 3, B + 3
#define IN_TURN_16(A, B) IN_TURN_8(A, B), IN_TURN_8(A + 4, B + 4)
#define LOW_2 0, 2
#define HIGH_2 1, 3
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 IN_TURN_8(0, 8)
#define HIGH_8 IN_TURN_8(4, 12)
#define LOW_16 IN_TURN_16(0, 16)
#define HIGH_16 IN_TURN_16(8, 24)

TRANSPOSE(transpose_bytes, uint8_t, LOW_16, HIGH_16)
TRANSPOSE(transpose_halves, uint16_t, LOW_8, HIGH_8)
TRANSPOSE(transpose_words, uint32_t, LOW_4, HIGH_4)
TRANSPOSE(transpose_doubles, uint64_t, LOW_2, HIGH_2)

#undef TRANSPOSE

/* Words that lie in turn, divided: `columns` of each row. */
static inline void split_words(const char *from, char *to, int64_t out, int64_t columns) {
    typedef uint32_t vector __attribute__((vector_size(TRANSPOSE_BYTES)));
    enum { N = TRANSPOSE_BYTES / (int)sizeof(uint32_t), SIZE = (int)sizeof(uint32_t) };
    int64_t c = 0;
    for (; c + N <= columns; c += N) {
        vector low, high;
        memcpy(&low, from + c * 2 * SIZE, sizeof low);
        memcpy(&high, from + (c * 2 + N) * SIZE, sizeof high);
        const vector first = __builtin_shufflevector(low, high, 0, 2, 4, 6),
                     second = __builtin_shufflevector(low, high, 1, 3, 5, 7);
        memcpy(to + c * SIZE, &first, sizeof first);
        memcpy(to + out + c * SIZE, &second, sizeof second);
    }
    for (; c < columns; c++) {
        memcpy(to + c * SIZE, from + c * 2 * SIZE, SIZE);
        memcpy(to + out + c * SIZE, from + (c * 2 + 1) * SIZE, SIZE);
    }
}

#endif
