#pragma once

#include "device/pointer.h"

namespace at::device {

// to[r, c] = scales[r]·(from[r, c] − Σ_q shares[q]·from[q, c]) over the rows q of r's group, of
// which there are `group`, in rows of `length`.
template <class T>
struct CentreRows {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from, shares, scales;
  Ref<T> to;
  int64_t length, group;

  struct Row {
    const T* from;
    const T* first;  // of the group
    const T* shares;
    T scale;
    T* to;
    int64_t length, group;
    AT_PORTABLE void operator()(int64_t c) const {
      T mean = 0;
      for (int64_t q = 0; q < group; ++q) mean += shares[q] * first[q * length + c];
      to[c] = scale * (from[c] - mean);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t first = r / group * group;
    return {from + r * length,
            from + first * length,
            shares + first,
            scales[r],
            to + r * length,
            length,
            group};
  }
};

// The same along rows: to[r, c] = scales[c]·(from[r, c] − Σ_q shares[q]·from[r, q]) over the
// columns q of c's group.
template <class T>
struct CentreColumns {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from, shares, scales;
  Ref<T> to;
  int64_t length;
  Divider group;

  struct Row {
    const T* from;
    const T* shares;
    const T* scales;
    T* to;
    Divider group;
    AT_PORTABLE void operator()(int64_t c) const {
      const int64_t size = group.divisor(), first = group.quotient(static_cast<uint32_t>(c)) * size;
      T mean = 0;
      for (int64_t q = first; q < first + size; ++q) mean += shares[q] * from[q];
      to[c] = scales[c] * (from[c] - mean);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {from + r * length, shares.get(), scales.get(), to + r * length, group};
  }
};

}  // namespace at::device
