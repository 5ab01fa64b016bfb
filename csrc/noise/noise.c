/* White normal noise: Philox 4x32-10 (Salmon et al., SC 2011), keyed by the seed, its counter the
   clip's index and the place in the clip; then the Box-Muller transform. Word w of counter
   16 g + c is sample 64 g + 16 w + c, so that whole vectors come out in the order of time.
   Every step is one rounded operation, none fused: all instruction levels give the same bits. */
#include "noise.h"
#include "simd.h"

#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

enum { VECTOR = 16, GROUP = 4 * VECTOR, BLOCK = 16 * GROUP, ROUNDS = 10 };

#define ALIGNED __attribute__((aligned(64)))
#define MULTIPLIER_0 0xD2511F53u
#define MULTIPLIER_1 0xCD9E8D57u
#define WEYL_0 0x9E3779B9u
#define WEYL_1 0xBB67AE85u

/* ---- words: (groups, 4, VECTOR), those of the counters from `first` on, in room for BLOCK --- */

static void words_baseline(uint64_t seed, uint64_t index, uint64_t first, ptrdiff_t groups,
                           uint32_t *restrict words)
{
    for (ptrdiff_t g = 0; g < groups; g++, first += VECTOR, words += GROUP)
        for (int c = 0; c < VECTOR; c++) {
            uint32_t x0 = (uint32_t)first + (uint32_t)c, x1 = (uint32_t)(first >> 32);
            uint32_t x2 = (uint32_t)index, x3 = (uint32_t)(index >> 32);
            uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
            for (int round = 0; round < ROUNDS; round++, k0 += WEYL_0, k1 += WEYL_1) {
                uint64_t p = (uint64_t)x0 * MULTIPLIER_0, q = (uint64_t)x2 * MULTIPLIER_1;
                x0 = (uint32_t)(q >> 32) ^ x1 ^ k0;
                x2 = (uint32_t)(p >> 32) ^ x3 ^ k1;
                x1 = (uint32_t)q;
                x3 = (uint32_t)p;
            }
            words[c] = x0;
            words[c + VECTOR] = x1;
            words[c + 2 * VECTOR] = x2;
            words[c + 3 * VECTOR] = x3;
        }
}

#if !defined(FASTDIS_SIMD_LEVEL) || FASTDIS_SIMD_LEVEL > 0
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define WORDS words_v3
#define LANES 4
#define MULTIPLY_LOW_HALVES(a, b) ((wide)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#define JOIN_LOW_HALVES(a, b) \
    __builtin_shufflevector((narrow)(a), (narrow)(b), 0, 2, 4, 6, 8, 10, 12, 14)
#include "philox_lanes.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define WORDS words_v4
#define LANES 8
#define MULTIPLY_LOW_HALVES(a, b) ((wide)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#define JOIN_LOW_HALVES(a, b)                                                                   \
    __builtin_shufflevector((narrow)(a), (narrow)(b), 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, \
                            24, 26, 28, 30)
#include "philox_lanes.h"
#pragma GCC pop_options
#endif

static void philox(uint64_t seed, uint64_t index, uint64_t first, ptrdiff_t groups,
                   uint32_t *restrict words)
{
#if !defined(FASTDIS_SIMD_LEVEL) || FASTDIS_SIMD_LEVEL > 0
    const int level = fastdis_simd();
    if (level == 4) {
        words_v4(seed, index, first, groups, words);
        return;
    }
    if (level == 3) {
        words_v3(seed, index, first, groups, words);
        return;
    }
#endif
    words_baseline(seed, index, first, groups, words);
}

/* ---- normals ------------------------------------------------------------------------------- */

