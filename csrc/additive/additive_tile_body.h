/* The two products of additive_tiles.h in VECTORs; HIGH rows by WIDE vectors are summed at once,
   as many as there are registers for. Included once for each instruction set. */

TARGET static void NAMED(product)(const float *rows, const float *columns, ptrdiff_t depth,
                                  float *out, ptrdiff_t stride)
{
    enum { LANES = sizeof(VECTOR) / sizeof(float) };
    for (int row = 0; row < ROWS; row += HIGH)
        for (int column = 0; column < COLUMNS; column += WIDE * LANES) {
            VECTOR sum[HIGH][WIDE] = {0};
            const float *a = rows + row;
            const VECTOR *b = (const VECTOR *)(columns + column);
            for (ptrdiff_t q = 0; q < depth; q++, a += ROWS, b += COLUMNS / LANES)
                UNROLL for (int i = 0; i < HIGH; i++)
                    UNROLL for (int j = 0; j < WIDE; j++)
                        sum[i][j] += a[i] * b[j];
            UNROLL for (int i = 0; i < HIGH; i++)
                UNROLL for (int j = 0; j < WIDE; j++)
                    memcpy(out + (row + i) * stride + column + j * LANES, &sum[i][j],
                           sizeof(VECTOR));
        }
}

TARGET static void NAMED(mirrored)(const float *rows, const float *columns, ptrdiff_t depth,
                                   const float *gain, const float *fade_after,
                                   const float *fade_before, float *after, float *before,
                                   ptrdiff_t stride)
{
    enum { LANES = sizeof(VECTOR) / sizeof(float), HALF = HIGH / 2 };
    for (int row = 0; row < ROWS; row += HALF)
        for (int column = 0; column < COLUMNS; column += WIDE * LANES) {
            VECTOR odd[HALF][WIDE] = {0}, even[HALF][WIDE] = {0};
            const float *a = rows + row;
            const VECTOR *b = (const VECTOR *)(columns + column);
            for (ptrdiff_t q = 0; q < depth; q++, a += ROWS, b += COLUMNS / LANES)
                UNROLL for (int i = 0; i < HALF; i++)
                    UNROLL for (int j = 0; j < WIDE; j++) {
                        odd[i][j] += a[i] * b[j];
                        even[i][j] += a[depth * ROWS + i] * b[depth * (COLUMNS / LANES) + j];
                    }
            UNROLL for (int i = 0; i < HALF; i++)
                UNROLL for (int j = 0; j < WIDE; j++) {
                    const int right = column + j * LANES, left = COLUMNS - LANES - right;
                    VECTOR difference = even[i][j] - odd[i][j], x, y;
                    memcpy(&x, fade_after + right, sizeof x);
                    memcpy(&y, fade_before + left, sizeof y);
                    x *= gain[row + i] * (even[i][j] + odd[i][j]);
                    y *= gain[row + i] * (VECTOR)REVERSED(difference);
                    memcpy(after + (row + i) * stride + right, &x, sizeof x);
                    memcpy(before + (row + i) * stride + left, &y, sizeof y);
                }
        }
}

#undef TARGET
#undef NAMED
#undef VECTOR
#undef REVERSED
#undef HIGH
#undef WIDE
