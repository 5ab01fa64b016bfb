/* The tiles of additive synthesis for each instruction set. They differ in how many sums fit into
   its registers, which target_clones cannot express, so each is a function by itself. */
#include "additive_tiles.h"

#include <string.h>

#include "simd.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

#if !defined(FASTDIS_SIMD_LEVEL) || FASTDIS_SIMD_LEVEL == 0
typedef float vector4 __attribute__((vector_size(16)));
#define TARGET
#define NAMED(name) name##_baseline
#define VECTOR vector4
#define REVERSED(v) {v[3], v[2], v[1], v[0]}
#define HIGH 4
#define WIDE 2
#include "additive_tile_body.h"
#endif

#if !defined(FASTDIS_SIMD_LEVEL) || FASTDIS_SIMD_LEVEL == 3
typedef float vector8 __attribute__((vector_size(32)));
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define NAMED(name) name##_v3
#define VECTOR vector8
#define REVERSED(v) {v[7], v[6], v[5], v[4], v[3], v[2], v[1], v[0]}
#define HIGH 4
#define WIDE 3
#include "additive_tile_body.h"
#endif

#if !defined(FASTDIS_SIMD_LEVEL) || FASTDIS_SIMD_LEVEL == 4
typedef float vector16 __attribute__((vector_size(64)));
#define TARGET __attribute__((target("arch=x86-64-v4")))
#define NAMED(name) name##_v4
#define VECTOR vector16
#define REVERSED(v)                                                                              \
    {v[15], v[14], v[13], v[12], v[11], v[10], v[9], v[8],                                       \
     v[7],  v[6],  v[5],  v[4],  v[3],  v[2],  v[1], v[0]}
#define HIGH 8
#define WIDE 3
#include "additive_tile_body.h"
#endif

additive_tiles fastdis_additive_tiles(void)
{
#if FASTDIS_SIMD_LEVEL == 4
    return (additive_tiles){product_v4, mirrored_v4};
#elif FASTDIS_SIMD_LEVEL == 3
    return (additive_tiles){product_v3, mirrored_v3};
#elif defined(FASTDIS_SIMD_LEVEL)
    return (additive_tiles){product_baseline, mirrored_baseline};
#else
    if (__builtin_cpu_supports("x86-64-v4"))
        return (additive_tiles){product_v4, mirrored_v4};
    if (__builtin_cpu_supports("x86-64-v3"))
        return (additive_tiles){product_v3, mirrored_v3};
    return (additive_tiles){product_baseline, mirrored_baseline};
#endif
}
