#pragma once

#include "device/pointer.h"

namespace at::device {

// to[r·stride + e] = value.
template <class T>
struct Fill {
  static constexpr int kBytes = sizeof(T);
  Ref<T> to;
  int64_t stride;
  T value;

  struct Row {
    T* to;
    T value;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = value; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {to + r * stride, value}; }
};

}  // namespace at::device
