#pragma once

#include "device/functions/exponential.h"

// Of the input, so that they are right in proportion as far as float32 reaches, also where the
// function's own value has come to its end (0 or 1).
namespace at::device {

// σ(x) = 1/(1 + exp(−x)).
template <class T>
AT_PORTABLE T logistic(T x) {
  const T e = exponential(-std::fabs(x));
  return (x < 0 ? e : T(1)) / (1 + e);
}

// σ'(x) = σ(x)·σ(−x).
template <class T>
AT_PORTABLE T logistic_slope(T x) {
  const T e = exponential(-std::fabs(x)), s = 1 / (1 + e);
  return e * s * s;
}

// tanh'(x) = 1 − tanh²(x).
template <class T>
AT_PORTABLE T tanh_slope(T x) {
  const T e = exponential(-2 * std::fabs(x)), s = 1 / (1 + e);
  return 4 * e * s * s;
}

// d/dx x·σ(αx) = σ(z)·(1 + z·σ(−z)), z = αx.
template <class T>
AT_PORTABLE T swish_slope(T x, T alpha) {
  const T z = alpha * x, e = exponential(-std::fabs(z)), s = 1 / (1 + e);
  const T own = (z < 0 ? e : T(1)) * s, other = (z < 0 ? T(1) : e) * s;
  return own * (1 + z * other);
}

}  // namespace at::device
