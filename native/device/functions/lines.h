#pragma once

#include "device/functions/exponential.h"
#include "device/functions/flow.h"

// Functions over lines: a value is seen as (outer, length, inner), its lines' elements are `inner`
// apart.
namespace at::device {

// Of every line of probabilities (or of their logarithms) the largest one's place, and the sum of
// all others; −1 where one is no number. Rows are `outer`, elements `inner`.
template <class T>
struct Peaks {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> y;
  Ref<int32_t> at;
  Ref<T> rest;
  int64_t length, inner;
  bool logarithms;

  struct Row {
    const T* y;
    int32_t* at;
    T* rest;
    int64_t length, inner;
    bool logarithms;
    AT_PORTABLE T value(int64_t e) const { return logarithms ? exponential(y[e]) : y[e]; }
    AT_PORTABLE void operator()(int64_t i) const {
      T top = value(i), others = 0;
      int32_t place = 0;
      bool sound = top - top == 0;
      for (int64_t l = 1; l < length; ++l) {
        const T v = value(l * inner + i);
        sound = sound && v - v == 0;
        others += v > top ? top : v;
        if (v > top) {
          top = v;
          place = static_cast<int32_t>(l);
        }
      }
      at[i] = sound ? place : -1;
      rest[i] = others;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t lines = r * inner;
    return {y + lines * length, at + lines, rest + lines, length, inner, logarithms};
  }
};

// What a line's cotangents have in common: of a softmax Σ p·(g of the largest p − g), of its
// logarithm Σ g without the largest's; of a line that is not sound how many are not 0. Rows are
// (count, outer), elements `inner`; for sum_rows(), with one line in each row, those of the line.
template <class T>
struct SoftmaxSums {
  static constexpr int kBytes = sizeof(T);
  Ref<const T> from;
  Ref<const T> y;
  Ref<const int32_t> at;
  Ref<T> to;
  int64_t outer, length, inner;
  bool logarithm;
  double moved = 0;
  double bytes() const { return moved; }

  struct Row {
    const T* from;
    const T* y;
    const int32_t* at;
    T* to;
    int64_t length, inner;
    bool logarithm;
    AT_PORTABLE T value(int64_t i, int64_t l) const {
      const T g = from[l * inner + i];
      if (at[i] < 0) return g == 0 ? T(0) : T(1);
      if (logarithm) return l == at[i] ? T(0) : g;
      return flowing<true>(y[l * inner + i], from[at[i] * inner + i] - g);
    }
    AT_PORTABLE void operator()(int64_t i) const {
      double sum = 0;
      for (int64_t l = 0; l < length; ++l) sum += static_cast<double>(value(i, l));
      to[i] = static_cast<T>(sum);
    }
    AT_PORTABLE double term(int64_t l) const { return static_cast<double>(value(0, l)); }
    AT_PORTABLE void put(double sum) const { *to = static_cast<T>(sum); }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t o = r % outer, slab = length * inner;
    return {from + r * slab, y + o * slab, at + o * inner, to + r * inner,
            length,          inner,        logarithm};
  }
};

// The cotangents of a softmax's, or its logarithm's, input; without probabilities y, and with sums
// over them, the tangent of the logarithm. Rows are (count, outer), elements
// (length, inner).
template <class T>
struct SoftmaxBack {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from;
  Ref<const T> y;
  Ref<const int32_t> at;
  Ref<const T> rest;
  Ref<const T> sums;
  Ref<T> to;
  int64_t outer, length, inner;
  Divider by_inner;
  bool logarithm;

  struct Row {
    const T* from;
    const T* y;
    const int32_t* at;
    const T* rest;
    const T* sums;
    T* to;
    int64_t inner;
    Divider by_inner;
    bool logarithm;
    AT_PORTABLE void operator()(int64_t e) const {
      const auto l = static_cast<int32_t>(by_inner.quotient(static_cast<uint32_t>(e)));
      const int64_t i = e - l * inner, peak = at[i] * inner + i;
      const T s = sums[i];
      if (at[i] < 0) {
        to[e] = s == 0 ? T(0) : T(NAN);
      } else if (!logarithm) {
        const T t = (from[e] - from[peak]) + s;
        to[e] = y ? flowing<true>(y[e], t) : t;
      } else if (l == at[i]) {
        to[e] = flowing<false>(rest[i], from[peak]) - flowing<false>(exponential(y[peak]), s);
      } else {
        to[e] = from[e] - flowing<false>(exponential(y[e]), from[peak] + s);
      }
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t o = r % outer, slab = length * inner;
    const T* own = y.get() ? y + o * slab : nullptr;
    return {from + r * slab, own,   at + o * inner, rest + o * inner, sums + r * inner,
            to + r * slab,   inner, by_inner,       logarithm};
  }
};

// to = (g − mean − unit·along)/√(variance + ε) of lines of `length` numbers that lie together. Rows
// are (count, lines).
template <class T>
struct NormalBack {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from;
  Ref<const T> unit;
  Ref<const T> mean;  // of g, for each row; may be none
  Ref<const T> along;
  Ref<const T> variance;
  Ref<T> to;
  int64_t lines, length;
  T epsilon;

  struct Row {
    const T* from;
    const T* unit;
    T* to;
    T mean, along, slope;
    AT_PORTABLE void operator()(int64_t e) const {
      to[e] = flowing<false>(slope, from[e] - mean - flowing<false>(unit[e], along));
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t l = r % lines;
    return {from + r * length,           unit + l * length, to + r * length,
            mean.get() ? mean[r] : T(0), along[r],          normal_slope(variance[l], epsilon)};
  }
};

// Running sums along lines, from the first or from the last, with or without the element itself.
// Rows are (count, outer), elements `inner`.
template <class T>
struct RunAlong {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t length, inner;
  bool from_last, exclusive;

  struct Row {
    const T* from;
    T* to;
    int64_t length, inner;
    bool from_last, exclusive;
    AT_PORTABLE void operator()(int64_t i) const {
      T sum = 0;
      for (int64_t l = 0; l < length; ++l) {
        const int64_t e = (from_last ? length - 1 - l : l) * inner + i;
        const T own = from[e];
        to[e] = exclusive ? sum : sum + own;
        sum += own;
      }
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t slab = length * inner;
    return {from + r * slab, to + r * slab, length, inner, from_last, exclusive};
  }
};

// to (outer, there, inner) = Σ weight·from (outer, here, inner) over what is listed for each of
// `there`: starts[t] ≤ q < starts[t + 1], from source[q]; weights of 1 unless they are given. Rows
// are (outer, there).
template <class T>
struct SumTaps {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<const int32_t> starts, source;
  Ref<const T> weights;
  Ref<T> to;
  int64_t here, there, inner;

  struct Row {
    const T* from;
    const int32_t* source;
    const T* weights;
    T* to;
    int64_t inner;
    int32_t first, last;
    AT_PORTABLE void operator()(int64_t i) const {
      double sum = 0;
      for (int32_t q = first; q < last; ++q)
        sum += static_cast<double>((weights ? weights[q] : T(1)) * from[source[q] * inner + i]);
      to[i] = static_cast<T>(sum);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t t = r % there;
    return {from + r / there * here * inner,
            source.get(),
            weights.get(),
            to + r * inner,
            inner,
            starts[t],
            starts[t + 1]};
  }
};

}  // namespace at::device
