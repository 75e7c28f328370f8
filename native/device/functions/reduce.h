#pragma once

#include "device/pointer.h"

namespace at::device {

// For sum_rows(): out[r] = Σ_e a[r, e]·b[r, e]; with a = b the square of a row's norm.
template <class T>
struct Dots {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> a;
  int64_t a_stride;
  Ref<const T> b;
  int64_t b_stride;
  Ref<double> out;

  struct Row {
    const T* a;
    const T* b;
    double* out;
    AT_PORTABLE double term(int64_t e) const {
      return static_cast<double>(a[e]) * static_cast<double>(b[e]);
    }
    AT_PORTABLE void put(double sum) const { *out = sum; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {a + r * a_stride, b + r * b_stride, out + r}; }
};

// For sum_rows(): out[r] = Σ_e from[r, e].
template <class T>
struct Sums {
  static constexpr int kBytes = sizeof(T);
  Ref<const T> from;
  int64_t stride;
  Ref<double> out;

  struct Row {
    const T* from;
    double* out;
    AT_PORTABLE double term(int64_t e) const { return static_cast<double>(from[e]); }
    AT_PORTABLE void put(double sum) const { *out = sum; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * stride, out + r}; }
};

// For max_rows(): out[r] = max_e |from[r, e]|.
template <class T>
struct Magnitudes {
  static constexpr int kBytes = sizeof(T);
  Ref<const T> from;
  int64_t stride;
  Ref<double> out;

  struct Row {
    const T* from;
    double* out;
    AT_PORTABLE double term(int64_t e) const {
      const auto x = static_cast<double>(from[e]);
      return x < 0 ? -x : x;
    }
    AT_PORTABLE void put(double most) const { *out = most; }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * stride, out + r}; }
};

// For scan_rows(): to[r, e] = Σ_{j ≤ e} from[r, j], in rows of `length`.
template <class T>
struct RunningSums {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t length;

  struct Row {
    const T* from;
    T* to;
    AT_PORTABLE double term(int64_t e) const { return static_cast<double>(from[e]); }
    AT_PORTABLE void put(int64_t e, double sum) const { to[e] = static_cast<T>(sum); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * length, to + r * length}; }
};

}  // namespace at::device
