/* Windowed frames of real clips to spectra or mel bands, n = 2 m samples a frame, m = r1 r2. */
#ifndef FASTDIS_FRAMES_H
#define FASTDIS_FRAMES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    ptrdiff_t n, hop, start, frames; /* frame f begins at sample start + f hop */
    const float *window;             /* (n) */
    const float *twiddle;            /* (r2, r1, 2): cos and sin of 2 pi j k / m, halved */
    const float *rotation;           /* (m + 1, 2): cos and sin of 2 pi k / n */
} fastdis_framing;

typedef struct {
    ptrdiff_t mels;
    float power;
    const int32_t *first;  /* (mels): the lowest bin of each filter */
    const int32_t *offset; /* (mels + 1): filter b owns weight[offset[b]] ... */
    const float *weight;
} fastdis_bands;

/* The radices of a frame of n samples, a power of two from 128 to 8192. */
void fastdis_radices(ptrdiff_t n, int *r1, int *r2);

/* Clips of y (batch, samples), which the caller keeps below 1e12 in magnitude. With `bands`, mel
   bands (batch, mels, frames) into out; without, complex spectra (batch, n / 2 + 1, frames).
   Returns how many clips are done: all, or those before the first that is louder than `loudest`
   or not finite; -1 where memory ran out. */
ptrdiff_t fastdis_frames(const float *y, ptrdiff_t batch, ptrdiff_t samples, float loudest,
                         const fastdis_framing *framing, const fastdis_bands *bands, float *out);

#endif
