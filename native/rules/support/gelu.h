#pragma once

#include <cmath>

namespace at {

// x·Φ(x). Φ by formula 7.1.26 of Abramowitz and Stegun (error 1e-7), which needs only the
// exponential that the density needs as well.
inline float gelu_derivative(float x) {
  constexpr float kRoot = 0.70710678118654752f, kDensity = 0.39894228040143268f;
  const float e = std::exp(-0.5f * x * x), t = 1 / (1 + 0.3275911f * kRoot * std::abs(x));
  const float tail =
      t *
      (0.254829592f +
       t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) *
      e;
  const float phi = x > 0 ? 1 - 0.5f * tail : 0.5f * tail;
  return phi + x * kDensity * e;
}

// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
inline float gelu_tanh_derivative(float x) {
  constexpr float kScale = 0.79788456080286536f, kCube = 0.044715f;
  const float t = std::tanh(kScale * (x + kCube * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * kScale * (1 + 3 * kCube * x * x);
}

}  // namespace at
