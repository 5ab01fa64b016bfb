/* The kernel of frames.c for one SIMD level; see there. */

#include "lane_fft.h"

/* Scratch of one call: LANES frames as columns, half transformed, and as energies. */
typedef struct {
    float *columns, *edge;
    ptrdiff_t pitch;
    int32_t *where; /* (n): sample i of frame j lies at columns[where[i] + j] */
    cvec *half;
    vec *energy;
} NAME(scratch);

/* columns[i * pitch + c] = y[left + c hop + i], zero outside the clip. The frames overlap, so a
   column holds one hop of samples only: frame j goes on in column j + 1. */
INLINE void NAME(fill_columns)(const float *y, ptrdiff_t samples, ptrdiff_t left, ptrdiff_t hop,
                               ptrdiff_t rows, const NAME(scratch) *s)
{
    for (ptrdiff_t c = 0; c < s->pitch; c += 4) {
        const float *column[4];
        for (int j = 0; j < 4; j++)
            column[j] = samples_at(y, samples, left + (c + j) * hop, rows, s->edge + j * rows);
        float *out = s->columns + c;
        ptrdiff_t i = 0;
        for (; i + 4 <= rows; i += 4)
            transpose_4x4(column, i, out + i * s->pitch, s->pitch);
        for (; i < rows; i++)
            for (int j = 0; j < 4; j++)
                out[i * s->pitch + j] = column[j][i];
    }
}

/* The first r1-point transforms, over z[r2 i + j] = x[2 (r2 i + j)] + i x[2 (r2 i + j) + 1] for
   each j, with the twiddle factors after them; output k goes to half[k (r2 + 1) + j]. (The odd
   length of a row keeps a column of it from falling into one set of the cache.) */
INLINE void NAME(first_pass)(const fastdis_framing *p, const NAME(scratch) *s, int r1, int r2)
{
    for (int j = 0; j < r2; j++) {
        cvec v[64];
        _Pragma("GCC unroll 4") for (int i = 0; i < r1; i++)
        {
            const int n = 2 * (r2 * i + j);
            v[i].re = p->window[n] * *(const loose_vec *)(s->columns + s->where[n]);
            v[i].im = p->window[n + 1] * *(const loose_vec *)(s->columns + s->where[n + 1]);
        }
        NAME(dft)(v, r1);
        const float *t = p->twiddle + 2 * r1 * j;
        _Pragma("GCC unroll 8") for (int k = 0; k < r1; k++)
            s->half[k * (r2 + 1) + j] = NAME(rotate)(v[NAME(place)(k, r1)], t[2 * k], t[2 * k + 1]);
    }
}

typedef int32_t NAME(order) __attribute__((vector_size(4 * LANES)));

/* Whole cache lines go past the cache: they are written once, a few bins of each row at a time, and
   fetching them first would take twice the memory's time. */
INLINE void NAME(store_complex)(cvec x, float *out, ptrdiff_t count)
{
    vec both[2] = {PICK(NAME(order), x.re, x.im, FIRST_HALVES),
                   PICK(NAME(order), x.re, x.im, LAST_HALVES)};
    if (count == LANES && (uintptr_t)out % sizeof(vec) == 0) {
        STREAM(out, both[0]);
        STREAM(out + LANES, both[1]);
    } else
        memcpy(out, both, 2 * sizeof(float) * (size_t)count);
}

/* Bins k and m - k of real frames out of Z, the transform of even samples + i odd samples:
   with E = Z[k] + conj Z[m-k] and O = Z[k] - conj Z[m-k],
   2 X[k] = E - i e^{-2 i pi k / n} O and 2 conj X[m-k] = E + i e^{-2 i pi k / n} O. The factor 2
   is already in Z. */
INLINE void NAME(unravel)(const fastdis_framing *p, cvec z, cvec mirror, ptrdiff_t k,
                          const NAME(scratch) *s, float *spectrum, ptrdiff_t count)
{
    const float cosine = p->rotation[2 * k], sine = p->rotation[2 * k + 1];
    const ptrdiff_t mirrored = p->n / 2 - k;
    cvec e = {z.re + mirror.re, z.im - mirror.im}, o = {z.re - mirror.re, z.im + mirror.im};
    cvec turned = {sine * o.re - cosine * o.im, sine * o.im + cosine * o.re};
    cvec low = {e.re - turned.re, e.im - turned.im};
    cvec high = {e.re + turned.re, -e.im - turned.im};
    if (spectrum) {
        NAME(store_complex)(low, spectrum + 2 * k * p->frames, count);
        NAME(store_complex)(high, spectrum + 2 * mirrored * p->frames, count);
    } else {
        s->energy[k] = low.re * low.re + low.im * low.im;
        s->energy[mirrored] = high.re * high.re + high.im * high.im;
    }
}

/* The r2-point transforms, row k1 and row r1 - k1 together, for the one holds the mirror images of
   the other: Z[k1 + r1 k2] is output k2 of row k1. Rows 0 and r1 / 2 hold their own. */
INLINE void NAME(second_pass)(const fastdis_framing *p, const NAME(scratch) *s, int r1, int r2,
                              float *spectrum, ptrdiff_t count)
{
    for (int k1 = 0; k1 <= r1 / 2; k1++) {
        cvec *row = s->half + k1 * (r2 + 1), *other = s->half + (r1 - k1) * (r2 + 1);
        const int alone = k1 == 0 || k1 == r1 / 2;
        NAME(dft)(row, r2);
        if (alone)
            other = row;
        else
            NAME(dft)(other, r2);
        for (int k2 = 0; k2 < (alone ? r2 / 2 + (k1 == 0) : r2); k2++) {
            const int mirror = k1 == 0 ? (r2 - k2) % r2 : r2 - 1 - k2;
            NAME(unravel)(p, row[NAME(place)(k2, r2)], other[NAME(place)(mirror, r2)],
                          k1 + (ptrdiff_t)r1 * k2, s, spectrum, count);
        }
    }
}

