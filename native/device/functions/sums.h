#pragma once

#include "device/pointer.h"

namespace at::device {

// to[e] += from[e] in double, in rows of `length`: of sums over many blocks.
template <class T>
struct AddWide {
  static constexpr int kBytes = sizeof(T) + 2 * sizeof(double);
  Ref<const T> from;
  Ref<double> to;
  int64_t length;

  struct Row {
    const T* from;
    double* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] += static_cast<double>(from[e]); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * length, to + r * length}; }
};

// to[e] = from[e], rounded.
template <class T>
struct Rounded {
  static constexpr int kBytes = sizeof(T) + sizeof(double);
  Ref<const double> from;
  Ref<T> to;
  int64_t length;

  struct Row {
    const double* from;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = static_cast<T>(from[e]); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * length, to + r * length}; }
};

}  // namespace at::device
