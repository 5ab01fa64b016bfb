/* Additive synthesis: out[n] = sum_p Im(c z^n), z = e^{(2 pi i frequency - decay) / rate},
   c = amplitude e^{i phase}, as matrix products.

   Time is cut into rows of `width` samples. Sample k of row m is, of one partial,
     Im(Z z^k) = Re Z Im z^k + Im Z Re z^k,   Z = c z^{width m},
   and of all together a product of a matrix of rows (Re Z, Im Z) by one of columns (Im z^k,
   Re z^k): two multiply-adds a sample and partial. If all decay alike, the decay is taken out and
   k counted from the middle of the row: of the two terms, the first is odd in k, the second even,
   and the samples at k and -k are their sum and difference: one multiply-add.

   No sample is made from another, so no error grows. A recurrence y[n+1] = 2 r cos(w) y[n] -
   r^2 y[n-1] on 16 lanes loses digits where its step 16 w nears a multiple of pi, and is slower:
   40 partials and 16,000 samples took it 11.5 us on a Zen 5 core, 8.6 us without decay, before
   any phases to begin from; the products, tables and all, take 12.3 us, or 7.2 us. */
#include "additive.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "additive_tiles.h"
#include "simd.h"

/* From here a * b + c may be one instruction where the machine has it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif
#include "phasor.h"

enum {
    LANES = 16,
    DEPTH = 64,               /* partials at a time: a band of their columns fits into L1 */
    BANDS = 3,                /* tiles side by side */
    PIECES = COLUMNS / LANES, /* of a band */
    MOST_ROWS = 112,          /* half of that where each row has two sides */
    MOST_FADE = 8,            /* halvings along such a row */
    SEGMENT = BANDS * COLUMNS * MOST_ROWS, /* samples; phases begin anew in each */
};
static const double LOG2_E = 1.4426950408889634, INVERSE_TWO_PI = 0.15915494309189535;

/* What a segment of a clip is cut into. */
typedef struct {
    ptrdiff_t start, length;
    int bands, width, rows;
    int mirrored;    /* all partials decay alike: */
    double halvings; /* by this power of 1/2 a sample */
} layout;

typedef struct {
    double turns, halvings, phase, amplitude; /* a sample, a sample, in turns */
} partial;

#define ALIGNED __attribute__((aligned(64)))
typedef struct {
    /* Of `count` partials, first what belongs to sines, then what belongs to cosines. */
    float columns[BANDS][2 * DEPTH][COLUMNS] ALIGNED;
    float rows[MOST_ROWS / ROWS][2 * DEPTH][ROWS] ALIGNED;
    float tile[2][ROWS][COLUMNS] ALIGNED;
    float fade[2 * BANDS * COLUMNS], gain[MOST_ROWS / 2]; /* a common decay, along and by rows */
    partial partials[DEPTH];
    int count;
} workspace;

/* 2^-x for x >= 0, and 0 from x = 60 on, so that no product of two is denormal. */
static inline float faded(double x)
{
    const double round = 0x1.8p+52;
    double kept = x < 60.0 ? x : 60.0;
    double whole = (kept + round) - round;
    float f = (float)(whole - kept);
    float g = 1.53458110e-4f; /* minimax, 1.9e-9 */
    g = g * f + 1.33999309e-3f;
    g = g * f + 9.61848907e-3f;
    g = g * f + 5.55032864e-2f;
    g = g * f + 0.240226462f;
    g = g * f + 0.693147182f;
    g = g * f + 1.0f;
    union {
        int32_t bits;
        float value;
    } power = {(127 - (int32_t)whole) << 23};
    return x < 60.0 ? g * power.value : 0.0f;
}

/* 16 complex numbers times one. */
static inline void rotate(const float *restrict re, const float *restrict im, float by_re,
                          float by_im, float *restrict out_re, float *restrict out_im)
{
#pragma GCC unroll 1 /* without a loop left, GCC 12 vectorises it as pairs, with shuffles */
    for (int i = 0; i < LANES; i++) {
        out_re[i] = re[i] * by_re - im[i] * by_im;
        out_im[i] = re[i] * by_im + im[i] * by_re;
    }
}

/* Every entry of the tables is a product of two phasors: of one of 16 times in succession, and of
   a step by 16 columns, or by 16 rows. */
enum {
    COLUMN = 0,
    ROW = LANES,
    STEP = 2 * LANES,
    ROW_STEP = STEP + BANDS * PIECES - 1, /* from the second on: the first is none, as STEP's is */
    TIMES = 3 * LANES
};
_Static_assert(ROW_STEP + (MOST_ROWS - 1) / LANES < TIMES, "a step for every 16 rows");

