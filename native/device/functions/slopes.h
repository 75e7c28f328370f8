#pragma once

#include "device/functions/gelu.h"

// dy/dx of activation functions, of x or of y as the rule says (rules/activations.cc). At kinks the
// derivative is PyTorch's.
namespace at::device {

// Of y. What is no number goes through: it is not to vanish here.
template <class T>
struct Relu {
  AT_PORTABLE T operator()(T y) const { return y <= 0 ? T(0) : T(1); }
};

template <class T>
struct LeakyRelu {
  T slope;
  AT_PORTABLE T operator()(T x) const { return x > 0 ? T(1) : slope; }
};

template <class T>
struct ThresholdedRelu {
  T threshold;
  AT_PORTABLE T operator()(T x) const { return x > threshold ? T(1) : T(0); }
};

// above for x > 0, else scale·exp(x / width): of Elu, Selu and Celu.
template <class T>
struct Exponential {
  T above, scale, width;
  AT_PORTABLE T operator()(T x) const { return x > 0 ? above : scale * exponential(x / width); }
};

template <class T>
struct Sigmoid {
  AT_PORTABLE T operator()(T x) const { return logistic_slope(x); }
};

template <class T>
struct Tanh {
  AT_PORTABLE T operator()(T x) const { return tanh_slope(x); }
};

// Of y.
template <class T>
struct HardSigmoid {
  T slope;
  AT_PORTABLE T operator()(T y) const { return y > 0 && y < 1 ? slope : T(0); }
};

template <class T>
struct HardSwish {
  AT_PORTABLE T operator()(T x) const { return x <= -3 ? T(0) : x < 3 ? x / 3 + T(0.5) : T(1); }
};

// outer·softplus(inner·x).
template <class T>
struct Softplus {
  T inner, outer;
  AT_PORTABLE T operator()(T x) const { return inner * outer * logistic(inner * x); }
};

template <class T>
struct Softsign {
  AT_PORTABLE T operator()(T x) const {
    const T d = 1 + std::fabs(x);
    return 1 / (d * d);
  }
};

template <class T>
struct Mish {
  AT_PORTABLE T operator()(T x) const {
    // tanh(log(1 + e)) = n/(n + 2), n = e(e + 2), e = exp(x).
    if (x > 20) return T(1);
    const T e = exponential(x), n = e * (e + 2);
    const T t = n / (n + 2);
    return t + x * e / (1 + e) * (1 - t * t);
  }
};

template <class T>
struct Swish {
  T alpha;
  AT_PORTABLE T operator()(T x) const { return swish_slope(x, alpha); }
};

template <class T>
struct Shrink {
  T bound;
  AT_PORTABLE T operator()(T x) const { return x < -bound || x > bound ? T(1) : T(0); }
};

template <class T>
struct Gelu {
  bool by_tanh;
  AT_PORTABLE T operator()(T x) const {
    return by_tanh ? gelu_tanh_derivative(x) : gelu_derivative(x);
  }
  // to[e] of x[e], with the choice made once.
  AT_PORTABLE void all(const T* x, int64_t n, T* to) const {
    if (by_tanh) {
      for (int64_t e = 0; e < n; ++e) to[e] = gelu_tanh_derivative(x[e]);
    } else {
      for (int64_t e = 0; e < n; ++e) to[e] = gelu_derivative(x[e]);
    }
  }
};

}  // namespace at::device
