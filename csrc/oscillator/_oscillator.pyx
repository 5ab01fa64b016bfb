# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The oscillator kernels of oscillator.c as Python sees them. No policy, no validation."""

from libc.stdint cimport int32_t


cdef extern from "oscillator.h" nogil:
    void fastdis_oscillator(
        const int32_t *shape, const double *frequency, const double *amplitude,
        const double *phase, const double *t, Py_ssize_t batch, Py_ssize_t length, float *out)
    void fastdis_oscillator_band_limited(
        const int32_t *shape, const double *frequency, const double *amplitude,
        const double *phase, const double *harmonics, const double *t, Py_ssize_t batch,
        Py_ssize_t length, float *out)

cdef extern from "simd.h" nogil:
    const char *fastdis_simd_level()


def oscillator(
    const int32_t[::1] shape_index, const double[::1] frequency, const double[::1] amplitude,
    const double[::1] phase, const double[::1] t, float[:, ::1] out,
):
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    with nogil:
        fastdis_oscillator(
            &shape_index[0], &frequency[0], &amplitude[0], &phase[0], &t[0],
            out.shape[0], out.shape[1], &out[0, 0])


def oscillator_band_limited(
    const int32_t[::1] shape_index, const double[::1] frequency, const double[::1] amplitude,
    const double[::1] phase, const double[::1] harmonics, const double[::1] t, float[:, ::1] out,
):
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    with nogil:
        fastdis_oscillator_band_limited(
            &shape_index[0], &frequency[0], &amplitude[0], &phase[0], &harmonics[0], &t[0],
            out.shape[0], out.shape[1], &out[0, 0])


def simd_level():
    """The instruction set the kernels run on here: x86-64-v4, x86-64-v3 or baseline."""
    return fastdis_simd_level().decode()
