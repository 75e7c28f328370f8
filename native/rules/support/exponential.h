#pragma once

#include <cmath>

#include "core/real.h"
#include "device/functions/exponential.h"

namespace at {
inline namespace AT_PRECISION {

using device::exponential;

// tanh(x), likewise without a branch in float.
inline Real hyperbolic_tangent(Real x) {
#ifdef AT_DOUBLE
  return std::tanh(x);
#else
  const float size = std::abs(x), z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = x + x * z * p;
  const float e = exponential(-2 * size);
  const float far = std::copysign((1 - e) / (1 + e), x);
  return size < 0.625f ? near : far;
#endif
}

}  // namespace AT_PRECISION
}  // namespace at
