/* The phases of one clip, x = ((2 pi) f) t + phase, block by block, in half turns. */
#ifndef FASTDIS_PHASES_H
#define FASTDIS_PHASES_H

#include <stddef.h>
#include <stdint.h>

enum { BLOCK = 512, RUN = 64 }; /* samples worked on at once; samples between exact phases */

typedef struct {
    const double *t; /* seconds, in rising order */
    double largest, step;
    int even; /* are they `step` apart? */
} fastdis_times;

typedef struct {
    double frequency, phase, shift; /* Hz, radians, pi or 0 */
    /* In fixed point, where usable: */
    int usable;
    double start;          /* turns */
    uint32_t flip, margin; /* half a turn or none to add; units around a jump, or 0 */
    uint32_t steps[RUN];   /* 0, 1, 2, ... times the phase between two samples */
} fastdis_phase;

fastdis_times fastdis_make_times(const double *t, ptrdiff_t length);

/* Phases counted from half a turn, u = (x mod 2 pi) / pi - 1, or from 0: the remainder of x nearest
   to zero, over pi. `jumps` says that the waveform jumps where u is a whole number. */
fastdis_phase fastdis_make_phase(const fastdis_times *times, double frequency, double phase,
                                 int from_half, int jumps);

/* u of n <= BLOCK samples from sample i on, in [-1, 1]. */
void fastdis_half_turns(const fastdis_phase *p, const fastdis_times *times, ptrdiff_t i,
                        ptrdiff_t n, double *u);

/* The same to 3e-8, and exactly around jumps; u has room for BLOCK. */
void fastdis_quick_half_turns(const fastdis_phase *p, const fastdis_times *times, ptrdiff_t i,
                              ptrdiff_t n, float *u);

#endif
