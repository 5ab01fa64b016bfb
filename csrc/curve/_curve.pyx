# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The kernel of curve.c as Python sees it. No policy, no validation."""

from libc.stdint cimport int64_t


cdef extern from "curve.h" nogil:
    void fastdis_hilbert_order(int64_t rows, int64_t columns, int64_t *order)


def hilbert_order(int64_t rows, int64_t columns, int64_t[::1] order):
    with nogil:
        fastdis_hilbert_order(rows, columns, &order[0])
