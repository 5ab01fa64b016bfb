/* Mel spectrograms of stationary partials, from the closed form of their windowed transforms.

   With time counted from the middle of a frame of n samples, A sin(2 pi nu t / n + phi) under a
   periodic Hann window has at bin k the transform z R(nu - k) + conj(z) R(-nu - k), where
     z = A e^{i phi} / 2i,   R(x) = sin(pi x) / 2 (cot a - (cot(a + h) + cot(a - h)) / 2)
                                  = sin(pi x) / 2 sin^2 h cot a / (sin^2 h - sin^2 a),
     a = pi x / n,   h = pi / n;
   that is n/2 sinc(x) / (1 - x^2), as for a continuous window, times B(x / n), which is near 1.
   Two things make it cheap: sin(pi (nu - k)) is sin(pi nu) times (-1)^k, a sign that all partials
   share and squaring drops; and of the frame, z alone knows. A partial is followed until R has
   fallen to TAIL of the peak of its clip's loudest partial, at most 252 bins to either side. */
#include "partials_mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"
#include "spectral_tiles.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif
#include "phasor.h"

enum {
    BLOCK = 16, /* bins whose weights are computed side by side */
    STEP = 4,   /* of these, bins whose sums stay in registers */
    LANES = 16,
    VECTORS = FRAMES / LANES
};

typedef float lanes __attribute__((vector_size(4 * LANES), may_alias));

static const double PI = 0x1.921fb54442d18p+1;
static const double TAIL = 2e-8;
static const double ON_BIN = 1e-9; /* bins; nearer than that R is 0 / 0 */

/* R of one partial for x = offset - (k - center), down to `reach` bins away from the bin `center`;
   a silent partial has reach -1. */
typedef struct {
    ptrdiff_t center, reach;
    float offset, scale; /* scale = A n / 4 sin(pi nu) / pi */
} lobe;

typedef struct {
    lobe *lobes;
    float (*rotation)[2][FRAMES]; /* real and imaginary part of e^{i phi} / i in each frame */
    float (*weight)[2][BLOCK];    /* of those parts, for each partial heard in a block of bins */
    int32_t *heard;               /* which ones these are */
    float (*sum)[FRAMES];         /* a row for each filter */
} workspace;

static int allocate(workspace *work, ptrdiff_t partials, ptrdiff_t mels)
{
    size_t p = (size_t)larger(partials, 1);
    work->lobes = malloc(sizeof *work->lobes * p);
    work->rotation = aligned_alloc(64, sizeof *work->rotation * p);
    work->weight = aligned_alloc(64, sizeof *work->weight * p);
    work->heard = malloc(sizeof *work->heard * p);
    work->sum = aligned_alloc(64, sizeof *work->sum * (size_t)mels);
    return work->lobes && work->rotation && work->weight && work->heard && work->sum ? 0 : -1;
}

static void release(workspace *work)
{
    free(work->lobes);
    free(work->rotation);
    free(work->weight);
    free(work->heard);
    free(work->sum);
}

/* The lobe of a partial of `nu` bins, |R| being at most |sin(pi nu)| / (pi |x|^3) of its peak. */
static inline lobe lobe_of(double nu, double amplitude, double loudest, ptrdiff_t n)
{
    double center = rint(nu), offset = nu - center;
    if (fabs(offset) < ON_BIN)
        offset = ON_BIN;
    double size = amplitude * sin(PI * offset) / PI;
    double reach = ceil(cbrt(fabs(size) / loudest / TAIL));
    float sign = (ptrdiff_t)center % 2 ? -1.0f : 1.0f;
    return (lobe){.center = (ptrdiff_t)center,
                  .reach = size == 0.0 ? -1 : larger((ptrdiff_t)reach, 2),
                  .offset = (float)offset,
                  .scale = sign * (float)(0.25 * (double)n * size)};
}

