/* Windowed frames of real clips to spectra or mel bands, all of it in cache and without a library.

   As many frames as a vector has lanes are transformed side by side: n real samples as m = n / 2
   complex ones, by an r1-point and an r2-point pass. The frames of a clip overlap, so turning its
   samples into columns, one hop long each, lets every sample of all frames be one vector load.
   Within the mel pipeline no spectrum is ever stored: energies go straight to the filters. */
#include "frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

#include "lane_roots.h"
#include "simd.h"
#include "spectral_tiles.h"

/* From here a * b + c may be one instruction where the machine has it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif

#define INLINE static inline __attribute__((always_inline))

void fastdis_radices(ptrdiff_t n, int *r1, int *r2)
{
    *r1 = *r2 = 8;
    for (ptrdiff_t m = n / 2; m > *r1 * *r2;)
        *(*r1 < *r2 ? r1 : r2) *= 2;
}

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t order_of_four __attribute__((vector_size(16)));
#if defined(__clang__)
#define PICK(order, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(order, a, b, ...) __builtin_shuffle(a, b, (order){__VA_ARGS__})
#endif

/* out[r pitch + c] = column[c][i + r] for r, c < 4 */
INLINE void transpose_4x4(const float *const column[4], ptrdiff_t i, float *out, ptrdiff_t pitch)
{
    four a = *(const four *)(column[0] + i), b = *(const four *)(column[1] + i);
    four c = *(const four *)(column[2] + i), d = *(const four *)(column[3] + i);
    four ab = PICK(order_of_four, a, b, 0, 4, 1, 5), cd = PICK(order_of_four, c, d, 0, 4, 1, 5);
    *(four *)out = PICK(order_of_four, ab, cd, 0, 1, 4, 5);
    *(four *)(out + pitch) = PICK(order_of_four, ab, cd, 2, 3, 6, 7);
    ab = PICK(order_of_four, a, b, 2, 6, 3, 7);
    cd = PICK(order_of_four, c, d, 2, 6, 3, 7);
    *(four *)(out + 2 * pitch) = PICK(order_of_four, ab, cd, 0, 1, 4, 5);
    *(four *)(out + 3 * pitch) = PICK(order_of_four, ab, cd, 2, 3, 6, 7);
}

/* Is every |x| at most `loudest`? Not so for NaN. Magnitudes are ordered as their bits are. */
FASTDIS_CLONES
static int within(const float *x, ptrdiff_t count, float loudest)
{
    int32_t most = 0, limit;
    memcpy(&limit, &loudest, sizeof limit);
    for (ptrdiff_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    return most <= limit;
}

/* Memory that begins with a cache line. */
static void *lines_of(size_t bytes)
{
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

/* Each level with vectors of its own width (GCC splits wider ones through memory), and the orders
   that interleave two of them. */
#define LANES 4
#define NAME(name) name##_4
#if defined(__SSE__)
#define STREAM(out, v) _mm_stream_ps(out, (__m128)(v))
#else
#define STREAM(out, v) *(vec *)(out) = (v)
#endif
#define FIRST_HALVES 0, 4, 1, 5
#define LAST_HALVES 2, 6, 3, 7
#include "lane_frames.h"

#if FASTDIS_HAS_LEVELS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANES 8
#define NAME(name) name##_8
#define STREAM(out, v) _mm256_stream_ps(out, (__m256)(v))
#define FIRST_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define LAST_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#include "lane_frames.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define LANES 16
#define NAME(name) name##_16
#define STREAM(out, v) _mm512_stream_ps(out, (__m512)(v))
#define FIRST_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define LAST_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#include "lane_frames.h"
#pragma GCC pop_options
#endif

static ptrdiff_t run(const float *y, ptrdiff_t batch, ptrdiff_t samples, float loudest,
                     const fastdis_framing *framing, const fastdis_bands *bands, float *out)
{
#if FASTDIS_HAS_LEVELS
    if (fastdis_simd() == 4)
        return frames_16(y, batch, samples, loudest, framing, bands, out);
    if (fastdis_simd() == 3)
        return frames_8(y, batch, samples, loudest, framing, bands, out);
#endif
    return frames_4(y, batch, samples, loudest, framing, bands, out);
}

ptrdiff_t fastdis_frames(const float *y, ptrdiff_t batch, ptrdiff_t samples, float loudest,
                         const fastdis_framing *framing, const fastdis_bands *bands, float *out)
{
    const ptrdiff_t done = run(y, batch, samples, loudest, framing, bands, out);
#if defined(__SSE__)
    _mm_sfence(); /* what went past the cache is there before another thread is told */
#endif
    return done;
}
