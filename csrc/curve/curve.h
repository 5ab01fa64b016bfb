/* A Hilbert curve through every cell of a rectangle of any size. */
#ifndef FASTDIS_CURVE_H
#define FASTDIS_CURVE_H

#include <stdint.h>

/* The flat (row-major) indices of the cells of rows x columns, both at least 1, in the order in
   which the curve visits them: from the first cell along the longer side. */
void fastdis_hilbert_order(int64_t rows, int64_t columns, int64_t *order);

#endif
