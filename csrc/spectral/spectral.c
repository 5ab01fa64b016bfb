/* Framing, unpacking and mel filtering of real frames that travel in pairs through complex FFTs.
   With Z = DFT(a + ib):  A[k] = (Z[k] + conj Z[n-k]) / 2,  B[k] = (Z[k] - conj Z[n-k]) / 2i. */
#include "spectral.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"
#include "spectral_tiles.h"

enum {
    GAIN_FROM = 1, /* scale a frame up to its partner where that is over 2^1 louder ... */
    GAIN_TO = 60,  /* ... by at most 2^60: its square must stay in float range */
    LANES = 16     /* partial sums, since a compiler may not reorder a single one */
};

/* row = window (a + ib); inlined, so that LANES is a constant. */
static inline void pack_samples(const float *restrict a, const float *restrict b,
                                const float *restrict window, ptrdiff_t count,
                                float *restrict row, float *restrict sum_a, float *restrict sum_b)
{
    for (ptrdiff_t i = 0; i < count; i++) {
        float re = window[i] * a[i], im = window[i] * b[i];
        sum_a[i] += fabsf(re);
        sum_b[i] += fabsf(im);
        row[2 * i] = re;
        row[2 * i + 1] = im;
    }
}

/* row = window (a + ib); into level[2] the sums of magnitudes, which bound both spectra. */
static inline void pack_pair(const float *restrict a, const float *restrict b,
                             const float *restrict window, ptrdiff_t n, float *restrict row,
                             float level[2])
{
    float sum_a[LANES] ALIGNED = {0}, sum_b[LANES] ALIGNED = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        pack_samples(a + i, b + i, window + i, LANES, row + 2 * i, sum_a, sum_b);
    pack_samples(a + i, b + i, window + i, n - i, row + 2 * i, sum_a, sum_b);
    level[0] = level[1] = 0.0f;
    for (int j = 0; j < LANES; j++) {
        level[0] += sum_a[j];
        level[1] += sum_b[j];
    }
}

static inline int exponent(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 23;
}

/* Lift the quieter frame of a row to its partner, so that the partner's rounding errors do not
   reach it; a power of two is exact, and gain[] undoes it. */
static inline void balance_pair(float *row, ptrdiff_t n, const float level[2], float gain[2])
{
    int lift = exponent(level[0]) - exponent(level[1]);
    int quiet = lift > 0;
    lift = lift < 0 ? -lift : lift;
    gain[0] = level[0] > 0.0f ? 1.0f : 0.0f;
    gain[1] = level[1] > 0.0f ? 1.0f : 0.0f;
    if (lift <= GAIN_FROM || gain[0] * gain[1] == 0.0f)
        return;
    float factor = ldexpf(1.0f, lift < GAIN_TO ? lift : GAIN_TO);
    float re = quiet ? 1.0f : factor, im = quiet ? factor : 1.0f;
    for (ptrdiff_t i = 0; i < n; i++) {
        row[2 * i] *= re;
        row[2 * i + 1] *= im;
    }
    gain[quiet] = 1.0f / factor;
}

FASTDIS_CLONES
int fastdis_pack_frames(const float *y, ptrdiff_t samples, const float *window, ptrdiff_t n,
                        ptrdiff_t hop, ptrdiff_t start, float *packed, ptrdiff_t stride,
                        float *gain, ptrdiff_t frames)
{
    float *edge = malloc(sizeof(float) * 2 * (size_t)n);
    if (!edge)
        return -1;
    for (ptrdiff_t f = 0; f < frames; f += 2, packed += 2 * stride) {
        float level[2], pair_gain[2];
        ptrdiff_t left = start + f * hop;
        /* A last frame without a partner gets silence, which lies outside the clip. */
        ptrdiff_t right = f + 1 < frames ? left + hop : samples;
        const float *a = samples_at(y, samples, left, n, edge);
        const float *b = samples_at(y, samples, right, n, edge + n);
        pack_pair(a, b, window, n, packed, level);
        balance_pair(packed, n, level, pair_gain);
        memcpy(gain + f, pair_gain, sizeof(float) * (size_t)smaller(2, frames - f));
    }
    free(edge);
    return 0;
}

/* Entry 0 of up to 16 rows side by side: a transposition through the L1 cache. */
static inline void gather_bin(const float *packed, ptrdiff_t stride, ptrdiff_t pairs,
                              float bin[FRAMES])
{
    for (ptrdiff_t p = 0; p < pairs; p++)
        ((complex_bits *)bin)[p] = ((const complex_bits *)packed)[p * stride];
}

/* One bin of 32 frames: A, B of pair 0, A, B of pair 1, ...; half[] holds the sign of -Re B. */
static inline void unpack_bin(const float *restrict z, const float *restrict mirror,
                              const float *restrict half, float *restrict spectrum)
{
    for (int p = 0; p < PAIRS; p++) {
        float sum_re = z[2 * p] + mirror[2 * p], sum_im = z[2 * p + 1] + mirror[2 * p + 1];
        float diff_re = z[2 * p] - mirror[2 * p], diff_im = z[2 * p + 1] - mirror[2 * p + 1];
        spectrum[4 * p] = half[4 * p] * sum_re;
        spectrum[4 * p + 1] = half[4 * p + 1] * diff_im;
        spectrum[4 * p + 2] = half[4 * p + 2] * sum_im;
        spectrum[4 * p + 3] = half[4 * p + 3] * diff_re;
    }
}