static inline void list_times(const layout *cut, double times[TIMES])
{
    const double middle = cut->mirrored ? 0.5 * (cut->width - 1) : 0.0;
    for (int i = 0; i < LANES; i++) {
        times[COLUMN + i] = i + (cut->mirrored ? 0.5 : 0.0);
        times[ROW + i] = (double)cut->start + (double)i * cut->width + middle;
        times[STEP + i] = LANES * (STEP + i <= ROW_STEP ? i : (STEP + i - ROW_STEP) * cut->width);
    }
}

static inline void fill_columns(workspace *work, int p, const layout *cut, const float *re,
                                const float *im)
{
    for (int band = 0; band < cut->bands; band++)
        for (int piece = 0; piece < PIECES; piece++) {
            const int step = STEP + band * PIECES + piece;
            rotate(re + COLUMN, im + COLUMN, re[step], im[step],
                   work->columns[band][work->count + p] + piece * LANES,
                   work->columns[band][p] + piece * LANES);
        }
}

static inline void fill_rows(workspace *work, int p, const layout *cut, const float *re,
                             const float *im)
{
    const float amplitude = (float)work->partials[p].amplitude;
    for (int first = 0, step = STEP; first < cut->rows; first += LANES) {
        float row_re[LANES] ALIGNED, row_im[LANES] ALIGNED;
        rotate(re + ROW, im + ROW, amplitude * re[step], amplitude * im[step], row_re, row_im);
        step = ROW_STEP + first / LANES + 1;
        for (int half = 0; half < LANES; half += ROWS) {
            float(*tile)[ROWS] = work->rows[(first + half) / ROWS];
            memcpy(tile[p], row_re + half, sizeof *tile);
            memcpy(tile[work->count + p], row_im + half, sizeof *tile);
        }
    }
}

FASTDIS_CLONES
static void fill_tables(workspace *work, const layout *cut)
{
    double times[TIMES];
    list_times(cut, times);
    for (int p = 0; p < work->count; p++) {
        const partial of = work->partials[p];
        float re[TIMES] ALIGNED, im[TIMES] ALIGNED;
        for (int i = 0; i < TIMES; i++) {
            double phase = i >= ROW && i < ROW + LANES ? of.phase : 0.0;
            phasor(of.turns * times[i] + phase, re + i, im + i);
        }
        if (!cut->mirrored)
            for (int i = 0; i < TIMES; i++) {
                float gain = faded(of.halvings * times[i]);
                re[i] *= gain;
                im[i] *= gain;
            }
        fill_columns(work, p, cut, re, im);
        fill_rows(work, p, cut, re, im);
    }
}

/* The common decay, from each row's first sample on. */
FASTDIS_CLONES
static void fill_fades(workspace *work, const layout *cut)
{
    for (int i = 0; i < cut->width; i++)
        work->fade[i] = faded(cut->halvings * i);
    for (int i = 0; i < MOST_ROWS / 2; i++) /* all of the last tile, too */
        work->gain[i] = faded(cut->halvings * ((double)cut->start + (double)i * cut->width));
}

/* A tile whose first row begins at sample `left`, as far as the segment goes. */
FASTDIS_CLONES
static void put_tile(float (*restrict tile)[COLUMNS], const layout *cut, ptrdiff_t left, int add,
                     float *restrict out)
{
    for (int r = 0; r < ROWS; r++, left += cut->width) {
        const ptrdiff_t room = cut->length - left, n = room < COLUMNS ? room : COLUMNS;
        for (ptrdiff_t i = 0; i < n; i++)
            out[left + i] = tile[r][i] + (add ? out[left + i] : 0.0f);
    }
}

/* One tile, straight into `out` where all of it is new and inside. */
static void multiply_tile(workspace *work, const layout *cut, int band, int row,
                          const additive_tiles *tiles, int add, float *out)
{
    const float *rows = work->rows[row / ROWS][0], *columns = work->columns[band][0];
    const ptrdiff_t top = (ptrdiff_t)row * cut->width, middle = top + cut->width / 2;
    const int whole = !add && top + (ptrdiff_t)ROWS * cut->width <= cut->length;
    const ptrdiff_t stride = whole ? cut->width : COLUMNS;
    if (!cut->mirrored) {
        const ptrdiff_t left = top + band * COLUMNS;
        tiles->product(rows, columns, 2 * work->count, whole ? out + left : work->tile[0][0],
                       stride);
        if (!whole)
            put_tile(work->tile[0], cut, left, add, out);
    } else {
        const ptrdiff_t after = middle + band * COLUMNS, before = middle - (band + 1) * COLUMNS;
        tiles->mirrored(rows, columns, work->count, work->gain + row, work->fade + (after - top),
                        work->fade + (before - top), whole ? out + after : work->tile[0][0],
                        whole ? out + before : work->tile[1][0], stride);
        if (!whole) {
            put_tile(work->tile[0], cut, after, add, out);
            put_tile(work->tile[1], cut, before, add, out);
        }
    }
}

