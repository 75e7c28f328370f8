#pragma once

#include <cmath>

#include "device/pointer.h"

// Steps of optimisers, as train/optimizer.h defines them, on the host and on devices.
namespace at::device {

// A weight and its moments after a step.
template <class T>
struct Stepped {
  T weight, first, second;
};

template <class T>
struct Sgd {
  static constexpr int kMoments = 1;
  T momentum, decay, rate;
  AT_PORTABLE Stepped<T> operator()(T weight, T gradient, T first, T) const {
    const T next = momentum * first + gradient + decay * weight;
    return {weight - rate * next, next, T(0)};
  }
};

template <class T>
struct Adam {
  static constexpr int kMoments = 2;
  T beta1, beta2, rest1, rest2, coupled, shrink, rate, root, epsilon;
  AT_PORTABLE Stepped<T> operator()(T weight, T gradient, T first, T second) const {
    const T own = weight * shrink;
    const T slope = gradient + coupled * own;
    const T m = beta1 * first + rest1 * slope;
    const T v = beta2 * second + rest2 * slope * slope;
    return {own - rate * m / (std::sqrt(v) * root + epsilon), m, v};
  }
};

// A step in place, in rows of `length`; `second` is read where the rule has two moments.
template <class T, class Rule>
struct Step {
  static constexpr int kBytes = (2 * Rule::kMoments + 3) * sizeof(T);
  Ref<T> weights;
  Ref<const T> gradients;
  Ref<T> first, second;
  int64_t length;
  Rule rule;

  struct Row {
    T* weights;
    const T* gradients;
    T* first;
    T* second;
    Rule rule;
    AT_PORTABLE void operator()(int64_t e) const {
      constexpr bool both = Rule::kMoments > 1;
      const auto next = rule(weights[e], gradients[e], first[e], both ? second[e] : T(0));
      weights[e] = next.weight;
      first[e] = next.first;
      if (both) second[e] = next.second;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {weights + r * length, gradients + r * length, first + r * length, second + r * length,
            rule};
  }
};

}  // namespace at::device
