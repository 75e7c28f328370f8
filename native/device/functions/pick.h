#pragma once

#include "device/pointer.h"

namespace at::device {

// to[r, e] = from[index[r], e], in rows of `length`.
template <class T>
struct PickRows {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<const int64_t> index;
  Ref<T> to;
  int64_t length;

  struct Row {
    const T* from;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = from[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + index[r] * length, to + r * length}; }
};

// to[r, e] += Σ_j from[order[j], e] for starts[r] ≤ j < starts[r + 1], in rows of `length`: what is
// scattered is told by where it arrives, so that the order of the sums is fixed.
template <class T>
struct AddPicked {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from;
  Ref<const int64_t> starts, order;
  Ref<T> to;
  int64_t length;

  struct Row {
    const T* from;
    const int64_t* first;
    const int64_t* last;
    T* to;
    int64_t length;
    AT_PORTABLE void operator()(int64_t e) const {
      double sum = 0;
      for (const int64_t* j = first; j < last; ++j)
        sum += static_cast<double>(from[*j * length + e]);
      to[e] += static_cast<T>(sum);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {from.get(), order + starts[r], order + starts[r + 1], to + r * length, length};
  }
};

// out[r, e] = 1 where a[r] = b[e], otherwise 0, in rows of `length`.
template <class T>
struct SameColumn {
  static constexpr int kBytes = sizeof(T);
  Ref<const int64_t> a, b;
  Ref<T> out;
  int64_t length;

  struct Row {
    int64_t a;
    const int64_t* b;
    T* out;
    AT_PORTABLE void operator()(int64_t e) const { out[e] = T(a == b[e] ? 1 : 0); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {a[r], b.get(), out + r * length}; }
};

// to (samples·outputs, count, k): rows [first, first + count) of Σ_t δ_t ⊗ (one at columns_t), δ
// (samples, T, outputs, m), columns (samples, T).
template <class T>
struct SpreadPicked {
  static constexpr int kBytes = sizeof(T);
  Ref<const T> delta;
  Ref<const int64_t> columns;
  Ref<T> to;
  int64_t positions, outputs, m, first, count;
  Divider k;

  struct Row {
    const T* delta;
    const int64_t* columns;
    T* to;
    int64_t positions, step;
    Divider k;
    AT_PORTABLE void operator()(int64_t e) const {
      const auto n = static_cast<uint32_t>(e);
      const auto column = static_cast<int64_t>(k.remainder(n));
      const T* from = delta + k.quotient(n);
      T sum = 0;
      for (int64_t t = 0; t < positions; ++t)
        if (columns[t] == column) sum += from[t * step];
      to[e] = sum;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t sample = r / outputs, output = r % outputs, step = outputs * m;
    return {delta + (sample * positions * step + output * m + first),
            columns + sample * positions,
            to + r * count * k.divisor(),
            positions,
            step,
            k};
  }
};

}  // namespace at::device
