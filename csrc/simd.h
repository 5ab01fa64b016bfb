/* One wheel, every x86-64 level: the loader picks the best clone of each hot function.
   Other compilers and machines get the plain function. */
#ifndef FASTDIS_SIMD_H
#define FASTDIS_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define FASTDIS_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FASTDIS_CLONES
#endif

#endif
