/* Products of a matrix of rows by one of columns, a tile at a time with all sums in registers. */
#ifndef FASTDIS_ADDITIVE_TILES_H
#define FASTDIS_ADDITIVE_TILES_H

#include <stddef.h>

enum { ROWS = 8, COLUMNS = 48 }; /* of a tile: 24 vectors of 16 */

/* The rows of a tile are (depth, ROWS), its columns (depth, COLUMNS), aligned to 64 bytes. Row r
   of the result begins at out + r * stride. */
typedef struct {
    /* out = sum over q of rows[q] columns[q]. */
    void (*product)(const float *rows, const float *columns, ptrdiff_t depth, float *out,
                    ptrdiff_t stride);
    /* Twice the depth, and its two halves by themselves: odd (the first) and even. What comes
       after the middle is even + odd, in `after`; before it even - odd, in `before`, its columns
       in reverse. Both are multiplied by gain[r], and by their own fade over the columns. */
    void (*mirrored)(const float *rows, const float *columns, ptrdiff_t depth, const float *gain,
                     const float *fade_after, const float *fade_before, float *after,
                     float *before, ptrdiff_t stride);
} additive_tiles;

/* Those for the instructions that this machine has. */
additive_tiles fastdis_additive_tiles(void);

#endif
