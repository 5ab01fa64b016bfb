/* Oscillators: a batch of clips of one waveform each. See oscillator.c. */
#ifndef FASTDIS_OSCILLATOR_H
#define FASTDIS_OSCILLATOR_H

#include <stddef.h>
#include <stdint.h>

enum { SINE, TRIANGLE, SAWTOOTH, SQUARE };

/* The columns have `batch` entries, `t` has `length` times in seconds, in rising order, `out` is
   (batch, length). */
void fastdis_oscillator(const int32_t *shape, const double *frequency, const double *amplitude,
                        const double *phase, const double *t, ptrdiff_t batch, ptrdiff_t length,
                        float *out);

/* The same as truncated Fourier series; `harmonics` is how many lie below the Nyquist limit. */
void fastdis_oscillator_band_limited(const int32_t *shape, const double *frequency,
                                     const double *amplitude, const double *phase,
                                     const double *harmonics, const double *t, ptrdiff_t batch,
                                     ptrdiff_t length, float *out);

#endif
