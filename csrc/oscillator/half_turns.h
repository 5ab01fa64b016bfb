/* Sine and cosine of pi s for |s| <= 1, as plain expressions, so that a loop fills vectors. */
#ifndef FASTDIS_HALF_TURNS_H
#define FASTDIS_HALF_TURNS_H

#include <math.h>

/* The sine's three zeros times a minimax polynomial, 1.3e-9 before rounding. */
static inline float sin_half_turns(float s)
{
    float y = s * s;
    float q = -3.89776495e-4f;
    q = q * y + 6.8678428e-3f;
    q = q * y - 7.51921694e-2f;
    q = q * y + 0.524037162f;
    q = q * y - 2.02611945f;
    q = q * y + 3.14159263f;
    return (1.0f - s) * (1.0f + s) * s * q;
}

static inline float cos_half_turns(float s)
{
    return sin_half_turns(0.5f - fabsf(s));
}

#endif
