# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The constant-Q kernels of constant_q.c as Python sees them. No policy, no validation."""

from libc.stdint cimport int64_t


cdef extern from "constant_q.h" nogil:
    int fastdis_fill_period(
        const float *y, Py_ssize_t samples, Py_ssize_t before, float loudest, float *period,
        Py_ssize_t length)
    int fastdis_fold_bands(
        const float *packed, Py_ssize_t half, const float *twiddle, Py_ssize_t lines,
        const int64_t *first, const int64_t *offset, const float *weight, float scale,
        Py_ssize_t bands, float *folded, Py_ssize_t length, Py_ssize_t pitch)


def fill_period(
    const float[::1] y, Py_ssize_t before, float loudest, float complex[::1] packed,
):
    cdef int good
    with nogil:
        good = fastdis_fill_period(
            &y[0], y.shape[0], before, loudest, <float *>&packed[0], 2 * packed.shape[0])
    return bool(good)


def fold_bands(
    const float complex[::1] packed, const float complex[::1] twiddle, const int64_t[::1] first,
    const int64_t[::1] offset, const float[::1] weight, float scale,
    float complex[:, :] folded,
):
    cdef Py_ssize_t pitch = folded.strides[0] // <Py_ssize_t>sizeof(float complex)
    cdef int failed
    if folded.shape[1] > 1 and folded.strides[1] != sizeof(float complex):
        raise ValueError("rows must be contiguous")
    with nogil:
        failed = fastdis_fold_bands(
            <const float *>&packed[0], packed.shape[0],
            <const float *>&twiddle[0], twiddle.shape[0],
            &first[0], &offset[0], &weight[0], scale, folded.shape[0],
            <float *>&folded[0, 0], folded.shape[1], pitch)
    if failed:
        raise MemoryError
