/* The constant-Q transform between its Fourier transforms: a clip laid into its period; then the
   lines of every filter's band, weighted and added up modulo the number of frames of a period.

   The period of N real samples is transformed as N / 2 complex ones, z[i] = y[2i] + i y[2i + 1]:
   with E = Z[f] + conj Z[N/2 - f] and O = Z[f] - conj Z[N/2 - f],
   2 Y[f] = E - i e^{-2 i pi f / N} O. */
#include "constant_q.h"

#include <stdlib.h>
#include <string.h>

#include "simd.h"

/* From here a * b + c may be one instruction where the machine has it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif

enum {
    RUN = 64,  /* lines that a loop takes at least, as long as its band has them */
    LANES = 16 /* sums that are kept in registers, one vector for each part */
};

FASTDIS_CLONES
int fastdis_fill_period(const float *y, ptrdiff_t samples, ptrdiff_t before, float loudest,
                        float *period, ptrdiff_t length)
{
    int32_t most = 0, limit;
    memcpy(&limit, &loudest, sizeof limit);
    for (ptrdiff_t i = 0; i < samples; i++) { /* magnitudes are ordered as their bits, NaN last */
        int32_t bits;
        memcpy(&bits, y + i, sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    memcpy(period, y + before, sizeof(float) * (size_t)(samples - before));
    memset(period + samples - before, 0, sizeof(float) * (size_t)(length - samples));
    memcpy(period + length - before, y, sizeof(float) * (size_t)before);
    return most <= limit;
}

/* Y[f] for f < lines, real and imaginary parts apart; twiddle[f] = e^{-2 i pi f / N} / 2.
   What lies at N/2 - f is turned round first: reading it backwards would keep the second loop from
   being vectorised. */
static inline void unravel(const float *restrict z, ptrdiff_t half, const float *restrict twiddle,
                           ptrdiff_t lines, float *restrict mirrored, float *restrict re,
                           float *restrict im)
{
    memcpy(mirrored, z, 2 * sizeof(float));
    for (ptrdiff_t f = 1; f < lines; f++)
        memcpy(mirrored + 2 * f, z + 2 * (half - f), 2 * sizeof(float));
    const ptrdiff_t inner = lines < half ? lines : half;
    for (ptrdiff_t f = 0; f < inner; f++) {
        const float *a = z + 2 * f, *b = mirrored + 2 * f;
        const float odd_re = a[0] - b[0], odd_im = a[1] + b[1];
        const float c = twiddle[2 * f], s = twiddle[2 * f + 1];
        re[f] = 0.5f * (a[0] + b[0]) + (c * odd_im + s * odd_re);
        im[f] = 0.5f * (a[1] - b[1]) + (s * odd_im - c * odd_re);
    }
    if (lines > half) { /* half the sampling rate itself */
        re[half] = z[0] - z[1];
        im[half] = 0.0f;
    }
}

/* sum[i] += weight[i] y[i] */
static inline void add_weighted(const float *restrict weight, const float *restrict re,
                                const float *restrict im, ptrdiff_t count,
                                float *restrict sum_re, float *restrict sum_im)
{
    for (ptrdiff_t i = 0; i < count; i++) {
        sum_re[i] += weight[i] * re[i];
        sum_im[i] += weight[i] * im[i];
    }
}

/* The same of `runs` runs of lines, whose sums stay in registers. */
static inline void add_runs(const float *restrict weight, const float *restrict re,
                            const float *restrict im, ptrdiff_t run, ptrdiff_t runs,
                            float *restrict sum_re, float *restrict sum_im)
{
    ptrdiff_t r = 0;
    for (; r + LANES <= run; r += LANES) {
        float a[LANES], b[LANES];
        memcpy(a, sum_re + r, sizeof a);
        memcpy(b, sum_im + r, sizeof b);
        for (ptrdiff_t q = r; q < r + runs * run; q += run)
            for (int i = 0; i < LANES; i++) {
                a[i] += weight[q + i] * re[q + i];
                b[i] += weight[q + i] * im[q + i];
            }
        memcpy(sum_re + r, a, sizeof a);
        memcpy(sum_im + r, b, sizeof b);
    }
    if (r < run)
        for (ptrdiff_t q = r; q < r + runs * run; q += run)
            add_weighted(weight + q, re + q, im + q, run - r, sum_re + r, sum_im + r);
}

/* Weighted lines from f on, added to sum[f mod run]. */
static inline void fold_band(const float *weight, const float *re, const float *im, ptrdiff_t f,
                             ptrdiff_t count, ptrdiff_t run, float *sum_re, float *sum_im)
{
    const ptrdiff_t r = f % run, some = count < run - r ? count : run - r; /* to a run's end */
    add_weighted(weight, re + f, im + f, some, sum_re + r, sum_im + r);
    weight += some, re += f + some, im += f + some, count -= some;
    const ptrdiff_t runs = count / run, whole = runs * run;
    add_runs(weight, re, im, run, runs, sum_re, sum_im);
    add_weighted(weight + whole, re + whole, im + whole, count - whole, sum_re, sum_im);
}

FASTDIS_CLONES
int fastdis_fold_bands(const float *packed, ptrdiff_t half, const float *twiddle, ptrdiff_t lines,
                       const int64_t *first, const int64_t *offset, const float *weight,
                       float scale, ptrdiff_t bands, float *folded, ptrdiff_t length,
                       ptrdiff_t pitch)
{
    /* Short periods of lines are taken several at once, which are added up in the end. */
    const ptrdiff_t run = length * ((RUN + length - 1) / length);
    float *scratch = malloc(sizeof(float) * 2 * (size_t)(2 * lines + run));
    if (!scratch)
        return -1;
    float *re = scratch, *im = re + lines, *mirrored = im + lines;
    float *sum_re = mirrored + 2 * lines, *sum_im = sum_re + run;
    unravel(packed, half, twiddle, lines, mirrored, re, im);
    for (ptrdiff_t k = 0; k < bands; k++, folded += 2 * pitch) {
        memset(sum_re, 0, sizeof(float) * 2 * (size_t)run);
        fold_band(weight + offset[k], re, im, (ptrdiff_t)first[k],
                  (ptrdiff_t)(offset[k + 1] - offset[k]), run, sum_re, sum_im);
        for (ptrdiff_t r = length; r < run; r += length)
            for (ptrdiff_t i = 0; i < length; i++) {
                sum_re[i] += sum_re[r + i];
                sum_im[i] += sum_im[r + i];
            }
        for (ptrdiff_t i = 0; i < length; i++) {
            folded[2 * i] = scale * sum_re[i];
            folded[2 * i + 1] = scale * sum_im[i];
        }
    }
    free(scratch);
    return 0;
}
