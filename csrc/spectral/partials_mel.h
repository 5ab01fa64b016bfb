/* Mel spectrograms of stationary partials without their samples. See partials_mel.c. */
#ifndef FASTDIS_PARTIALS_MEL_H
#define FASTDIS_PARTIALS_MEL_H

#include "frames.h"

/* Partials are (batch, partials); mel is (batch, mels, frames), its clips `clip_pitch` and its rows
   `pitch` entries apart. Returns 0, or -1 where memory ran out. */
int fastdis_partials_mel(const double *frequency, const double *amplitude, const double *phase,
                         ptrdiff_t batch, ptrdiff_t partials, double sample_rate, ptrdiff_t n,
                         ptrdiff_t hop, double center, const fastdis_bands *bands, float *mel,
                         ptrdiff_t frames, ptrdiff_t clip_pitch, ptrdiff_t pitch);

#endif
