#pragma once

#include "core/shape.h"

namespace at {
inline namespace AT_PRECISION {

// to (count, shape…) = from, whose element at index (i_0, i_1, …) of `shape` lies at
// Σ i_a·from_strides[a]; the `count` sources are `from_step` apart (default: as many elements as
// `shape` has). Strides may be 0 (repeated).
void gather_strided(int64_t count, const Shape& shape, const Shape& from_strides, const Real* from,
                    Real* to, int64_t from_step = -1);

}  // namespace AT_PRECISION
}  // namespace at
