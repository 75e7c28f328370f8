#pragma once

#include <cmath>

namespace at {

// x·Φ(x).
inline float gelu_derivative(float x) {
  constexpr float kRoot = 0.70710678118654752f, kDensity = 0.39894228040143268f;
  return 0.5f * (1 + std::erf(x * kRoot)) + x * kDensity * std::exp(-0.5f * x * x);
}

// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
inline float gelu_tanh_derivative(float x) {
  constexpr float kScale = 0.79788456080286536f, kCube = 0.044715f;
  const float t = std::tanh(kScale * (x + kCube * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * kScale * (1 + 3 * kCube * x * x);
}

}  // namespace at
