/* The words of Philox 4x32-10 by vectors of 64-bit lanes, four at a time to hide the latency of the
   rounds. noise.c includes this once for each instruction level, which names
     WORDS                        the function,
     LANES                        how many lanes a vector has,
     MULTIPLY_LOW_HALVES(a, b)    products of 32 by 32 bits: what x86 can do, and GCC does not find,
     JOIN_LOW_HALVES(a, b)        the 2 LANES low halves of two vectors.
   Between the rounds the upper halves of the lanes hold what they may: nobody looks at them.
   It makes an even number of groups: `words` has room for them. */
static void WORDS(uint64_t seed, uint64_t index, uint64_t first, ptrdiff_t groups,
                  uint32_t *restrict words)
{
    typedef uint64_t wide __attribute__((vector_size(8 * LANES)));
    typedef uint32_t narrow __attribute__((vector_size(8 * LANES), aligned(4), may_alias));
    const wide zero = {0}, m0 = zero + MULTIPLIER_0, m1 = zero + MULTIPLIER_1;
    const wide first_high = zero + (first >> 32), index_low = zero + index;
    const wide index_high = zero + (index >> 32);
    wide lane = zero;
    for (int i = 0; i < LANES; i++)
        lane[i] = (uint32_t)first + (uint64_t)i;
    for (ptrdiff_t j = 0; j < groups * VECTOR; j += 4 * LANES) {
        wide x0[4], x1[4], x2[4], x3[4];
        for (int v = 0; v < 4; v++) {
            x0[v] = lane + (uint64_t)(j + v * LANES);
            x1[v] = first_high;
            x2[v] = index_low;
            x3[v] = index_high;
        }
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < ROUNDS; round++, k0 += WEYL_0, k1 += WEYL_1)
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++) {
                wide p = MULTIPLY_LOW_HALVES(x0[v], m0), q = MULTIPLY_LOW_HALVES(x2[v], m1);
                x0[v] = (q >> 32) ^ x1[v] ^ k0;
                x2[v] = (p >> 32) ^ x3[v] ^ k1;
                x1[v] = q;
                x3[v] = p;
            }
        for (int v = 0; v < 4; v += 2) {
            const ptrdiff_t at = j + v * LANES;
            uint32_t *row = words + at / VECTOR * GROUP + at % VECTOR;
            *(narrow *)row = JOIN_LOW_HALVES(x0[v], x0[v + 1]);
            *(narrow *)(row + VECTOR) = JOIN_LOW_HALVES(x1[v], x1[v + 1]);
            *(narrow *)(row + 2 * VECTOR) = JOIN_LOW_HALVES(x2[v], x2[v + 1]);
            *(narrow *)(row + 3 * VECTOR) = JOIN_LOW_HALVES(x3[v], x3[v + 1]);
        }
    }
}

#undef WORDS
#undef LANES
#undef MULTIPLY_LOW_HALVES
#undef JOIN_LOW_HALVES
