/* Back from spectra to audio: packing two spectra into one inverse FFT, overlap-add, the phase
   update of fast Griffin-Lim (Perraudin et al., WASPAA 2013), and mel least squares by FISTA
   (Beck & Teboulle, SIAM J. Imaging Sciences, 2009). */
#include "spectral.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"
#include "spectral_tiles.h"

enum { TILE = 64 }; /* bins handled together where the two halves of a row meet */

static inline void scatter_bin(const float bin[FRAMES], float *packed, ptrdiff_t stride,
                               ptrdiff_t pairs)
{
    for (ptrdiff_t p = 0; p < pairs; p++)
        ((complex_bits *)packed)[p * stride] = ((const complex_bits *)bin)[p];
}

/* Bins k and n-k of A + iB for 16 pairs; `sign` is 0 where both are the same, real bin. */
static inline void pack_bin(const float *restrict spectrum, float sign, float *restrict z,
                            float *restrict mirror)
{
    for (int p = 0; p < PAIRS; p++) {
        float a_re = spectrum[4 * p], a_im = sign * spectrum[4 * p + 1];
        float b_re = spectrum[4 * p + 2], b_im = sign * spectrum[4 * p + 3];
        z[2 * p] = a_re - b_im;
        z[2 * p + 1] = b_re + a_im;
        mirror[2 * p] = a_re + b_im;
        mirror[2 * p + 1] = b_re - a_im;
    }
}

FASTDIS_CLONES
void fastdis_pack_spectrum(const float *spectrum, ptrdiff_t pitch, ptrdiff_t frames, float *packed,
                           ptrdiff_t stride, ptrdiff_t n)
{
    float z[FRAMES] ALIGNED, mirror[FRAMES] ALIGNED, both[2 * FRAMES] ALIGNED = {0};
    for (ptrdiff_t f = 0; f < frames; f += FRAMES) {
        ptrdiff_t count = smaller(frames - f, FRAMES), pairs = (count + 1) / 2;
        float *rows = packed + f * stride;
        if (count % 2) /* the missing partner */
            both[2 * count] = both[2 * count + 1] = 0.0f;
        for (ptrdiff_t k = 0; k <= n / 2; k++) {
            float sign = k == 0 || 2 * k == n ? 0.0f : 1.0f;
            const float *in = spectrum + 2 * (k * pitch + f);
            if (count < FRAMES)
                in = memcpy(both, in, sizeof(float) * 2 * (size_t)count);
            pack_bin(in, sign, z, mirror);
            scatter_bin(z, rows + 2 * k, stride, pairs);
            scatter_bin(mirror, rows + 2 * (k ? n - k : 0), stride, pairs);
        }
    }
}

FASTDIS_CLONES
void fastdis_overlap_add(const float *packed, ptrdiff_t stride, const float *window, ptrdiff_t n,
                         ptrdiff_t hop, ptrdiff_t start, ptrdiff_t frames, float *y,
                         ptrdiff_t samples)
{
    for (ptrdiff_t f = 0; f < frames; f++) {
        const float *row = packed + f / 2 * 2 * stride + f % 2;
        ptrdiff_t left = start + f * hop;
        ptrdiff_t end = smaller(samples - left, n);
        for (ptrdiff_t i = larger(-left, 0); i < end; i++)
            y[left + i] += window[i] * row[2 * i];
    }
}

/* Real parts of A, B and imaginary parts of A, -B for `count` bins: with Z and its mirror image M,
   Re = (Z + M) / 2 and Im = swapped (Z - M) / 2. Signs do not matter to a magnitude. */
static inline void split_bins(const float *restrict z, const float *restrict mirror,
                              const float half[2], ptrdiff_t count, float *restrict re,
                              float *restrict im)
{
    for (ptrdiff_t i = 0; i < 2 * count; i += 2) {
        re[i] = half[0] * (z[i] + mirror[i]);
        re[i + 1] = half[1] * (z[i + 1] + mirror[i + 1]);
        im[i] = half[0] * (z[i + 1] - mirror[i + 1]);
        im[i + 1] = half[1] * (z[i] - mirror[i]);
    }
}

/* The inverse, without the half: Z = Re + swapped Im, M = Re - swapped Im. */
static inline void join_bins(const float *restrict re, const float *restrict im, ptrdiff_t count,
                             float *restrict z, float *restrict mirror)
{
    for (ptrdiff_t i = 0; i < 2 * count; i += 2) {
        z[i] = re[i] + im[i + 1];
        z[i + 1] = re[i + 1] + im[i];
        mirror[i] = re[i] - im[i + 1];
        mirror[i + 1] = re[i + 1] - im[i];
    }
}

/* Move ahead of the previous estimate, keep the direction, take the magnitude. */
static inline void project(const float *restrict magnitude, float inertia, ptrdiff_t count,
                           float *restrict previous_re, float *restrict previous_im,
                           float *restrict re, float *restrict im)
{
    for (ptrdiff_t i = 0; i < 2 * count; i++) {
        float x = re[i] - inertia * previous_re[i], y = im[i] - inertia * previous_im[i];
        float energy = x * x + y * y;
        /* Below it there is no phase to speak of: the magnitudes have a peak near 1. */
        float scale = energy > 1e-30f ? magnitude[i] / sqrtf(energy) : 0.0f;
        previous_re[i] = re[i];
        previous_im[i] = im[i];
        re[i] = scale * x;
        im[i] = scale * y;
    }
}

