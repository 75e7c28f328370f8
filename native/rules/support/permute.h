#pragma once

#include "core/shape.h"

namespace at {

// to (count, shape…) = from, whose element at index (i_0, i_1, …) of `shape` lies at Σ i_a·from[a];
// each of the `count` arrays is contiguous on both sides.
void gather_strided(int64_t count, const Shape& shape, const Shape& from_strides, const float* from,
                    float* to);

}  // namespace at