/* The fewest bands for which there are rows enough. */
static layout cut_segment(ptrdiff_t start, ptrdiff_t length, int mirrored, double halvings)
{
    const int sides = mirrored ? 2 : 1, unit = sides * COLUMNS, most = unit * (MOST_ROWS / sides);
    const int bands = (int)((length + most - 1) / most), width = bands * unit;
    return (layout){.start = start,
                 .length = length,
                 .bands = bands,
                 .width = width,
                 .rows = (int)((length + width - 1) / width),
                 .mirrored = mirrored,
                 .halvings = halvings};
}

/* One clip's columns of partials. */
typedef struct {
    const double *frequency, *amplitude, *decay, *phase;
    ptrdiff_t count;
    double rate;
} spectrum;

static inline int sounds(const spectrum *of, ptrdiff_t p)
{
    return of->amplitude[p] != 0.0 && of->frequency[p] < 0.5 * of->rate;
}

/* Halvings a sample; from 1000 on all is gone after one. */
static inline double halvings_of(const spectrum *of, ptrdiff_t p)
{
    return fmin(of->decay[p] / of->rate * LOG2_E, 1000.0);
}

/* The next partials that sound, from `first` on, into `work`; returns where to go on. */
static ptrdiff_t gather(const spectrum *of, ptrdiff_t first, workspace *work)
{
    ptrdiff_t p = first;
    for (work->count = 0; p < of->count && work->count < DEPTH; p++) {
        if (!sounds(of, p))
            continue;
        /* Dividing a large phase would round off turns. */
        double phase = of->phase[p];
        phase = fabs(phase) < 1e5 ? phase : atan2(sin(phase), cos(phase));
        work->partials[work->count++] = (partial){.turns = of->frequency[p] / of->rate,
                                                  .halvings = halvings_of(of, p),
                                                  .phase = phase * INVERSE_TWO_PI,
                                                  .amplitude = of->amplitude[p]};
    }
    return p;
}

/* Whether all partials that sound decay alike, and how fast. */
static int decay_is_common(const spectrum *of, double *halvings)
{
    *halvings = -1.0;
    for (ptrdiff_t p = 0; p < of->count; p++)
        if (sounds(of, p)) {
            const double own = halvings_of(of, p);
            if (*halvings >= 0.0 && own != *halvings)
                return 0;
            *halvings = own;
        }
    return 1;
}

static void render(const spectrum *of, ptrdiff_t start, ptrdiff_t length,
                   const additive_tiles *tiles, workspace *work, float *out)
{
    double halvings;
    int mirrored = decay_is_common(of, &halvings);
    /* The louder the middle would be without a fast decay, the more a quiet beginning loses. */
    mirrored = mirrored && halvings * (2 * BANDS * COLUMNS) <= MOST_FADE;
    for (ptrdiff_t i = 0; i < length; i += SEGMENT) {
        const ptrdiff_t n = length - i < SEGMENT ? length - i : SEGMENT;
        const layout segment = cut_segment(start + i, n, mirrored, halvings);
        ptrdiff_t p = gather(of, 0, work);
        if (work->count == 0)
            memset(out + i, 0, sizeof(float) * (size_t)n);
        else if (mirrored)
            fill_fades(work, &segment);
        for (int add = 0; work->count > 0; add = 1, p = gather(of, p, work)) {
            fill_tables(work, &segment);
            for (int band = 0; band < segment.bands; band++)
                for (int row = 0; row < segment.rows; row += ROWS)
                    multiply_tile(work, &segment, band, row, tiles, add, out + i);
        }
    }
}

int fastdis_additive(const double *frequency, const double *amplitude, const double *decay,
                     const double *phase, double sample_rate, ptrdiff_t start, ptrdiff_t batch,
                     ptrdiff_t partials, ptrdiff_t length, float *out)
{
    workspace *work = aligned_alloc(_Alignof(workspace), sizeof *work);
    if (!work)
        return -1;
    const additive_tiles tiles = fastdis_additive_tiles();
    for (ptrdiff_t b = 0; b < batch; b++) {
        const ptrdiff_t row = b * partials;
        const spectrum of = {.frequency = frequency + row,
                             .amplitude = amplitude + row,
                             .decay = decay + row,
                             .phase = phase + row,
                             .count = partials,
                             .rate = sample_rate};
        render(&of, start, length, &tiles, work, out + b * length);
    }
    free(work);
    return 0;
}