/* Up to 32 columns of the spectrum; inlined, so that a full 32 is a constant. */
static inline void unpack_rows(const float *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t n,
                               const float half[2 * FRAMES], float *spectrum, ptrdiff_t pitch)
{
    float z[FRAMES] ALIGNED = {0}, mirror[FRAMES] ALIGNED = {0}, both[2 * FRAMES] ALIGNED;
    const float *mirrored = rows; /* bin 0 is its own mirror image */
    for (ptrdiff_t k = 0; k <= n / 2; k++, mirrored = rows + 2 * (n - k)) {
        gather_bin(rows + 2 * k, stride, (count + 1) / 2, z);
        gather_bin(mirrored, stride, (count + 1) / 2, mirror);
        float *out = spectrum + 2 * k * pitch;
        unpack_bin(z, mirror, half, count == FRAMES ? out : both);
        if (count < FRAMES)
            memcpy(out, both, sizeof(float) * 2 * (size_t)count);
    }
}

FASTDIS_CLONES
void fastdis_unpack_spectrum(const float *packed, ptrdiff_t stride, ptrdiff_t n,
                             const float *gain, ptrdiff_t frames, float *spectrum, ptrdiff_t pitch)
{
    float half[2 * FRAMES] ALIGNED = {0};
    for (ptrdiff_t f = 0; f < frames; f += FRAMES) {
        ptrdiff_t count = smaller(frames - f, FRAMES);
        for (ptrdiff_t i = 0; i < count; i++) {
            half[2 * i] = 0.5f * gain[f + i];
            half[2 * i + 1] = i % 2 ? -half[2 * i] : half[2 * i];
        }
        if (count == FRAMES)
            unpack_rows(packed + f * stride, stride, FRAMES, n, half, spectrum + 2 * f, pitch);
        else
            unpack_rows(packed + f * stride, stride, count, n, half, spectrum + 2 * f, pitch);
    }
}

/* |A|^2 and |B|^2 of one bin, for 32 frames. */
static inline void energies_of_bin(const float *restrict z, const float *restrict mirror,
                                   const float *restrict quarter, float *restrict energy)
{
    for (int f = 0; f < FRAMES; f += 2) {
        float sum_re = z[f] + mirror[f], sum_im = z[f + 1] + mirror[f + 1];
        float diff_re = z[f] - mirror[f], diff_im = z[f + 1] - mirror[f + 1];
        energy[f] = quarter[f] * (sum_re * sum_re + diff_im * diff_im);
        energy[f + 1] = quarter[f + 1] * (sum_im * sum_im + diff_re * diff_re);
    }
}

/* Add up to 16 rows to the sums of their frames; inlined, so that 16 is a constant. */
static inline void filter_rows(const float *rows, ptrdiff_t stride, ptrdiff_t pairs, ptrdiff_t n,
                               const float quarter[FRAMES], float power, sparse_filters filters,
                               float (*sum)[FRAMES])
{
    float z[FRAMES] ALIGNED = {0}, mirror[FRAMES] ALIGNED = {0}, energy[FRAMES] ALIGNED;
    const float *mirrored = rows; /* bin 0 is its own mirror image */
    for (ptrdiff_t k = 0; k <= n / 2; k++, mirrored = rows + 2 * (n - k)) {
        int32_t from = filters.first[k], to = filters.first[k + 1];
        if (from == to)
            continue; /* outside every filter */
        gather_bin(rows + 2 * k, stride, pairs, z);
        gather_bin(mirrored, stride, pairs, mirror);
        energies_of_bin(z, mirror, quarter, energy);
        raise_energies(power, energy, FRAMES);
        for (int32_t j = from; j < to; j++)
            add_scaled(filters.weight[j], energy, sum[filters.band[j]]);
    }
}

FASTDIS_CLONES
int fastdis_mel_from_packed(const float *packed, ptrdiff_t stride, ptrdiff_t n, const float *gain,
                            ptrdiff_t frames, float power, const int32_t *first,
                            const int32_t *band, const float *weight, float *mel, ptrdiff_t mels,
                            ptrdiff_t pitch)
{
    sparse_filters filters = {first, band, weight};
    float quarter[FRAMES] ALIGNED;
    size_t bytes = sizeof(float[FRAMES]) * (size_t)mels;
    float(*sum)[FRAMES] = aligned_alloc(64, bytes);
    if (!sum)
        return -1;
    for (ptrdiff_t f = 0; f < frames; f += FRAMES) {
        ptrdiff_t count = smaller(frames - f, FRAMES), pairs = (count + 1) / 2;
        const float *rows = packed + f * stride;
        for (ptrdiff_t i = 0; i < FRAMES; i++)
            quarter[i] = i < count ? 0.25f * gain[f + i] * gain[f + i] : 0.0f;
        memset(sum, 0, bytes);
        if (pairs == PAIRS)
            filter_rows(rows, stride, PAIRS, n, quarter, power, filters, sum);
        else
            filter_rows(rows, stride, pairs, n, quarter, power, filters, sum);
        for (ptrdiff_t m = 0; m < mels; m++)
            memcpy(mel + m * pitch + f, sum[m], sizeof(float) * (size_t)count);
    }
    free(sum);
    return 0;
}
