#pragma once

#include "rules/support/lanes.h"

namespace at {
inline namespace AT_PRECISION {

// Products of operands that are made for them, tile by tile (support/quick.cc): the left one lies
// in panels of kLanes rows, (rows / kLanes, depth, kLanes), so that neither is packed, as BLAS
// would with every product again.

// count rounded up to whole lanes.
constexpr int64_t rounded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// to (rows, n) = left·right (depth, n), or that is added; rows and n are whole lanes, `ld` lies
// from one row to the next. A sum's order follows the depth alone.
void multiply_panels(int64_t rows, int64_t n, int64_t depth, const Real* left, const Real* right,
                     int64_t ld, bool add, Real* to, int64_t ld_to);

}  // namespace AT_PRECISION
}  // namespace at
