#pragma once

#include "device/pointer.h"

namespace at::device {

// out[r, e] += gram[r, e] · inner[r / rows_each, e / cols_each]: of Gram matrices of δ, with
// several rows for each sample, and of h, with one.
template <class T>
struct GramProduct {
  static constexpr int kBytes = 4 * sizeof(T);
  Ref<const T> gram;
  int64_t gram_stride;
  Ref<const T> inner;
  int64_t inner_stride;
  Ref<T> out;
  int64_t out_stride;
  Divider rows_each, cols_each;

  struct Row {
    const T* gram;
    const T* inner;
    T* out;
    Divider cols_each;
    AT_PORTABLE void operator()(int64_t e) const {
      out[e] += gram[e] * inner[cols_each.quotient(static_cast<uint32_t>(e))];
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {gram + r * gram_stride,
            inner + rows_each.quotient(static_cast<uint32_t>(r)) * inner_stride,
            out + r * out_stride, cols_each};
  }
};

}  // namespace at::device
