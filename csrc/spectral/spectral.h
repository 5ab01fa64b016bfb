/* Spectral kernels; fastdis/_kernels/reference.py says what each one computes. Rows of `packed`
   lie `stride` complex numbers apart, rows of `spectrum` and `mel` lie `pitch` entries apart;
   complex numbers are interleaved floats. */
#ifndef FASTDIS_SPECTRAL_H
#define FASTDIS_SPECTRAL_H

#include <stddef.h>
#include <stdint.h>

/* Functions that return an int return 0, or -1 where memory ran out. */
int fastdis_pack_frames(const float *y, ptrdiff_t samples, const float *window, ptrdiff_t n,
                        ptrdiff_t hop, ptrdiff_t start, float *packed, ptrdiff_t stride,
                        float *gain, ptrdiff_t frames);

void fastdis_unpack_spectrum(const float *packed, ptrdiff_t stride, ptrdiff_t n,
                             const float *gain, ptrdiff_t frames, float *spectrum,
                             ptrdiff_t pitch);

int fastdis_mel_from_packed(const float *packed, ptrdiff_t stride, ptrdiff_t n,
                            const float *gain, ptrdiff_t frames, float power,
                            const int32_t *first, const int32_t *band, const float *weight,
                            float *mel, ptrdiff_t mels, ptrdiff_t pitch);

void fastdis_pack_spectrum(const float *spectrum, ptrdiff_t pitch, ptrdiff_t frames,
                           float *packed, ptrdiff_t stride, ptrdiff_t n);

void fastdis_overlap_add(const float *packed, ptrdiff_t stride, const float *window,
                         ptrdiff_t n, ptrdiff_t hop, ptrdiff_t start, ptrdiff_t frames, float *y,
                         ptrdiff_t samples);

void fastdis_project_phase(float *packed, ptrdiff_t stride, ptrdiff_t n, const float *gain,
                           ptrdiff_t frames, float inertia, const float *magnitude,
                           float *previous);

int fastdis_mel_least_squares(const float *mel, ptrdiff_t mels, ptrdiff_t frames, ptrdiff_t pitch,
                              const int32_t *first, const int32_t *band, const float *weight,
                              ptrdiff_t steps, float *spectrum, ptrdiff_t bins);

#endif
