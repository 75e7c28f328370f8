#pragma once

#include <cstdint>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// Of a convolution, transposed or not: its bias as it is broadcast to the output.
inline Shape bias_shape(const NodeView& call) {
  Shape as(call.output(0).shape.size() - 1, 1);
  as[0] = call.output(0).shape[1];
  return as;
}

// Are there elements of it, few enough for a device's 32 bits?
inline bool is_moderate_convolution(const NodeView& call) {
  const Activation &out = call.output(0), &x = call.input(0);
  return out.size() > 0 && x.size() > 0 && out.size() < INT32_MAX && x.size() < INT32_MAX &&
         call.input(1).size() < INT32_MAX;
}

}  // namespace AT_PRECISION
}  // namespace at