/* Partials at or above Nyquist are silent. */
static void find_lobes(const double *frequency, const double *amplitude, ptrdiff_t partials,
                       double sample_rate, ptrdiff_t n, lobe *lobes)
{
    double loudest = 0.0;
    for (ptrdiff_t p = 0; p < partials; p++)
        if (frequency[p] < 0.5 * sample_rate)
            loudest = fmax(loudest, fabs(amplitude[p]));
    for (ptrdiff_t p = 0; p < partials; p++)
        if (frequency[p] < 0.5 * sample_rate && amplitude[p] != 0.0)
            lobes[p] = lobe_of(frequency[p] / sample_rate * (double)n, amplitude[p], loudest, n);
        else
            lobes[p] = (lobe){.reach = -1};
}

/* Dividing a large phase would round off turns. */
static inline double in_turns(double phase)
{
    return (fabs(phase) < 1e5 ? phase : atan2(sin(phase), cos(phase))) / (2.0 * PI);
}

/* e^{i phi} / i, a quarter of a turn behind, at 32 times that are `step` turns apart. */
FASTDIS_CLONES
static void rotate(double turns, double step, float rotation[2][FRAMES])
{
    for (int f = 0; f < FRAMES; f++)
        phasor(turns - 0.25 + step * f, rotation[0] + f, rotation[1] + f);
}

/* R at 16 bins, the first of them `from` bins above the center. Each factor comes from whole
   numbers and the offset, so that none loses digits near its zero. B(u) = cos(pi u) (pi u)^3 /
   sin^3(pi u), to terms in h^2; fitted on [0, 1/2] to within 4e-3 / n^3 of the peak. */
static inline void weigh(float from, float offset, float scale, float step,
                         float *restrict weight)
{
    for (int i = 0; i < BLOCK; i++) {
        float j = from + (float)i, x = offset - j, u = x * step, y = u * u;
        float b = 1.0f - y * y * (6.78481057f + y * (12.317053f + y * 96.6563254f));
        weight[i] = scale * b / (x * ((1.0f + j) - offset) * ((1.0f - j) + offset));
    }
}

/* Weights of the real and the imaginary part of z from bin k on. The image at -nu, or n further on
   where that is nearer, adds to the one and subtracts from the other. */
static inline void weigh_block(const lobe *of, ptrdiff_t k, ptrdiff_t n, float weight[2][BLOCK])
{
    const float step = 1.0f / (float)n;
    weigh((float)(k - of->center), of->offset, of->scale, step, weight[0]);
    memcpy(weight[1], weight[0], sizeof(float[BLOCK]));
    ptrdiff_t image = k + of->center < n / 2 ? -of->center : n - of->center;
    if (image + of->reach < k || image - of->reach >= k + BLOCK)
        return;
    float mirrored[BLOCK] ALIGNED;
    weigh((float)(k - image), -of->offset, -of->scale, step, mirrored);
    for (int i = 0; i < BLOCK; i++) {
        weight[0][i] += mirrored[i];
        weight[1][i] -= mirrored[i];
    }
}

/* |X|^2 of 4 bins, for 32 frames. */
static inline void energies_of_step(const workspace *work, ptrdiff_t count, int step,
                                    float energy[STEP][FRAMES])
{
    lanes re[STEP][VECTORS], im[STEP][VECTORS];
    for (int i = 0; i < STEP; i++)
        for (int v = 0; v < VECTORS; v++)
            re[i][v] = im[i][v] = (lanes){0.0f};
    for (ptrdiff_t h = 0; h < count; h++) {
        const float *to_re = work->weight[h][0] + step, *to_im = work->weight[h][1] + step;
        const lanes *z_re = (const lanes *)work->rotation[work->heard[h]][0];
        const lanes *z_im = (const lanes *)work->rotation[work->heard[h]][1];
        for (int v = 0; v < VECTORS; v++)
            for (int i = 0; i < STEP; i++) {
                re[i][v] += to_re[i] * z_re[v];
                im[i][v] += to_im[i] * z_im[v];
            }
    }
    for (int i = 0; i < STEP; i++)
        for (int v = 0; v < VECTORS; v++)
            ((lanes *)energy[i])[v] = re[i][v] * re[i][v] + im[i][v] * im[i][v];
}

