# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The kernel of partials_mel.c as Python sees it. No policy, no validation."""

from libc.stdint cimport int32_t


cdef extern from "partials_mel.h" nogil:
    ctypedef struct fastdis_bands:
        Py_ssize_t mels
        float power
        const int32_t *first
        const int32_t *offset
        const float *weight
    int fastdis_partials_mel(
        const double *frequency, const double *amplitude, const double *phase, Py_ssize_t batch,
        Py_ssize_t partials, double sample_rate, Py_ssize_t n, Py_ssize_t hop, double center,
        const fastdis_bands *bands, float *mel, Py_ssize_t frames, Py_ssize_t clip_pitch,
        Py_ssize_t pitch)


def partials_mel(
    const double[:, ::1] frequency, const double[:, ::1] amplitude, const double[:, ::1] phase,
    double sample_rate, Py_ssize_t n, Py_ssize_t hop, double center, float power,
    const int32_t[::1] first, const int32_t[::1] offset, const float[::1] weight,
    float[:, :, :] mel,
):
    cdef Py_ssize_t clip_pitch = mel.strides[0] // <Py_ssize_t>sizeof(float)
    cdef Py_ssize_t pitch = mel.strides[1] // <Py_ssize_t>sizeof(float)
    cdef fastdis_bands bands
    cdef int failed
    if mel.shape[2] > 1 and mel.strides[2] != sizeof(float):
        raise ValueError("rows must be contiguous")
    if mel.shape[0] == 0 or mel.shape[2] == 0 or frequency.shape[1] == 0:
        mel[:] = 0.0
        return
    bands.mels, bands.power = mel.shape[1], power
    bands.first, bands.offset = &first[0], &offset[0]
    bands.weight = &weight[0] if weight.shape[0] else NULL
    with nogil:
        failed = fastdis_partials_mel(
            &frequency[0, 0], &amplitude[0, 0], &phase[0, 0], mel.shape[0], frequency.shape[1],
            sample_rate, n, hop, center, &bands, &mel[0, 0, 0], mel.shape[2], clip_pitch, pitch)
    if failed:
        raise MemoryError
