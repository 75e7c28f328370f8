#pragma once

#include <cmath>
#include <initializer_list>

#include "rules/support/logistic.h"

namespace at {

// d/dx x·Φ(x) = Φ(x) + x·φ(x), right in proportion in the tail as well. With e = exp(−x²/2) and
// z = |x|/√2, Φ(−|x|) = ½·e·exp(z²)·erfc(z), and exp(z²)·erfc(z) is a polynomial in 1/(1 + 0.33 z)
// (least squares of the relative error in float64, which stays below 1e-7 on [0, 10]).
inline float gelu_derivative(float x) {
  constexpr float kRoot = 0.70710678118654752f, kDensity = 0.39894228040143268f;
  const float size = std::abs(x), e = std::exp(-0.5f * x * x);
  const float t = 1 / (1 + 0.33f * kRoot * size);
  float tail = -0.135350871f;
  for (float c : {0.460259104f, -0.351188511f, 0.408536839f, 0.0472003553f, 0.201230356f,
                  0.182954839f, 0.186357881f})
    tail = tail * t + c;
  const float part = e * (0.5f * t * tail - size * kDensity);
  return x > 0 ? 1 - part : part;
}

// ½x(1 + tanh(u)) = x·σ(2u), u = √(2/π)(x + 0.044715x³).
inline float gelu_tanh_derivative(float x) {
  constexpr float kScale = 0.79788456080286536f, kCube = 0.044715f;
  const float u = kScale * (x + kCube * x * x * x);
  const float slope = 2 * kScale * (1 + 3 * kCube * x * x);
  return logistic(2 * u) + logistic_slope(2 * u) * x * slope;
}

}  // namespace at
