#pragma once

#include "device/pointer.h"

namespace at::device {

// A sparse map as a device reads it (kernels/sketch_map.h): number e goes to place
// (shifts[e / run] + e % run) mod size with its sign. For every tile of places, `runs` lists those
// that reach it, so that each place is summed by one thread, in the order of its numbers.
template <class T>
struct MapTable {
  static constexpr int64_t kTile = 256;
  Ref<const int32_t> shifts;
  Ref<const int32_t> starts;  // of each tile's list, and the end of the last
  Ref<const int32_t> runs;
  Ref<const T> signs;
  int64_t length, size, run;

  // Σ sign(e)·x(e) over the numbers that go to a place.
  template <class X>
  AT_PORTABLE T sum(int64_t place, const X& x) const {
    T total = 0;
    const int64_t tile = place / kTile;
    for (int32_t at = starts[tile]; at < starts[tile + 1]; ++at) {
      const int64_t r = runs[at];
      int64_t offset = place - shifts[r];
      if (offset < 0) offset += size;
      const int64_t e = r * run + offset;
      if (offset < run && e < length) total += signs[e] * x(e);
    }
    return total;
  }
};

// Rows (sample, cotangent) of sketches that are `step` apart in a sample.
template <class T>
struct SketchRows {
  Ref<T> to;
  int64_t count, sample_step, step;
  AT_PORTABLE T* at(int64_t r) const { return to + (r / count * sample_step + r % count * step); }
};

// to[r, place] += Σ sign·from[r, e].
template <class T>
struct Project {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  SketchRows<T> rows;
  MapTable<T> map;

  struct Row {
    const T* from;
    T* to;
    MapTable<T> map;
    AT_PORTABLE void operator()(int64_t place) const {
      const T* x = from;
      to[place] += map.sum(place, [x](int64_t e) { return x[e]; });
    }
  };
  AT_PORTABLE Row row(int64_t r) const { return {from + r * map.length, rows.at(r), map}; }
};

// The same of outer products that are never formed: number e of row r is
// left[r / left_each, e / inner]·right[r / right_each, e % inner].
template <class T>
struct ProjectProduct {
  static constexpr int kBytes = 4 * sizeof(T);
  Ref<const T> left, right;
  int64_t left_each, right_each, outer, inner;
  Divider by_inner;
  SketchRows<T> rows;
  MapTable<T> map;

  struct Row {
    const T* left;
    const T* right;
    Divider inner;
    T* to;
    MapTable<T> map;
    AT_PORTABLE void operator()(int64_t place) const {
      const T *l = left, *r = right;
      const Divider by = inner;
      to[place] += map.sum(place, [l, r, by](int64_t e) {
        const auto index = static_cast<uint32_t>(e);
        return l[by.quotient(index)] * r[by.remainder(index)];
      });
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {left + r / left_each * outer, right + r / right_each * inner, by_inner, rows.at(r),
            map};
  }
};

// to[r, places[e]] += weight·Σ_t δ[t, rows_of[e]]·h[t, columns[e]] for the numbers that a mask
// keeps, of factors δ (n, T, C, m) and h (n, T, k); without h of numbers δ (n, C, m).
template <class T>
struct MaskProduct {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> delta, h;
  int64_t count, positions, m, k;
  Ref<const int32_t> places, rows_of, columns;
  SketchRows<T> rows;
  T weight;

  struct Row {
    const T* delta;
    const T* h;
    int64_t step, k, positions;
    const int32_t* places;
    const int32_t* rows_of;
    const int32_t* columns;
    T* to;
    T weight;
    AT_PORTABLE void operator()(int64_t e) const {
      T sum = 0;
      for (int64_t t = 0; t < positions; ++t) {
        const T d = delta[t * step + rows_of[e]];
        sum += h ? d * h[t * k + columns[e]] : d;
      }
      to[places[e]] += weight * sum;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t i = r / count, c = r % count;
    return {delta + (i * positions * count + c) * m,
            h.get() ? h + i * positions * k : nullptr,
            count * m,
            k,
            positions,
            places.get(),
            rows_of.get(),
            columns.get(),
            rows.at(r),
            weight};
  }
};

}  // namespace at::device
