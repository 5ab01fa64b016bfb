/* Additive synthesis: clips that are sums of damped sines. See additive.c. */
#ifndef FASTDIS_ADDITIVE_H
#define FASTDIS_ADDITIVE_H

#include <stddef.h>

/* The partials are (batch, partials) in Hz, linear, 1/s >= 0 and radians; those at or above half
   the sample rate are silent. `out` is (batch, length): samples start, start + 1, ...
   0, or -1 where there is no memory for the tables. */
int fastdis_additive(const double *frequency, const double *amplitude, const double *decay,
                     const double *phase, double sample_rate, ptrdiff_t start, ptrdiff_t batch,
                     ptrdiff_t partials, ptrdiff_t length, float *out);

#endif
