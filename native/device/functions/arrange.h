#pragma once

#include "device/pointer.h"

namespace at::device {

// to (second, first, length) = from (first, second, length).
template <class T>
struct SwapAxes {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t first, second, length;

  struct Row {
    const T* from;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = from[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t a = r / second, b = r % second;
    return {from + r * length, to + (b * first + a) * length};
  }
};

// to[r, e] = from[r, e], rows of each with a stride of their own.
template <class T>
struct CopyRows {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  int64_t from_stride;
  Ref<T> to;
  int64_t to_stride;

  struct Row {
    const T* from;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = from[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * from_stride, to + r * to_stride}; }
};

// The upper triangle of a matrix (n × n) from the lower one.
template <class T>
struct MirrorUp {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<T> a;
  int64_t n;

  struct Row {
    T* a;
    int64_t n, r;
    AT_PORTABLE void operator()(int64_t e) const {
      if (e > r) a[r * n + e] = a[e * n + r];
    }
  };
  AT_PORTABLE Row row(int64_t r) const { return {a.get(), n, r}; }
};

// to (n × n) = the lower triangle of from (n × n), and 0.
template <class T>
struct LowerOnly {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t n;

  struct Row {
    const T* from;
    T* to;
    int64_t r;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = e <= r ? from[e] : T(0); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * n, to + r * n, r}; }
};

// to[e] = from[e], of numbers that came in float.
template <class T>
struct Widen {
  static constexpr int kBytes = 4 + sizeof(T);
  Ref<const float> from;
  Ref<T> to;
  int64_t length;

  struct Row {
    const float* from;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = static_cast<T>(from[e]); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * length, to + r * length}; }
};

// to (rows, length + 1) = from (rows, length) with a 1 at the end of every row.
template <class T>
struct AppendOne {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t length;

  struct Row {
    const T* from;
    T* to;
    int64_t length;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = e < length ? from[e] : T(1); }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {from + r * length, to + r * (length + 1), length};
  }
};

// to[e] = factor·from[e], in rows of `length`.
template <class T>
struct Times {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t length;
  T factor;

  struct Row {
    const T* from;
    T* to;
    T factor;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = factor * from[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * length, to + r * length, factor}; }
};

// to[e] = a[e] + b[e], in rows of `length`.
template <class T>
struct Plus {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> a;
  Ref<const T> b;
  Ref<T> to;
  int64_t length;

  struct Row {
    const T* a;
    const T* b;
    T* to;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = a[e] + b[e]; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {a + r * length, b + r * length, to + r * length}; }
};

// to[r, f] = Σ_o Σ_i from[r, o, f, i] for f < length, o < outer, i < inner.
template <class T>
struct SumAround {
  static constexpr int kBytes = sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t outer, length, inner;

  struct Row {
    const T* from;
    T* to;
    int64_t outer, length, inner;
    AT_PORTABLE void operator()(int64_t f) const {
      double sum = 0;
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < inner; ++i)
          sum += static_cast<double>(from[(o * length + f) * inner + i]);
      to[f] = static_cast<T>(sum);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {from + r * outer * length * inner, to + r * length, outer, length, inner};
  }
};

// to (places, count, length) = from (count, …): element e of place p is `stride`·e after begin[p],
// and a count's numbers are `step` apart. Rows are (place, count).
template <class T>
struct PackRows {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<const int32_t> begin;
  Ref<T> to;
  int64_t count, step, stride, length;

  struct Row {
    const T* from;
    T* to;
    int64_t stride;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = from[e * stride]; }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {from + (r % count * step + begin[r / count]), to + r * length, stride};
  }
};

}  // namespace at::device