static inline void reverse_copy(const float *last, ptrdiff_t count, float *out)
{
    for (ptrdiff_t j = 0; j < count; j++)
        ((complex_bits *)out)[j] = ((const complex_bits *)last)[-j];
}

FASTDIS_CLONES
void fastdis_project_phase(float *packed, ptrdiff_t stride, ptrdiff_t n, const float *gain,
                           ptrdiff_t frames, float inertia, const float *magnitude,
                           float *previous)
{
    float mirror[2 * TILE] ALIGNED, re[2 * TILE] ALIGNED, im[2 * TILE] ALIGNED;
    ptrdiff_t bins = n / 2 + 1;
    for (ptrdiff_t f = 0; f < frames; f += 2) {
        float half[2] = {0.5f * gain[f], f + 1 < frames ? 0.5f * gain[f + 1] : 0.0f};
        for (ptrdiff_t k = 0, count = 1; k < bins; k += count, count = smaller(bins - k, TILE)) {
            ptrdiff_t image = k ? n - k : 0; /* bin 0, the first tile, is its own image */
            float *previous_re = previous + 2 * k, *previous_im = previous_re + 2 * bins;
            reverse_copy(packed + 2 * image, count, mirror);
            split_bins(packed + 2 * k, mirror, half, count, re, im);
            project(magnitude + 2 * k, inertia, count, previous_re, previous_im, re, im);
            join_bins(re, im, count, packed + 2 * k, mirror);
            for (ptrdiff_t j = 0; j < count; j++)
                ((complex_bits *)packed)[image - j] = ((const complex_bits *)mirror)[j];
        }
        packed += 2 * stride;
        magnitude += 2 * bins;
        previous += 4 * bins;
    }
}

/* One step of FISTA for 32 frames: x is the iterate, z the point ahead of it, r = A z - b. */
static inline void least_squares_step(const sparse_filters *filters, ptrdiff_t bins,
                                      const float *step, float momentum,
                                      const float (*restrict r)[FRAMES],
                                      float (*restrict x)[FRAMES], float (*restrict z)[FRAMES])
{
    for (ptrdiff_t k = 0; k < bins; k++) {
        float gradient[FRAMES] ALIGNED = {0};
        for (int32_t j = filters->first[k]; j < filters->first[k + 1]; j++)
            add_scaled(filters->weight[j], r[filters->band[j]], gradient);
        for (int f = 0; f < FRAMES; f++) {
            float next = z[k][f] - step[k] * gradient[f];
            next = next > 0.0f ? next : 0.0f;
            z[k][f] = next + momentum * (next - x[k][f]);
            x[k][f] = next;
        }
    }
}

/* 1 / (A'A 1): the largest steps per bin under which every step still descends. */
static inline void diagonal_steps(const sparse_filters *filters, ptrdiff_t bins, ptrdiff_t mels,
                                  float *row_sum, float *step)
{
    memset(row_sum, 0, sizeof(float) * (size_t)mels);
    for (int32_t j = 0; j < filters->first[bins]; j++)
        row_sum[filters->band[j]] += filters->weight[j];
    for (ptrdiff_t k = 0; k < bins; k++) {
        float sum = 0.0f;
        for (int32_t j = filters->first[k]; j < filters->first[k + 1]; j++)
            sum += filters->weight[j] * row_sum[filters->band[j]];
        step[k] = sum > 0.0f ? 1.0f / sum : 0.0f;
    }
}

FASTDIS_CLONES
int fastdis_mel_least_squares(const float *mel, ptrdiff_t mels, ptrdiff_t frames, ptrdiff_t pitch,
                              const int32_t *first, const int32_t *band, const float *weight,
                              ptrdiff_t steps, float *spectrum, ptrdiff_t bins)
{
    sparse_filters filters = {first, band, weight};
    size_t columns = sizeof(float[FRAMES]), tall = columns * (size_t)bins;
    size_t sums = sizeof(float) * (size_t)(bins + mels); /* step and row_sum, to whole columns */
    size_t bytes = 2 * tall + columns * (size_t)mels + (sums + columns - 1) / columns * columns;
    float(*x)[FRAMES] = aligned_alloc(64, bytes);
    if (!x)
        return -1;
    float(*z)[FRAMES] = x + bins, (*r)[FRAMES] = z + bins;
    float *step = (float *)(r + mels);
    diagonal_steps(&filters, bins, mels, step + bins, step);
    for (ptrdiff_t f = 0; f < frames; f += FRAMES) {
        size_t count = (size_t)smaller(frames - f, FRAMES);
        double t = 1.0;
        memset(x, 0, 2 * tall);
        for (ptrdiff_t i = 0; i < steps; i++) {
            double t_next = 0.5 * (1.0 + sqrt(1.0 + 4.0 * t * t));
            memset(r, 0, columns * (size_t)mels);
            for (ptrdiff_t m = 0; m < mels; m++)
                for (size_t c = 0; c < count; c++)
                    r[m][c] = -mel[m * pitch + f + (ptrdiff_t)c];
            for (ptrdiff_t k = 0; k < bins; k++)
                for (int32_t j = first[k]; j < first[k + 1]; j++)
                    add_scaled(weight[j], z[k], r[band[j]]);
            least_squares_step(&filters, bins, step, (float)((t - 1.0) / t_next), r, x, z);
            t = t_next;
        }
        for (ptrdiff_t k = 0; k < bins; k++)
            memcpy(spectrum + k * frames + f, x[k], sizeof(float) * count);
    }
    free(x);
    return 0;
}
