#pragma once

#include <cmath>

namespace at {

// Of the input, so that they are right in proportion as far as float32 reaches, also where the
// function's own value has come to its end (0 or 1).

// σ(x) = 1/(1 + exp(−x)).
inline float logistic(float x) {
  const float e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1.0f) / (1 + e);
}

// σ'(x) = σ(x)·σ(−x).
inline float logistic_slope(float x) {
  const float e = std::exp(-std::abs(x)), s = 1 / (1 + e);
  return e * s * s;
}

// tanh'(x) = 1 − tanh²(x).
inline float tanh_slope(float x) {
  const float e = std::exp(-2 * std::abs(x)), s = 1 / (1 + e);
  return 4 * e * s * s;
}

// d/dx x·σ(αx).
inline float swish_slope(float x, float alpha) {
  const float z = alpha * x;
  return logistic(z) * (1 + z * logistic(-z));
}

}  // namespace at
