/* What the spectral kernels share: up to 16 rows, hence 32 frames, are worked on side by side, so
   that one bin of all of them fills whole vectors. */
#ifndef FASTDIS_SPECTRAL_TILES_H
#define FASTDIS_SPECTRAL_TILES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PAIRS = 16, FRAMES = 2 * PAIRS };

/* One complex number, moved as a whole: single floats would take twice the moves. */
typedef double __attribute__((may_alias)) complex_bits;
#define ALIGNED __attribute__((aligned(64)))

/* Column k of the filters owns entries first[k] ... first[k+1]-1. */
typedef struct {
    const int32_t *first, *band;
    const float *weight;
} sparse_filters;

static inline ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* `count` samples from `first` on, zero outside the clip: y itself, or a copy in `edge`. */
static inline __attribute__((always_inline)) const float *
samples_at(const float *y, ptrdiff_t samples, ptrdiff_t first, ptrdiff_t count, float *edge)
{
    if (first >= 0 && first + count <= samples)
        return y + first;
    ptrdiff_t a = smaller(larger(-first, 0), count), b = larger(smaller(samples - first, count), a);
    memset(edge, 0, sizeof(float) * (size_t)count);
    if (b > a)
        memcpy(edge + a, y + first + a, sizeof(float) * (size_t)(b - a));
    return edge;
}

/* |X|^2 to |X|^power; inlined, so that it runs at the level of its caller. */
static inline __attribute__((always_inline)) void raise_energies(float power, float *energy,
                                                                 ptrdiff_t count)
{
    if (power == 1.0f)
        for (ptrdiff_t i = 0; i < count; i++)
            energy[i] = sqrtf(energy[i]);
    else if (power != 2.0f)
        for (ptrdiff_t i = 0; i < count; i++)
            energy[i] = powf(energy[i], 0.5f * power);
}

static inline void add_scaled(float weight, const float *restrict x, float *restrict sum)
{
    for (int f = 0; f < FRAMES; f++)
        sum[f] += weight * x[f];
}

#endif
