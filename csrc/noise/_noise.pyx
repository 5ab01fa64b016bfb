# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The noise kernels of noise.c as Python sees them. No policy, no validation."""

from libc.stdint cimport uint64_t


cdef extern from "noise.h" nogil:
    void fastdis_normals(
        uint64_t seed, uint64_t index, uint64_t first, Py_ssize_t n, float *out)
    Py_ssize_t fastdis_add_noise(
        const float *audio, const double *snr_db, uint64_t seed, const uint64_t *index,
        double loudest, Py_ssize_t batch, Py_ssize_t length, float *out)


def normals(uint64_t seed, uint64_t index, uint64_t first, float[::1] out):
    if out.shape[0] == 0:
        return
    with nogil:
        fastdis_normals(seed, index, first, out.shape[0], &out[0])


def add_noise(
    const float[:, ::1] audio, const double[::1] snr_db, uint64_t seed,
    const uint64_t[::1] index, double loudest, float[:, ::1] out,
):
    cdef Py_ssize_t done
    if out.shape[0] == 0 or out.shape[1] == 0:
        return out.shape[0]
    with nogil:
        done = fastdis_add_noise(
            &audio[0, 0], &snr_db[0], seed, &index[0], loudest,
            out.shape[0], out.shape[1], &out[0, 0])
    return done
