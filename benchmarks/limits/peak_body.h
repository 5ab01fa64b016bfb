/* Twelve chains of multiply-adds, enough to hide the latency of each; see peak.c. */
static float NAME(chains)(int64_t steps, float factor)
{
    typedef float vec __attribute__((vector_size(4 * LANES)));
    /* No two begin alike, so that no compiler merges them. */
    vec a = {0}, b = a + 1.0f, c = a + 2.0f, d = a + 3.0f, e = a + 4.0f, f = a + 5.0f;
    vec g = a + 6.0f, h = a + 7.0f, i = a + 8.0f, j = a + 9.0f, k = a + 10.0f, l = a + 11.0f;
    const vec x = a + factor, y = a + 1.0f;
    for (int64_t n = 0; n < steps; n++) {
        a = a * x + y, b = b * x + y, c = c * x + y, d = d * x + y;
        e = e * x + y, f = f * x + y, g = g * x + y, h = h * x + y;
        i = i * x + y, j = j * x + y, k = k * x + y, l = l * x + y;
    }
    a = ((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l));
    return a[0];
}

#undef LANES
#undef NAME
