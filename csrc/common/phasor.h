/* e^{2 pi i x}, reduced without rounding and as plain expressions, so that a loop fills vectors. */
#ifndef FASTDIS_PHASOR_H
#define FASTDIS_PHASOR_H

#include <math.h>

/* sin(pi s) for |s| <= 1/2, minimax: 5.3e-9 of itself before rounding. */
static inline float sin_within_half(float s)
{
    float y = s * s;
    float q = 7.75603876e-2f;
    q = q * y - 0.598242104f;
    q = q * y + 2.55006981f;
    q = q * y - 5.16770983f;
    q = q * y + 3.14159274f;
    return s * q;
}

/* Of x turns, below 2^50 of them. Each part is right to float32's last digits even near its zeros,
   where it is the distance from one that counts. */
static inline void phasor(double x, float *re, float *im)
{
    const double round = 0x1.8p+52; /* adding and subtracting it leaves a whole number */
    const double halves = 2.0 * x, whole = (halves + round) - round, rest = halves - whole;
    const double odd = whole - 2.0 * ((0.5 * whole + round) - round); /* -1, 0 or 1 */
    const float sign = (float)(1.0 - 2.0 * fabs(odd));
    *re = sign * sin_within_half((float)(0.5 - fabs(rest)));
    *im = sign * sin_within_half((float)rest);
}

#endif