/* One function a radix, so that all within is known when compiling. */
#define PASSES(r)                                                                                 \
    static void NAME(first_pass_##r)(const fastdis_framing *p, const NAME(scratch) *s, int r2)    \
    {                                                                                             \
        NAME(first_pass)(p, s, r, r2);                                                            \
    }                                                                                             \
    static void NAME(energy_pass_##r)(const fastdis_framing *p, const NAME(scratch) *s, int r1)   \
    {                                                                                             \
        NAME(second_pass)(p, s, r1, r, NULL, LANES);                                              \
    }                                                                                             \
    static void NAME(spectrum_pass_##r)(const fastdis_framing *p, const NAME(scratch) *s, int r1, \
                                        float *spectrum, ptrdiff_t count)                         \
    {                                                                                             \
        if (count == LANES)                                                                       \
            NAME(second_pass)(p, s, r1, r, spectrum, LANES);                                      \
        else                                                                                      \
            NAME(second_pass)(p, s, r1, r, spectrum, count);                                      \
    }
PASSES(8)
PASSES(16)
PASSES(32)
PASSES(64)
#undef PASSES

#define BY_RADIX(pass, r, ...)                                                                    \
    (r == 8    ? NAME(pass##_8)(__VA_ARGS__)                                                      \
     : r == 16 ? NAME(pass##_16)(__VA_ARGS__)                                                     \
     : r == 32 ? NAME(pass##_32)(__VA_ARGS__)                                                     \
               : NAME(pass##_64)(__VA_ARGS__))

static void NAME(filter)(const fastdis_bands *bands, const vec *energy, float *mel,
                         ptrdiff_t pitch, ptrdiff_t count)
{
    for (ptrdiff_t b = 0; b < bands->mels; b++, mel += pitch) {
        const float *weight = bands->weight + bands->offset[b];
        const vec *bin = energy + bands->first[b];
        const ptrdiff_t taps = bands->offset[b + 1] - bands->offset[b];
        vec sum[2] = {{0}, {0}}; /* two chains of additions run side by side */
        for (ptrdiff_t i = 0; i + 1 < taps; i += 2) {
            sum[0] += weight[i] * bin[i];
            sum[1] += weight[i + 1] * bin[i + 1];
        }
        if (taps % 2)
            sum[0] += weight[taps - 1] * bin[taps - 1];
        sum[0] += sum[1];
        if (count == LANES)
            *(loose_vec *)mel = sum[0];
        else
            memcpy(mel, sum, sizeof(float) * (size_t)count);
    }
}

static void NAME(clip)(const float *y, ptrdiff_t samples, const fastdis_framing *p,
                       const fastdis_bands *bands, const NAME(scratch) *s, float *out)
{
    int r1, r2;
    fastdis_radices(p->n, &r1, &r2);
    const ptrdiff_t rows = p->hop < p->n ? p->hop : p->n;
    for (ptrdiff_t f = 0; f < p->frames; f += LANES) {
        const ptrdiff_t count = p->frames - f < LANES ? p->frames - f : LANES;
        NAME(fill_columns)(y, samples, p->start + f * p->hop, p->hop, rows, s);
        BY_RADIX(first_pass, r1, p, s, r2);
        if (bands) {
            BY_RADIX(energy_pass, r2, p, s, r1);
            raise_energies(bands->power, (float *)s->energy, (p->n / 2 + 1) * LANES);
            NAME(filter)(bands, s->energy, out + f, p->frames, count);
        } else
            BY_RADIX(spectrum_pass, r2, p, s, r1, out + 2 * f, count);
    }
}

static ptrdiff_t NAME(frames)(const float *y, ptrdiff_t batch, ptrdiff_t samples, float loudest,
                              const fastdis_framing *p, const fastdis_bands *bands, float *out)
{
    int r1, r2;
    fastdis_radices(p->n, &r1, &r2);
    const ptrdiff_t rows = p->hop < p->n ? p->hop : p->n;
    const ptrdiff_t pitch = (LANES + (p->n - 1) / p->hop + 3) / 4 * 4;
    const ptrdiff_t size = bands ? bands->mels * p->frames : 2 * (p->n / 2 + 1) * p->frames;
    NAME(scratch) s = {
        .columns = lines_of(sizeof(float) * (size_t)(rows * pitch)),
        .edge = lines_of(sizeof(float) * 4 * (size_t)rows),
        .pitch = pitch,
        .where = lines_of(sizeof(int32_t) * (size_t)p->n),
        .half = lines_of(sizeof(cvec) * (size_t)(r1 * (r2 + 1))),
        .energy = lines_of(sizeof(vec) * (size_t)(p->n / 2 + 1)),
    };
    ptrdiff_t done = s.columns && s.edge && s.where && s.half && s.energy ? 0 : -1;
    if (done == 0) {
        for (ptrdiff_t i = 0; i < p->n; i++)
            s.where[i] = (int32_t)(i % p->hop * pitch + i / p->hop);
        for (; done < batch && within(y + done * samples, samples, loudest); done++)
            NAME(clip)(y + done * samples, samples, p, bands, &s, out + done * size);
    }
    free(s.columns);
    free(s.edge);
    free(s.where);
    free(s.half);
    free(s.energy);
    return done;
}

#undef BY_RADIX
#undef vec
#undef loose_vec
#undef cvec
#undef LANES
#undef NAME
#undef FIRST_HALVES
#undef LAST_HALVES
#undef STREAM
