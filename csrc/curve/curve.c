/* A Hilbert curve for any rectangle. Hilbert's own (Math. Ann. 38, 1891) halves a square of 2^k
   cells; here a rectangle is cut into rectangles of whole cells, and a long one is cut in two.

   A path over w x h cells goes from a corner to the next one along w. On a chessboard it has
   w h - 1 steps, each to the other colour, and its ends are w - 1 cells apart, so that without a
   diagonal step w h and w have to be both odd or both even: w is even or h is odd. Every cut but
   the last few is therefore at an even number of cells. Then the parts that begin and end at a cut
   have an even w, and the one part that takes up the rest inherits the parity of the whole: at most
   one diagonal step in all, and none where the whole needs none. */
#include "curve.h"

/* The even number next to half of a length, but half of 2 is 1. */
static int64_t even_half(int64_t length)
{
    int64_t half = length / 2;
    return half % 2 && length > 2 ? half + 1 : half;
}

static int64_t *line(int64_t first, int64_t length, int64_t step, int64_t *order)
{
    for (int64_t i = 0; i < length; i++)
        *order++ = first + i * step;
    return order;
}

/* Fills a rectangle from its cell `first`, w cells in steps of `along` by h in steps of `across`,
   and returns where the next cell goes. Each call halves w or h: the depth is logarithmic. */
static int64_t *fill(int64_t first, int64_t w, int64_t along, int64_t h, int64_t across,
                     int64_t *order)
{
    if (h == 1)
        return line(first, w, along, order);
    if (w == 1)
        return line(first, h, across, order);
    if (2 * w > 3 * h) { /* one half, and on into the other */
        int64_t near = even_half(w);
        order = fill(first, near, along, h, across, order);
        return fill(first + near * along, w - near, along, h, across, order);
    }
    /* Across and away; along over the far part; across and back. */
    int64_t near = even_half(h), left = w / 2;
    order = fill(first, near, across, left, along, order);
    order = fill(first + near * across, w, along, h - near, across, order);
    int64_t last = first + (w - 1) * along + (near - 1) * across;
    return fill(last, near, -across, w - left, -along, order);
}

void fastdis_hilbert_order(int64_t rows, int64_t columns, int64_t *order)
{
    if (columns >= rows)
        fill(0, columns, 1, rows, columns, order);
    else
        fill(0, rows, columns, columns, 1, order);
}
