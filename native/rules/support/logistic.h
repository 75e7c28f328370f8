#pragma once

#include <cmath>

namespace at {
inline namespace AT_PRECISION {

// Of the input, so that they are right in proportion as far as float32 reaches, also where the
// function's own value has come to its end (0 or 1).

// σ(x) = 1/(1 + exp(−x)).
inline Real logistic(Real x) {
  const Real e = std::exp(-std::abs(x));
  return (x < 0 ? e : Real(1.0)) / (1 + e);
}

// σ'(x) = σ(x)·σ(−x).
inline Real logistic_slope(Real x) {
  const Real e = std::exp(-std::abs(x)), s = 1 / (1 + e);
  return e * s * s;
}

// tanh'(x) = 1 − tanh²(x).
inline Real tanh_slope(Real x) {
  const Real e = std::exp(-2 * std::abs(x)), s = 1 / (1 + e);
  return 4 * e * s * s;
}

// d/dx x·σ(αx).
inline Real swish_slope(Real x, Real alpha) {
  const Real z = alpha * x;
  return logistic(z) * (1 + z * logistic(-z));
}

}  // namespace AT_PRECISION
}  // namespace at
