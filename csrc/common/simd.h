/* One build, every x86-64 level: the loader picks the best clone of each hot function. Other
   compilers and machines get the plain function. -DFASTDIS_SIMD_LEVEL=0 (baseline), 3 or 4 builds
   that level alone: to test each of them on one machine, and for the sanitizers, which are not
   ready yet when the loader picks. */
#ifndef FASTDIS_SIMD_H
#define FASTDIS_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define FASTDIS_HAS_LEVELS 1
#else
#define FASTDIS_HAS_LEVELS 0
#undef FASTDIS_SIMD_LEVEL
#define FASTDIS_SIMD_LEVEL 0
#endif

#if !defined(FASTDIS_SIMD_LEVEL)
#define FASTDIS_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#elif FASTDIS_SIMD_LEVEL == 4
#define FASTDIS_CLONES __attribute__((target("arch=x86-64-v4")))
#elif FASTDIS_SIMD_LEVEL == 3
#define FASTDIS_CLONES __attribute__((target("arch=x86-64-v3")))
#elif FASTDIS_SIMD_LEVEL == 0
#define FASTDIS_CLONES
#else
#error "FASTDIS_SIMD_LEVEL is 0, 3 or 4"
#endif

/* The level that runs here: 0, 3 or 4. */
static inline int fastdis_simd(void)
{
#if !defined(FASTDIS_SIMD_LEVEL)
    return __builtin_cpu_supports("x86-64-v4") ? 4 : __builtin_cpu_supports("x86-64-v3") ? 3 : 0;
#else
    return FASTDIS_SIMD_LEVEL;
#endif
}

static inline const char *fastdis_simd_level(void)
{
    const int level = fastdis_simd();
    return level == 4 ? "x86-64-v4" : level == 3 ? "x86-64-v3" : "baseline";
}

#endif
