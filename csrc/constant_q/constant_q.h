/* Constant-Q kernels; fastdis/_kernels/reference.py says what each one computes. Complex numbers
   are interleaved floats. */
#ifndef FASTDIS_CONSTANT_Q_H
#define FASTDIS_CONSTANT_Q_H

#include <stddef.h>
#include <stdint.h>

/* Returns whether every |y| is at most `loudest`. */
int fastdis_fill_period(const float *y, ptrdiff_t samples, ptrdiff_t before, float loudest,
                        float *period, ptrdiff_t length);

/* Returns 0, or -1 where memory ran out. Rows of `folded` lie `pitch` complex numbers apart. */
int fastdis_fold_bands(const float *packed, ptrdiff_t half, const float *twiddle, ptrdiff_t lines,
                       const int64_t *first, const int64_t *offset, const float *weight,
                       float scale, ptrdiff_t bands, float *folded, ptrdiff_t length,
                       ptrdiff_t pitch);

#endif
