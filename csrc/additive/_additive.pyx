# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The additive kernel of additive.c as Python sees it. No policy, no validation."""


cdef extern from "additive.h" nogil:
    int fastdis_additive(
        const double *frequency, const double *amplitude, const double *decay,
        const double *phase, double sample_rate, Py_ssize_t start, Py_ssize_t batch,
        Py_ssize_t partials, Py_ssize_t length, float *out)


def additive(
    const double[:, ::1] frequency, const double[:, ::1] amplitude, const double[:, ::1] decay,
    const double[:, ::1] phase, double sample_rate, float[:, ::1] out, Py_ssize_t start=0,
):
    cdef int status
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    with nogil:
        status = fastdis_additive(
            &frequency[0, 0], &amplitude[0, 0], &decay[0, 0], &phase[0, 0], sample_rate, start,
            out.shape[0], frequency.shape[1], out.shape[1], &out[0, 0])
    if status:
        raise MemoryError("additive: no memory for its tables")
