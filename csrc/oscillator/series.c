/* Band-limited waveforms: truncated Fourier series, without a recurrence over time.
   Few harmonics: Horner's rule in e^{ix}. Many: the sum in closed form (see closed_form). */
#include "oscillator.h"

/* From here a * b + c may be one instruction where the machine has it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=fast")
#endif
#include "half_turns.h"
#include "phases.h"
#include "simd.h"

enum { DIRECT_TERMS = 12 };
static const double PI = 0x1.921fb54442d18p+1;

/* ---- few harmonics -------------------------------------------------------------------------

   sum_h a_h e^{ihx} = e^{ix} (a_1 + q (a_2 + q (...))), with q = e^{ix}, or e^{2ix} where only
   the odd harmonics sound. |q| = 1, so rounding does not grow, unlike in Clenshaw's rule. */
typedef struct {
    int32_t shape;
    int count;
    float weight[DIRECT_TERMS];
} direct_series;

static direct_series make_direct(int32_t shape, double amplitude, double terms)
{
    direct_series series = {shape, (int)terms, {0.0f}};
    for (int m = 0; m < series.count; m++) {
        double h = shape == SAWTOOTH ? m + 1.0 : 2.0 * m + 1.0;
        double weight = shape == SINE       ? 1.0
                        : shape == SAWTOOTH ? -2.0 / (PI * h)
                        : shape == SQUARE   ? 4.0 / (PI * h)
                                            : -8.0 / (PI * PI * h * h);
        series.weight[m] = (float)(amplitude * weight);
    }
    return series;
}

