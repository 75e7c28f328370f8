#pragma once

#include "device/pointer.h"

namespace at::device {

// to[r, e] += factor·from[r / rows_each, r % length]: one number for each of `length` neighbouring
// rows, the same numbers for `rows_each` rows that follow one another.
template <class T>
struct AddSpread {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t rows_each, length, inner;
  T factor;

  struct Row {
    T* to;
    T value;
    AT_PORTABLE void operator()(int64_t e) const { to[e] += value; }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {to + r * inner, factor * from[r / rows_each * length + r % length]};
  }
};

}  // namespace at::device
