# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The spectral kernels of spectral.c as Python sees them. No policy, no validation."""

from libc.stdint cimport int32_t


cdef extern from "spectral.h" nogil:
    int fastdis_pack_frames(
        const float *y, Py_ssize_t samples, const float *window, Py_ssize_t n, Py_ssize_t hop,
        Py_ssize_t start, float *packed, Py_ssize_t stride, float *gain,
        Py_ssize_t frames)
    void fastdis_unpack_spectrum(
        const float *packed, Py_ssize_t stride, Py_ssize_t n, const float *gain,
        Py_ssize_t frames, float *spectrum, Py_ssize_t pitch)
    int fastdis_mel_from_packed(
        const float *packed, Py_ssize_t stride, Py_ssize_t n, const float *gain,
        Py_ssize_t frames, float power, const int32_t *first, const int32_t *band,
        const float *weight, float *mel, Py_ssize_t mels, Py_ssize_t pitch)
    void fastdis_pack_spectrum(
        const float *spectrum, Py_ssize_t pitch, Py_ssize_t frames,
        float *packed, Py_ssize_t stride, Py_ssize_t n)
    void fastdis_overlap_add(
        const float *packed, Py_ssize_t stride, const float *window, Py_ssize_t n,
        Py_ssize_t hop, Py_ssize_t start, Py_ssize_t frames, float *y, Py_ssize_t samples)
    void fastdis_project_phase(
        float *packed, Py_ssize_t stride, Py_ssize_t n, const float *gain, Py_ssize_t frames,
        float inertia, const float *magnitude, float *previous)
    int fastdis_mel_least_squares(
        const float *mel, Py_ssize_t mels, Py_ssize_t frames, Py_ssize_t pitch,
        const int32_t *first, const int32_t *band, const float *weight, Py_ssize_t steps,
        float *spectrum, Py_ssize_t bins)


cdef inline Py_ssize_t pitch_of(const float complex[:, :] rows) except -1:
    """Complex numbers from one row to the next; within a row they are contiguous."""
    if rows.shape[1] > 1 and rows.strides[1] != sizeof(float complex):
        raise ValueError("rows must be contiguous")
    return rows.strides[0] // <Py_ssize_t>sizeof(float complex)


def pack_frames(
    const float[::1] y, const float[::1] window, Py_ssize_t hop, Py_ssize_t start,
    float complex[:, :] packed, float[::1] gain,
):
    cdef Py_ssize_t stride = pitch_of(packed)
    cdef int failed
    with nogil:
        failed = fastdis_pack_frames(
            &y[0], y.shape[0], &window[0], window.shape[0], hop, start,
            <float *>&packed[0, 0], stride, &gain[0], gain.shape[0])
    if failed:
        raise MemoryError


def unpack_spectrum(
    const float complex[:, :] packed, const float[::1] gain, float complex[:, :] spectrum,
):
    cdef Py_ssize_t stride = pitch_of(packed), pitch = pitch_of(spectrum)
    with nogil:
        fastdis_unpack_spectrum(
            <const float *>&packed[0, 0], stride, packed.shape[1], &gain[0],
            spectrum.shape[1], <float *>&spectrum[0, 0], pitch)


def mel_from_packed(
    const float complex[:, :] packed, const float[::1] gain, float power,
    const int32_t[::1] first, const int32_t[::1] band, const float[::1] weight, float[:, :] mel,
):
    cdef Py_ssize_t stride = pitch_of(packed)
    cdef Py_ssize_t pitch = mel.strides[0] // <Py_ssize_t>sizeof(float)
    cdef int failed
    if mel.shape[1] > 1 and mel.strides[1] != sizeof(float):
        raise ValueError("rows must be contiguous")
    with nogil:
        failed = fastdis_mel_from_packed(
            <const float *>&packed[0, 0], stride, packed.shape[1], &gain[0],
            mel.shape[1], power, &first[0], &band[0], &weight[0], &mel[0, 0], mel.shape[0],
            pitch)
    if failed:
        raise MemoryError


def pack_spectrum(const float complex[:, :] spectrum, float complex[:, :] packed):
    cdef Py_ssize_t stride = pitch_of(packed), pitch = pitch_of(spectrum)
    with nogil:
        fastdis_pack_spectrum(
            <const float *>&spectrum[0, 0], pitch, spectrum.shape[1],
            <float *>&packed[0, 0], stride, packed.shape[1])


def overlap_add(
    const float complex[:, :] packed, const float[::1] window, Py_ssize_t hop, Py_ssize_t start,
    Py_ssize_t frames, float[::1] y,
):
    cdef Py_ssize_t stride = pitch_of(packed)
    if y.shape[0] == 0:
        return
    with nogil:
        fastdis_overlap_add(
            <const float *>&packed[0, 0], stride, &window[0], window.shape[0], hop,
            start, frames, &y[0], y.shape[0])


def project_phase(
    float complex[:, :] packed, const float[::1] gain, float inertia,
    const float[:, :, ::1] magnitude, float[:, :, :, ::1] previous,
):
    cdef Py_ssize_t stride = pitch_of(packed)
    with nogil:
        fastdis_project_phase(
            <float *>&packed[0, 0], stride, packed.shape[1], &gain[0], gain.shape[0], inertia,
            &magnitude[0, 0, 0], &previous[0, 0, 0, 0])


def mel_least_squares(
    const float[:, ::1] mel, const int32_t[::1] first, const int32_t[::1] band,
    const float[::1] weight, Py_ssize_t steps, float[:, ::1] spectrum,
):
    cdef int failed
    with nogil:
        failed = fastdis_mel_least_squares(
            &mel[0, 0], mel.shape[0], mel.shape[1], mel.shape[1], &first[0], &band[0],
            &weight[0], steps, &spectrum[0, 0], spectrum.shape[0])
    if failed:
        raise MemoryError
