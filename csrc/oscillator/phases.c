/* Phases in half turns, reduced without rounding; by fixed point where that cannot be seen. */
#include "phases.h"

#include <math.h>

#include "simd.h"

/* A phase computed in a function of its own, so that no a * b + c in it becomes one instruction:
   fused or not, only the rounding of NumPy's two steps puts a sample on the same side of a jump. */
#if defined(__GNUC__)
#define UNFUSED __attribute__((noinline))
#else
#define UNFUSED
#endif

static const double PI = 0x1.921fb54442d18p+1, TWO_PI = 0x1.921fb54442d18p+2;

/* For x = omega t + phase: if `shift` is pi, (x mod 2 pi) / pi - 1; if it is 0, the remainder of
   x nearest to zero over pi. The remainder is exact, as that of fmod: the two parts of 2 pi have
   25 and 24 bits, so k times each is a double up to k = 2^28, and so is what each subtraction
   leaves. Its sign is therefore that of scipy.signal's.
   (With -ffast-math a compiler may drop `round` and this is no remainder at all.) */
FASTDIS_CLONES UNFUSED
static void reduce_phase(double omega, double phase, const double *restrict t, ptrdiff_t n,
                         double shift, double *restrict u)
{
    const double high = 0x1.921fb5p+2, low = TWO_PI - high;
    const double round = 0x1.8p+52; /* adding and subtracting it leaves a whole number */
    for (ptrdiff_t i = 0; i < n; i++) {
        double x = omega * t[i];
        x = x + phase; /* a statement of its own: compilers may fuse within one */
        double k = (x * (1.0 / TWO_PI) + round) - round;
        double r = (x - k * high) - k * low;
        u[i] = (r + (r < 0.0 ? shift : -shift)) * (1.0 / PI);
    }
}

/* The same for phases too large for the above. */
UNFUSED
static void reduce_large_phase(double omega, double phase, const double *t, ptrdiff_t n,
                               double shift, double *u)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        double x = omega * t[i];
        x = x + phase;
        double r = fmod(x, TWO_PI);
        r = r >= PI ? r - TWO_PI : r < -PI ? r + TWO_PI : r;
        u[i] = (r + (r < 0.0 ? shift : -shift)) * (1.0 / PI);
    }
}

void fastdis_half_turns(const fastdis_phase *p, const fastdis_times *times, ptrdiff_t i,
                        ptrdiff_t n, double *u)
{
    const double omega = TWO_PI * p->frequency;
    if (omega * times->largest + fabs(p->phase) < 0x1p+27 * TWO_PI)
        reduce_phase(omega, p->phase, times->t + i, n, p->shift, u);
    else
        reduce_large_phase(omega, p->phase, times->t + i, n, p->shift, u);
}

/* ---- evenly spaced times: phases in fixed point --------------------------------------------

   A phase of 32 bits counts 2^-32 turns and wraps round by itself. It is set anew from float64
   every RUN samples, so it is off by at most RUN / 2 units (7e-9 turns) and the rounding of x,
   which must be small; only where a waveform jumps within that distance need the exact phase
   decide. */
FASTDIS_CLONES
static int evenly_spaced(const double *t, ptrdiff_t length, double largest, double step)
{
    const double rounding = 0x1p-50 * largest;
    int uneven = 0;
    for (ptrdiff_t i = 0; i < length; i += BLOCK) {
        const int n = length - i < BLOCK ? (int)(length - i) : BLOCK;
        for (int j = 0; j < n; j++)
            uneven |= fabs(t[i + j] - (t[i] + j * step)) > rounding;
    }
    return !uneven;
}

fastdis_times fastdis_make_times(const double *t, ptrdiff_t length)
{
    fastdis_times times = {t, 0.0, 0.0, 1};
    if (length > 0)
        times.largest = fmax(fabs(t[0]), fabs(t[length - 1]));
    if (length > 1)
        times.step = (t[length - 1] - t[0]) / (double)(length - 1);
    times.even = evenly_spaced(t, length, times.largest, times.step);
    return times;
}

static uint32_t fixed(double turns)
{
    const double round = 0x1.8p+52; /* adding and subtracting it leaves the nearest whole number */
    double rest = turns - ((turns + round) - round);
    return (uint32_t)(int64_t)((rest * 0x1p+32 + round) - round);
}

fastdis_phase fastdis_make_phase(const fastdis_times *times, double frequency, double phase,
                                 int from_half, int jumps)
{
    const double largest_x = TWO_PI * frequency * times->largest + fabs(phase);
    fastdis_phase p = {.frequency = frequency, .phase = phase, .shift = from_half ? PI : 0.0};
    p.usable = times->even && largest_x < 0x1p+24;
    if (!p.usable)
        return p;
    p.start = phase / TWO_PI;
    p.flip = from_half ? 0x80000000u : 0;
    for (int j = 0; j < RUN; j++)
        p.steps[j] = (uint32_t)j * fixed(frequency * times->step);
    if (jumps) /* off by at most half of that, and by two roundings of x in units */
        p.margin = RUN + 2 + (uint32_t)(largest_x * 0x1p-19);
    return p;
}

/* u in half turns, in [-1, 1); bit r of the result says that run r comes too near a jump. */
FASTDIS_CLONES
static uint32_t fixed_block(const fastdis_phase *p, const double *restrict t, ptrdiff_t n,
                            float *restrict u)
{
    uint32_t unsure = 0;
    for (ptrdiff_t i = 0; i < n; i += RUN) {
        const uint32_t base = fixed(p->frequency * t[i] + p->start) + p->flip;
        uint32_t near = 0;
        for (ptrdiff_t j = 0; j < RUN; j++) { /* a short last run is written in full */
            uint32_t bits = base + p->steps[j];
            near |= ((bits + p->margin) & 0x7fffffff) < 2 * p->margin;
            u[i + j] = (float)(int32_t)bits * 0x1p-31f;
        }
        unsure |= near << i / RUN;
    }
    return unsure;
}

void fastdis_quick_half_turns(const fastdis_phase *p, const fastdis_times *times, ptrdiff_t i,
                              ptrdiff_t n, float *u)
{
    double exact[RUN];
    uint32_t unsure = p->usable ? fixed_block(p, times->t + i, n, u) : UINT32_MAX;
    for (ptrdiff_t j = 0; unsure && j < n; j += RUN, unsure >>= 1)
        if (unsure & 1) {
            const ptrdiff_t run = n - j < RUN ? n - j : RUN;
            fastdis_half_turns(p, times, i + j, run, exact);
            for (ptrdiff_t k = 0; k < run; k++)
                u[j + k] = (float)exact[k];
        }
}
