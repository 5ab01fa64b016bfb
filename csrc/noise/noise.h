/* White normal noise at an exact signal-to-noise ratio, a stream of its own for every clip. */
#ifndef FASTDIS_NOISE_H
#define FASTDIS_NOISE_H

#include <stddef.h>
#include <stdint.h>

/* n samples of stream `index` under key `seed`, from counter `first` on, which 256 divides. */
void fastdis_normals(uint64_t seed, uint64_t index, uint64_t first, ptrdiff_t n, float *out);

/* Clips (batch, length) plus noise, into `out`, which is `audio` itself or apart from it. Returns
   how many clips are done: all, or those before the first that is not finite, or where the clip or
   the noise has a root mean square above `loudest`. */
ptrdiff_t fastdis_add_noise(const float *audio, const double *snr_db, uint64_t seed,
                            const uint64_t *index, double loudest, ptrdiff_t batch,
                            ptrdiff_t length, float *out);

#endif
