/* Naive sine, triangle, sawtooth and square. Every sample is a function of its own phase, so a clip
   does not depend on the batch. */
#include "oscillator.h"

/* From here a * b + c may be one instruction where the machine has it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif
#include "half_turns.h"
#include "phases.h"
#include "simd.h"

FASTDIS_CLONES
static void naive_block(int32_t shape, float amplitude, const float *restrict u, ptrdiff_t n,
                        float *restrict out)
{
    /* u = (x mod 2 pi) / pi - 1 is the sawtooth itself. */
    if (shape == SINE)
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = -amplitude * sin_half_turns(u[i]);
    else if (shape == TRIANGLE)
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = amplitude * (1.0f - 2.0f * fabsf(u[i]));
    else if (shape == SAWTOOTH)
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = amplitude * u[i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = u[i] < 0.0f ? amplitude : -amplitude;
}

void fastdis_oscillator(const int32_t *shape, const double *frequency, const double *amplitude,
                        const double *phase, const double *t, ptrdiff_t batch, ptrdiff_t length,
                        float *out)
{
    float u[BLOCK];
    const fastdis_times times = fastdis_make_times(t, length);
    for (ptrdiff_t b = 0; b < batch; b++) {
        const int jumps = shape[b] == SAWTOOTH || shape[b] == SQUARE;
        const fastdis_phase p = fastdis_make_phase(&times, frequency[b], phase[b], 1, jumps);
        for (ptrdiff_t i = 0; i < length; i += BLOCK) {
            ptrdiff_t n = length - i < BLOCK ? length - i : BLOCK;
            fastdis_quick_half_turns(&p, &times, i, n, u);
            naive_block(shape[b], (float)amplitude[b], u, n, out + b * length + i);
        }
    }
}
