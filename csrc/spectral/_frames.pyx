# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The kernels of frames.c as Python sees them. No policy, no validation."""

from libc.stdint cimport int32_t

from functools import cache

import numpy as np


cdef extern from "frames.h" nogil:
    ctypedef struct fastdis_framing:
        Py_ssize_t n, hop, start, frames
        const float *window
        const float *twiddle
        const float *rotation
    ctypedef struct fastdis_bands:
        Py_ssize_t mels
        float power
        const int32_t *first
        const int32_t *offset
        const float *weight
    void fastdis_radices(Py_ssize_t n, int *r1, int *r2)
    Py_ssize_t fastdis_frames(
        const float *y, Py_ssize_t batch, Py_ssize_t samples, float loudest,
        const fastdis_framing *framing, const fastdis_bands *bands, float *out)



@cache
def roots(Py_ssize_t n):
    """Cosines and sines of the two passes and of the step from complex to real frames."""
    cdef int r1, r2
    fastdis_radices(n, &r1, &r2)
    inner = 4 * np.pi / n * np.outer(np.arange(r2), np.arange(r1))
    outer = 2 * np.pi / n * np.arange(n // 2 + 1)
    return tuple(
        np.stack([scale * np.cos(angle), scale * np.sin(angle)], axis=-1).astype(np.float32)
        for angle, scale in ((inner.ravel(), 0.5), (outer, 1.0))
    )


cdef Py_ssize_t run(
    const float[:, ::1] y, const float[::1] window, Py_ssize_t hop, Py_ssize_t start,
    Py_ssize_t frames, float loudest, const fastdis_bands *bands, float *out,
) except -1:
    cdef const float[:, ::1] twiddle, rotation
    cdef fastdis_framing framing
    cdef Py_ssize_t done
    twiddle, rotation = roots(window.shape[0])
    framing.n, framing.hop, framing.start, framing.frames = window.shape[0], hop, start, frames
    framing.window, framing.twiddle = &window[0], &twiddle[0, 0]
    framing.rotation = &rotation[0, 0]
    with nogil:
        done = fastdis_frames(
            &y[0, 0], y.shape[0], y.shape[1], loudest, &framing, bands, out)
    if done < 0:
        raise MemoryError
    return done


def frames_to_spectra(
    const float[:, ::1] y, const float[::1] window, Py_ssize_t hop, Py_ssize_t start,
    float loudest, float complex[:, :, ::1] spectra,
):
    if spectra.shape[0] == 0:
        return 0
    return run(
        y, window, hop, start, spectra.shape[2], loudest, NULL, <float *>&spectra[0, 0, 0])


def frames_to_mel(
    const float[:, ::1] y, const float[::1] window, Py_ssize_t hop, Py_ssize_t start,
    float loudest, float power, const int32_t[::1] first, const int32_t[::1] offset,
    const float[::1] weight, float[:, :, ::1] mel,
):
    cdef fastdis_bands bands
    if mel.shape[0] == 0:
        return 0
    bands.mels, bands.power = mel.shape[1], power
    bands.first, bands.offset = &first[0], &offset[0]
    bands.weight = &weight[0] if weight.shape[0] else NULL
    return run(y, window, hop, start, mel.shape[2], loudest, &bands, &mel[0, 0, 0])
