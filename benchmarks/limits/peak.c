/* How many multiply-adds a second a core can do at all: in registers, waiting for nothing. */
#include "peak.h"

#include "simd.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif

#define LANES 4
#define NAME(name) name##_4
#include "peak_body.h"

#if FASTDIS_HAS_LEVELS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LANES 8
#define NAME(name) name##_8
#include "peak_body.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define LANES 16
#define NAME(name) name##_16
#include "peak_body.h"
#pragma GCC pop_options
#endif

int64_t fastdis_multiply_adds(int64_t steps, float factor, float *sum)
{
    int lanes = 4;
#if FASTDIS_HAS_LEVELS
    if (fastdis_simd() == 4)
        *sum = chains_16(steps, factor), lanes = 16;
    else if (fastdis_simd() == 3)
        *sum = chains_8(steps, factor), lanes = 8;
    else
#endif
        *sum = chains_4(steps, factor);
    return 12 * lanes * steps;
}
