#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/real.h"

namespace at {

using Shape = std::vector<int64_t>;

// Product of all dimensions; throws Error("TOO_LARGE") on a negative dimension or overflow.
int64_t element_count(const Shape& shape);

// a * b and a + b of sizes, checked: throws Error("TOO_LARGE") on overflow.
int64_t checked_mul(int64_t a, int64_t b);
int64_t checked_add(int64_t a, int64_t b);

// Product of shape[first, last).
int64_t count_between(const Shape& shape, size_t first, size_t last);

// Row-major strides in elements.
Shape row_major_strides(const Shape& shape);

// NumPy/ONNX multidirectional broadcasting of two shapes; throws Error("BAD_SHAPE") if impossible.
Shape broadcast(const Shape& a, const Shape& b);

// "2×3×4" for messages.
std::string describe(const Shape& shape);

}  // namespace at