static inline float float_of(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int32_t bits_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* sqrt(-2 ln u), u = ((word >> 9) + 1/2) / 2^23 = n / 2^24 with an odd n. With n = 2^e m and m in
   [0.7, 1.4), -2 ln m = (m - 1) p(m - 1), a minimax fit good to 3e-8 of it: the result keeps its
   precision as u comes near 1. */
static inline float radius(uint32_t word)
{
    const int32_t bits_of_07 = 0x3f333333;
    float n = (float)(int32_t)(word >> 8 | 1u);
    int32_t bits = bits_of(n) - (bits_of_07 + (24 << 23));
    float exponent = (float)(bits >> 23);
    float f = float_of((bits & 0x7fffff) + bits_of_07) - 1.0f;
    float p = -0.189532459f;
    p = p * f + 0.292274714f;
    p = p * f - 0.296351522f;
    p = p * f + 0.330572218f;
    p = p * f - 0.399323314f;
    p = p * f + 0.500066221f;
    p = p * f - 0.666678011f;
    p = p * f + 0.999999583f;
    p = p * f - 2.0f;
    return sqrtf(exponent * -1.38629436f + p * f); /* -2 ln 2 */
}

/* cos(pi h) and sin(pi h), h = (word >> 8) / 2^23, with its sign: minimax fits, 3e-8, of the
   quarter turn around 0, in which bits 8 to 29 are the remainder; the two bits above count the
   quarter turns, once half of one is added. */
static inline void direction(uint32_t word, float *cosine, float *sine)
{
    const uint32_t angle = word & ~255u, quarters = angle + (1u << 29), sign = 1u << 31;
    float h = (float)((int32_t)(angle << 2) >> 2) * 0x1p-31f;
    float y = h * h;
    float s = -0.599804401f;
    s = s * y + 2.5508008f;
    s = s * y - 5.16773319f;
    s = s * y + 3.14159274f;
    s = s * h;
    float c = -1.30738938f;
    c = c * y + 4.05771208f;
    c = c * y - 4.93479204f;
    c = c * y + 1.0f;
    const int odd = (int32_t)(quarters << 1) < 0;
    *cosine = float_of((int32_t)((uint32_t)bits_of(odd ? s : c) ^
                                 ((quarters ^ quarters << 1) & sign)));
    *sine = float_of((int32_t)((uint32_t)bits_of(odd ? c : s) ^ (quarters & sign)));
}

FASTDIS_CLONES
static void box_muller(const uint32_t *restrict words, ptrdiff_t groups, float *restrict out)
{
    for (ptrdiff_t i = 0; i < groups * GROUP; i += 2 * VECTOR)
        for (int c = 0; c < VECTOR; c++) {
            float cosine, sine, r = radius(words[i + c]);
            direction(words[i + c + VECTOR], &cosine, &sine);
            out[i + c] = r * cosine;
            out[i + c + VECTOR] = r * sine;
        }
}

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* Whole groups that hold n <= BLOCK normals, from counter `first` on. A whole number of blocks are
   before it, so that the high half of the counter is one for all. */
static void normal_block(uint64_t seed, uint64_t index, uint64_t first, ptrdiff_t n, float *out)
{
    uint32_t words[BLOCK] ALIGNED;
    const ptrdiff_t groups = (n + GROUP - 1) / GROUP;
    philox(seed, index, first, groups, words);
    box_muller(words, groups, out);
}

void fastdis_normals(uint64_t seed, uint64_t index, uint64_t first, ptrdiff_t n, float *out)
{
    float block[BLOCK] ALIGNED;
    for (ptrdiff_t i = 0; i < n; i += BLOCK) {
        ptrdiff_t part = smaller(BLOCK, n - i);
        normal_block(seed, index, first + (uint64_t)i / 4, part, block);
        memcpy(out + i, block, (size_t)part * sizeof *out);
    }
}

/* ---- the ratio ----------------------------------------------------------------------------- */

/* Squares of n <= BLOCK samples, in double: no clip of floats is too loud or too faint for it. The
   order of the sum is fixed, whatever the vectors. */
FASTDIS_CLONES
static void add_squares(const float *restrict x, ptrdiff_t n, double *restrict lane)
{
    ptrdiff_t i = 0;
    for (; i + GROUP <= n; i += GROUP)
        for (int c = 0; c < VECTOR; c++) {
            double x0 = x[i + c], x1 = x[i + c + VECTOR];
            double x2 = x[i + c + 2 * VECTOR], x3 = x[i + c + 3 * VECTOR];
            lane[c] += (x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3);
        }
    for (; i < n; i++)
        lane[i % VECTOR] += (double)x[i] * x[i];
}

static double total(const double *lane)
{
    double sum = 0.0;
    for (int c = 0; c < VECTOR; c++)
        sum += lane[c];
    return sum;
}

/* `out` may be `audio` or `noise` itself. */
FASTDIS_CLONES
static void mix(const float *audio, float gain, const float *noise, ptrdiff_t n, float *out)
{
#pragma GCC ivdep
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = audio[i] + gain * noise[i];
}

/* The noise waits in `out` for its gain; in place, where it cannot, it is made twice. */
static int add_to_clip(const float *audio, double snr_db, uint64_t seed, uint64_t index,
                       double loudest, ptrdiff_t length, float *out)
{
    float block[BLOCK] ALIGNED;
    double signal[VECTOR] = {0.0}, noise[VECTOR] = {0.0};
    const int in_place = audio == out;
    for (ptrdiff_t i = 0; i < length; i += BLOCK) {
        const ptrdiff_t n = smaller(BLOCK, length - i);
        float *normals = in_place || n < BLOCK ? block : out + i;
        normal_block(seed, index, (uint64_t)i / 4, n, normals);
        add_squares(normals, n, noise);
        add_squares(audio + i, n, signal);
        if (normals == block && !in_place)
            memcpy(out + i, block, (size_t)n * sizeof *out);
    }
    const double power = total(signal), most = loudest * loudest;
    if (!(power <= most * (double)length)) /* so for NaN, too */
        return 0;
    const double ratio = sqrt(power / total(noise)) * pow(10.0, -snr_db / 20.0);
    const double gain = power > 0.0 && snr_db < INFINITY ? ratio : 0.0;
    if (!(gain <= loudest))
        return 0;
    for (ptrdiff_t i = 0; i < length; i += BLOCK) {
        const ptrdiff_t n = smaller(BLOCK, length - i);
        if (in_place)
            normal_block(seed, index, (uint64_t)i / 4, n, block);
        mix(audio + i, (float)gain, in_place ? block : out + i, n, out + i);
    }
    return 1;
}

ptrdiff_t fastdis_add_noise(const float *audio, const double *snr_db, uint64_t seed,
                            const uint64_t *index, double loudest, ptrdiff_t batch,
                            ptrdiff_t length, float *out)
{
    for (ptrdiff_t b = 0; b < batch; b++) {
        const ptrdiff_t at = b * length;
        if (!add_to_clip(audio + at, snr_db[b], seed, index[b], loudest, length, out + at))
            return b;
    }
    return batch;
}
