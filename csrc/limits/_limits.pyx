"""What this machine can do at most, for the benchmarks. No kernel of the package needs it."""

from libc.stdint cimport int64_t


cdef extern from "peak.h" nogil:
    int64_t fastdis_multiply_adds(int64_t steps, float factor, float *total)


def multiply_adds(int64_t rounds):
    """Do float32 multiply-adds, all in registers, and say how many it were."""
    cdef float total = 0.0
    cdef int64_t done
    with nogil:
        done = fastdis_multiply_adds(1000 * rounds, 0.5, &total)
    return done
