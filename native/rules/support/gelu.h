#pragma once

#include <cmath>

#include <initializer_list>
#include "core/real.h"

#include "rules/support/logistic.h"

namespace at {
inline namespace AT_PRECISION {

// d/dx x·Φ(x) = Φ(x) + x·φ(x), right in proportion in the tail as well. With e = exp(−x²/2) and
// z = |x|/√2, Φ(−|x|) = ½·e·exp(z²)·erfc(z), and exp(z²)·erfc(z) is a polynomial in 1/(1 + 0.33 z)
// (least squares of the relative error in float64, which stays below 1e-7 on [0, 10]).
inline Real gelu_derivative(Real x) {
  constexpr Real kRoot = Real(0.70710678118654752), kDensity = Real(0.39894228040143268);
#ifdef AT_DOUBLE
  return 0.5 * std::erfc(-kRoot * x) + x * kDensity * std::exp(-0.5 * x * x);
#else
  const Real size = std::abs(x), e = std::exp(-Real(0.5) * x * x);
  const Real t = 1 / (1 + Real(0.33) * kRoot * size);
  Real tail = -Real(0.135350871);
  for (Real c : {Real(0.460259104), -Real(0.351188511), Real(0.408536839), Real(0.0472003553),
                 Real(0.201230356), Real(0.182954839), Real(0.186357881)})
    tail = tail * t + c;
  const Real part = e * (Real(0.5) * t * tail - size * kDensity);
  return x > 0 ? 1 - part : part;
#endif
}

// ½x(1 + tanh(u)) = x·σ(2u), u = √(2/π)(x + 0.044715x³).
inline Real gelu_tanh_derivative(Real x) {
  constexpr Real kScale = Real(0.79788456080286536), kCube = Real(0.044715);
  const Real u = kScale * (x + kCube * x * x * x);
  const Real slope = 2 * kScale * (1 + 3 * kCube * x * x);
  return logistic(2 * u) + logistic_slope(2 * u) * x * slope;
}

}  // namespace AT_PRECISION
}  // namespace at
