#pragma once

#include "device/functions/logistic.h"

namespace at::device {

// d/dx x·Φ(x) = Φ(x) + x·φ(x), right in proportion in the tail as well. With e = exp(−x²/2) and
// z = |x|/√2, Φ(−|x|) = ½·e·exp(z²)·erfc(z), and exp(z²)·erfc(z) is a polynomial in 1/(1 + 0.33 z)
// (least squares of the relative error in float64, which stays below 1e-7 on [0, 10]).
template <class T>
AT_PORTABLE T gelu_derivative(T x) {
  constexpr T kRoot = T(0.70710678118654752), kDensity = T(0.39894228040143268);
  if constexpr (sizeof(T) == sizeof(double)) {
    return T(0.5) * std::erfc(-kRoot * x) + x * kDensity * std::exp(-T(0.5) * x * x);
  } else {
    const T size = std::fabs(x), e = exponential(-T(0.5) * x * x);
    const T t = 1 / (1 + T(0.33) * kRoot * size);
    T tail = -T(0.135350871);
    tail = tail * t + T(0.460259104);
    tail = tail * t - T(0.351188511);
    tail = tail * t + T(0.408536839);
    tail = tail * t + T(0.0472003553);
    tail = tail * t + T(0.201230356);
    tail = tail * t + T(0.182954839);
    tail = tail * t + T(0.186357881);
    const T part = e * (T(0.5) * t * tail - size * kDensity);
    return x > 0 ? 1 - part : part;
  }
}

// ½x(1 + tanh(u)) = x·σ(2u), u = √(2/π)(x + 0.044715x³).
template <class T>
AT_PORTABLE T gelu_tanh_derivative(T x) {
  constexpr T kScale = T(0.79788456080286536), kCube = T(0.044715);
  const T u = kScale * (x + kCube * x * x * x);
  const T slope = 2 * kScale * (1 + 3 * kCube * x * x);
  return logistic(2 * u) + logistic_slope(2 * u) * x * slope;
}

}  // namespace at::device