/* Which partials are heard in the block from bin k on, how many, and their weights there. */
static inline ptrdiff_t gather_heard(const workspace *work, ptrdiff_t partials, ptrdiff_t k,
                                     ptrdiff_t n)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t p = 0; p < partials; p++) {
        const lobe *of = work->lobes + p;
        if (of->center - of->reach >= k + BLOCK || of->center + of->reach < k)
            continue;
        weigh_block(of, k, n, work->weight[count]);
        work->heard[count++] = (int32_t)p;
    }
    return count;
}

/* The bin behind the last of filter b. */
static inline ptrdiff_t end_of(const fastdis_bands *bands, ptrdiff_t b)
{
    return bands->first[b] + bands->offset[b + 1] - bands->offset[b];
}

/* Add the energies of the block from bin k on to the sum of filter b. */
static inline void filter_block(const fastdis_bands *bands, ptrdiff_t b, ptrdiff_t k,
                                const float energy[BLOCK][FRAMES], float sum[FRAMES])
{
    const ptrdiff_t low = bands->first[b], high = end_of(bands, b);
    const float *weight = bands->weight + bands->offset[b];
    lanes total[VECTORS];
    memcpy(total, sum, sizeof total);
    for (ptrdiff_t i = larger(low, k); i < smaller(high, k + BLOCK); i++)
        for (int v = 0; v < VECTORS; v++)
            total[v] += weight[i - low] * ((const lanes *)energy[i - k])[v];
    memcpy(sum, total, sizeof total);
}

/* 32 frames of a clip, from the rotations of its partials to the sums of the filters. */
FASTDIS_CLONES
static void filter_lobes(const workspace *work, ptrdiff_t partials, ptrdiff_t n,
                         const fastdis_bands *bands)
{
    float energy[BLOCK][FRAMES] ALIGNED;
    ptrdiff_t b = 0;
    for (ptrdiff_t k = 0; k <= n / 2; k += BLOCK) {
        ptrdiff_t count = gather_heard(work, partials, k, n);
        if (!count)
            continue;
        for (int i = 0; i < BLOCK; i += STEP)
            energies_of_step(work, count, i, energy + i);
        raise_energies(bands->power, energy[0], BLOCK * FRAMES);
        while (b < bands->mels && end_of(bands, b) <= k)
            b++;
        for (ptrdiff_t c = b; c < bands->mels && bands->first[c] < k + BLOCK; c++)
            filter_block(bands, c, k, energy, work->sum[c]);
    }
}

int fastdis_partials_mel(const double *frequency, const double *amplitude, const double *phase,
                         ptrdiff_t batch, ptrdiff_t partials, double sample_rate, ptrdiff_t n,
                         ptrdiff_t hop, double center, const fastdis_bands *bands, float *mel,
                         ptrdiff_t frames, ptrdiff_t clip_pitch, ptrdiff_t pitch)
{
    workspace work;
    int failed = allocate(&work, partials, bands->mels);
    for (ptrdiff_t b = 0; b < batch && !failed; b++, mel += clip_pitch) {
        const double *f_b = frequency + b * partials, *phase_b = phase + b * partials;
        find_lobes(f_b, amplitude + b * partials, partials, sample_rate, n, work.lobes);
        for (ptrdiff_t f = 0; f < frames; f += FRAMES) {
            for (ptrdiff_t p = 0; p < partials; p++) {
                if (work.lobes[p].reach < 0)
                    continue;
                double cycles = f_b[p] / sample_rate, time = center + (double)hop * (double)f;
                double turns = cycles * time + in_turns(phase_b[p]);
                rotate(turns, cycles * (double)hop, work.rotation[p]);
            }
            memset(work.sum, 0, sizeof *work.sum * (size_t)bands->mels);
            filter_lobes(&work, partials, n, bands);
            for (ptrdiff_t m = 0; m < bands->mels; m++)
                memcpy(mel + m * pitch + f, work.sum[m],
                       sizeof(float) * (size_t)smaller(frames - f, FRAMES));
        }
    }
    release(&work);
    return failed;
}