FASTDIS_CLONES
static void direct_block(const direct_series *series, const float *restrict u, ptrdiff_t n,
                         float *restrict out)
{
    float sine[BLOCK], cosine[BLOCK], q_re[BLOCK], q_im[BLOCK], re[BLOCK], im[BLOCK];
    const int odd_only = series->shape != SAWTOOTH, even_function = series->shape == TRIANGLE;
    if (series->count < 2) {
        const float weight = series->weight[0];
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = weight * (even_function ? cos_half_turns(u[i]) : sin_half_turns(u[i]));
        return;
    }
    int m = (series->count - 1) & ~1; /* two at a time: fewer stores */
    float first = series->weight[m], second = series->weight[m + 1];
    for (ptrdiff_t i = 0; i < n; i++) {
        float s = sin_half_turns(u[i]), c = cos_half_turns(u[i]);
        sine[i] = s;
        cosine[i] = c;
        q_re[i] = odd_only ? c * c - s * s : c;
        q_im[i] = odd_only ? 2.0f * s * c : s;
        re[i] = second * q_re[i] + first;
        im[i] = second * q_im[i];
    }
    while ((m -= 2) >= 0) {
        first = series->weight[m];
        second = series->weight[m + 1];
        for (ptrdiff_t i = 0; i < n; i++) {
            float middle = re[i] * q_re[i] - im[i] * q_im[i] + second;
            float middle_im = re[i] * q_im[i] + im[i] * q_re[i];
            re[i] = middle * q_re[i] - middle_im * q_im[i] + first;
            im[i] = middle * q_im[i] + middle_im * q_re[i];
        }
    }
    if (even_function)
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = re[i] * cosine[i] - im[i] * sine[i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = re[i] * sine[i] + im[i] * cosine[i];
}

/* ---- many harmonics ------------------------------------------------------------------------

   Differentiated, the sums are geometric. With D(v) = 1 / (2 sin(v/2)) = 1/v + g(v) and
   F(v) = integral from 0 to v of sin(N w) D(w) dw, for 0 <= v <= pi,
     sum_{h=1}^{H} sin(h x) / h             = F(x) - x/2,   N = H + 1/2,
     sum_{m=1}^{M} sin((2m-1) x) / (2m-1)   = F(2x) / 2,    N = M,
     sum_{m=1}^{M} cos((2m-1) x) / (2m-1)^2 = T - (integral of F from 0 to 2x) / 4,  N = M,
   where T is the sum at x = 0. The 1/v of D gives the sine integral Si(N v); g is smooth, and by
   parts gives -cos(Nv) (g/N - g''/N^3) + sin(Nv) (g'/N^2 - g'''/N^4), up to g''''/N^5 < 1e-6.
   With G0 and G1 for what multiplies -cos and -sin, F integrates (by parts again) to
   v Si(Nv) + (cos(Nv) (1 + 2 G1) - sin(Nv) G0) / N - (1 - 1/(12 N^2)) / N. */
typedef struct {
    int32_t shape;
    double n;
    float scale, offset, slope;
    float g0[5], g1[4]; /* G0 over v/pi, and G1, in powers of (v/pi)^2 */
} closed_series;

static closed_series make_closed(int32_t shape, double amplitude, double terms)
{
    /* Minimax fits of g and its derivatives on [0, pi], in odd or even powers of v/pi. */
    static const double g[] = {0.13090373232528377, 0.03760431104766583, 0.010209360857013463,
                               0.0016264605598752804, 0.001345870842888998};
    static const double dg[] = {0.04163356870108781, 0.03695818136085803, 0.011181344399414315,
                                0.011514988038545036};
    static const double ddg[] = {0.024159052054602007, 0.01100656465511557, 0.025141245802390036,
                                 0.0, 0.0};
    static const double dddg[] = {0.00715679233441938, 0.02282285126829225, -5.502514990639307e-05,
                                  0.03153638268523455};
    closed_series series = {.shape = shape, .n = shape == SAWTOOTH ? terms + 0.5 : terms};
    const double n = series.n;
    for (int k = 0; k < 5; k++)
        series.g0[k] = (float)((g[k] - ddg[k] / (n * n)) / n);
    for (int k = 0; k < 4; k++)
        series.g1[k] = (float)((dddg[k] / (n * n) - dg[k]) / (n * n));
    series.scale = (float)(amplitude * (shape == SAWTOOTH ? -2.0 / PI : 2.0 / PI));
    if (shape == SAWTOOTH)
        series.slope = (float)amplitude; /* +x/2 times 2/pi, by x/pi */
    if (shape == TRIANGLE) {
        /* T = pi^2/8 - (trigamma(N + 1/2) / 4), by its asymptotic series. */
        double sum = PI * PI / 8.0 - (1.0 - (1.0 - 0.35 / (n * n)) / (12.0 * n * n)) / (4.0 * n);
        double at_zero = (1.0 - 1.0 / (12.0 * n * n)) / n;
        series.scale = (float)(amplitude * 2.0 / (PI * PI));
        series.offset = (float)(amplitude * -8.0 / (PI * PI) * (sum + 0.25 * at_zero));
    }
    return series;
}

/* Si(x) for x >= 0, given the cosine and sine of x: a minimax polynomial up to 5, the auxiliary
   functions f and g (Abramowitz and Stegun 5.2.8) beyond; 1.5e-7 before rounding. */
static inline float sine_integral(float x, float cosine, float sine)
{
    float y = x < 5.0f ? x * x : 25.0f;
    float small = 8.36386651e-12f;
    small = small * y - 2.1373778e-9f;
    small = small * y + 3.03608532e-7f;
    small = small * y - 2.83188344e-5f;
    small = small * y + 1.66653332e-3f;
    small = small * y - 5.55552515e-2f;
    small = small * y + 0.9999998f;
    float inverse = 1.0f / (x < 5.0f ? 5.0f : x), z = inverse * inverse;
    float f = -31067.7326f;
    f = f * z + 4899.20619f;
    f = f * z - 364.359204f;
    f = f * z + 21.4412475f;
    f = f * z - 1.99059785f;
    f = f * z + 0.999989423f;
    float g = -156682.405f;
    g = g * z + 25279.252f;
    g = g * z - 1855.73159f;
    g = g * z + 95.9296088f;
    g = g * z - 5.89552984f;
    g = g * z + 0.999833421f;
    float beyond = (float)(PI / 2) - cosine * (f * inverse) - sine * (g * z);
    return x < 5.0f ? x * small : beyond;
}

FASTDIS_CLONES
static void closed_block(const closed_series *series, const double *restrict u, ptrdiff_t n,
                         float *restrict out)
{
    const float *a = series->g0, *b = series->g1;
    const double round = 0x1.8p+52, half_n = 0.5 * series->n;
    const float pi_n = (float)(PI * series->n), inverse_n = (float)(1.0 / series->n);
    const float scale = series->scale, offset = series->offset, slope = series->slope;
    const int sawtooth = series->shape == SAWTOOTH, triangle = series->shape == TRIANGLE;
    for (ptrdiff_t i = 0; i < n; i++) {
        double magnitude = fabs(u[i]);
        double folded = 2.0 * (magnitude < 0.5 ? magnitude : 1.0 - magnitude);
        double v = sawtooth ? magnitude : folded; /* half turns */
        double turns = half_n * v;
        float rest = (float)(2.0 * (turns - ((turns + round) - round)));
        float cosine = cos_half_turns(rest), sine = sin_half_turns(rest);
        float p = (float)v, y = p * p;
        float si = sine_integral(pi_n * p, cosine, sine);
        float g0 = p * ((((a[4] * y + a[3]) * y + a[2]) * y + a[1]) * y + a[0]);
        float g1 = ((b[3] * y + b[2]) * y + b[1]) * y + b[0];
        float odd = scale * (si - cosine * g0 - sine * g1) + slope * p;
        float integral = (float)PI * p * si + (cosine * (1.0f + 2.0f * g1) - sine * g0) * inverse_n;
        float even = scale * integral + offset;
        float positive = triangle ? even : odd;
        float sign = triangle ? 0.5f - (float)magnitude : (float)u[i];
        out[i] = copysignf(1.0f, sign) * positive;
    }
}

void fastdis_oscillator_band_limited(const int32_t *shape, const double *frequency,
                                     const double *amplitude, const double *phase,
                                     const double *harmonics, const double *t, ptrdiff_t batch,
                                     ptrdiff_t length, float *out)
{
    double exact[BLOCK];
    float u[BLOCK];
    const fastdis_times times = fastdis_make_times(t, length);
    for (ptrdiff_t b = 0; b < batch; b++) {
        const double most = harmonics[b]; /* the number of partials up to there: */
        const double terms = shape[b] == SINE       ? (most >= 1.0 ? 1.0 : 0.0)
                             : shape[b] == SAWTOOTH ? most
                                                    : floor((most + 1.0) / 2.0);
        const int direct = terms < DIRECT_TERMS;
        const fastdis_phase p = fastdis_make_phase(&times, frequency[b], phase[b], 0, 0);
        direct_series few = {0};
        closed_series many = {0};
        if (direct)
            few = make_direct(shape[b], amplitude[b], terms);
        else
            many = make_closed(shape[b], amplitude[b], terms);
        for (ptrdiff_t i = 0; i < length; i += BLOCK) {
            ptrdiff_t n = length - i < BLOCK ? length - i : BLOCK;
            if (direct) {
                fastdis_quick_half_turns(&p, &times, i, n, u);
                direct_block(&few, u, n, out + b * length + i);
            } else {
                fastdis_half_turns(&p, &times, i, n, exact);
                closed_block(&many, exact, n, out + b * length + i);
            }
        }
    }
}
