/* Small Fourier transforms of LANES frames at once: lane j of every vector belongs to frame j, so
   that no butterfly ever shuffles. Included once for each SIMD level, with LANES defined; all is
   inlined, so that no vector of one level is passed to a function of another. */

typedef float NAME(vec) __attribute__((vector_size(4 * LANES)));
typedef float NAME(loose_vec) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef struct {
    NAME(vec) re, im;
} NAME(cvec);
#define vec NAME(vec)
#define loose_vec NAME(loose_vec)
#define cvec NAME(cvec)

/* v (c - i s) */
INLINE cvec NAME(rotate)(cvec v, float c, float s)
{
    return (cvec){v.re * c + v.im * s, v.im * c - v.re * s};
}

INLINE void NAME(butterfly)(cvec *a, cvec *b)
{
    cvec sum = {a->re + b->re, a->im + b->im};
    *b = (cvec){a->re - b->re, a->im - b->im};
    *a = sum;
}

/* *plus = a + i b, *minus = a - i b */
INLINE void NAME(quarter_turn)(cvec a, cvec b, cvec *plus, cvec *minus)
{
    *plus = (cvec){a.re - b.im, a.im + b.re};
    *minus = (cvec){a.re + b.im, a.im - b.re};
}

/* In place over v[0], v[s], v[2s], v[3s]. */
INLINE void NAME(dft4)(cvec *v, int s)
{
    cvec a = v[0], b = v[s], c = v[2 * s], d = v[3 * s];
    NAME(butterfly)(&a, &c);
    NAME(butterfly)(&b, &d);
    NAME(quarter_turn)(c, d, v + 3 * s, v + s);
    NAME(butterfly)(&a, &b);
    v[0] = a;
    v[2 * s] = b;
}

/* In place over v[0], v[s], ..., v[7s]. */
INLINE void NAME(dft8)(cvec *v, int s)
{
    const float h = 0.707106781f;
    cvec a = v[0], b = v[s], c = v[2 * s], d = v[3 * s];
    cvec e = v[4 * s], f = v[5 * s], g = v[6 * s], i = v[7 * s];
    cvec p, q, r, t;
    NAME(butterfly)(&a, &e);
    NAME(butterfly)(&b, &f);
    NAME(butterfly)(&c, &g);
    NAME(butterfly)(&d, &i);
    /* Even outputs from the sums a, b, c, d; */
    NAME(butterfly)(&a, &c);
    NAME(butterfly)(&b, &d);
    NAME(quarter_turn)(c, d, v + 6 * s, v + 2 * s);
    NAME(butterfly)(&a, &b);
    v[0] = a;
    v[4 * s] = b;
    /* odd ones from the differences, r and t turned by -pi/4 and -3 pi/4. */
    NAME(quarter_turn)(e, g, &q, &p);
    NAME(quarter_turn)(f, i, &t, &r);
    cvec u = {r.re + r.im, r.im - r.re}, w = {t.im - t.re, -t.re - t.im};
    v[s] = (cvec){p.re + h * u.re, p.im + h * u.im};
    v[5 * s] = (cvec){p.re - h * u.re, p.im - h * u.im};
    v[3 * s] = (cvec){q.re + h * w.re, q.im + h * w.im};
    v[7 * s] = (cvec){q.re - h * w.re, q.im - h * w.im};
}

/* Cooley and Tukey (Math. Comp. 19, 1965): r = r1 r2 points, element n at v[n], in place; output
   k1 + r1 k2 comes out at v[r2 k1 + k2]. */
#define COMPOSITE(r, r1, r2)                                                                      \
    INLINE void NAME(dft##r)(cvec *v)                                                             \
    {                                                                                             \
        _Pragma("GCC unroll 8") for (int n = 0; n < r2; n++)                                      \
        {                                                                                         \
            NAME(dft##r1)(v + n, r2);                                                             \
            if (n > 0)                                                                            \
                _Pragma("GCC unroll 8") for (int k = 1; k < r1; k++) v[r2 * k + n] =              \
                    NAME(rotate)(v[r2 * k + n], COS##r[k * n], SIN##r[k * n]);                    \
        }                                                                                         \
        _Pragma("GCC unroll 8") for (int k = 0; k < r1; k++) NAME(dft##r2)(v + r2 * k, 1);        \
    }
COMPOSITE(16, 4, 4)
COMPOSITE(32, 4, 8)
COMPOSITE(64, 8, 8)
#undef COMPOSITE

/* r points, r one of 8, 16, 32, 64 and known when compiling. */
INLINE void NAME(dft)(cvec *v, int r)
{
    if (r == 8)
        NAME(dft8)(v, 1);
    else if (r == 16)
        NAME(dft16)(v);
    else if (r == 32)
        NAME(dft32)(v);
    else
        NAME(dft64)(v);
}

/* Where output k of dft(v, r) lies in v. */
INLINE int NAME(place)(int k, int r)
{
    const int r1 = r == 8 ? 1 : r == 64 ? 8 : 4;
    return r / r1 * (k % r1) + k / r1;
}
