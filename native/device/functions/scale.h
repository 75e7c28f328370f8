#pragma once

#include "device/functions/slopes.h"
#include "device/pointer.h"

namespace at::device {

// What flows through a local derivative d from a cotangent g: nothing where nothing comes, even if
// d is infinite or no number at all; with `selects` nothing where d is 0, either
// (rules/support/times.h).
template <bool selects, class T>
AT_PORTABLE T flowing(T d, T g) {
  return g == 0 || (selects && d == 0) ? T(0) : d * g;
}

// to[c, e] = slope(values[e])·from[c, e].
template <class T, class Slope, bool selects>
struct Scale {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> values;
  Ref<const T> from;
  Ref<T> to;
  int64_t size;
  Slope slope;

  struct Row {
    const T* values;
    const T* from;
    T* to;
    Slope slope;
    AT_PORTABLE void operator()(int64_t e) const {
      to[e] = flowing<selects>(slope(values[e]), from[e]);
    }
  };
  AT_PORTABLE Row row(int64_t c) const {
    return {values.get(), from + c * size, to + c * size, slope};
  }
};

// to[r, e] *= factors[e], in rows of `length`, `stride` apart.
template <class T>
struct ScaleColumns {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> factors;
  Ref<T> to;
  int64_t stride;

  struct Row {
    const T* factors;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] *= factors[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {factors.get(), to + r * stride}; }
};

// to[r, e] += factors[r]·from[r, e], in rows of `length`.
template <class T>
struct AddScaledRows {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> factors, from;
  Ref<T> to;
  int64_t length;

  struct Row {
    T factor;
    const T* from;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] += factor * from[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {factors[r], from + r * length, to + r * length}; }
};

}  // namespace at::device
