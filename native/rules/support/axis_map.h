#pragma once

#include <vector>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// An operator that copies elements, axis by axis: output element (o_0, o_1, …) is input element
// (from[0][o_0], from[1][o_1], …), or a constant where an entry is −1. An empty table is identity.
// The shapes may be any that have the elements in the value's own order.
struct AxisMap {
  Shape in;
  Shape out;
  std::vector<std::vector<int64_t>> from;
};

// Writes input k's cotangent from output j's: every element gets the sum over its copies. Serves
// per_sample(k).
void reverse_copy(Call& call, int j, int k, const AxisMap& map);

// Writes output j's tangent from input k's; constants get zero. Returns call.out(j).
Real* forward_copy(TangentCall& call, int k, int j, const AxisMap& map);

}  // namespace AT_PRECISION
}  // namespace at
