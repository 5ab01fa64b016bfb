/* The measure that benchmarks hold the kernels' arithmetic to. */
#ifndef FASTDIS_PEAK_H
#define FASTDIS_PEAK_H

#include <stdint.h>

/* Does multiply-adds and returns how many; `sum` keeps a compiler from leaving them out. */
int64_t fastdis_multiply_adds(int64_t steps, float factor, float *sum);

#endif
