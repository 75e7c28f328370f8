#pragma once

#include <utility>

#include "rules/support/correlation.h"
#include "rules/support/tiles.h"

namespace at {
inline namespace AT_PRECISION {

// Correlations of 3 × 3 kernels with fewer products: 4 × 4 neighbouring outputs take 36 instead of
// 144 (Toom and Cook's interpolation along both axes at 0, ±1, 1/2, −2 and ∞; A. Lavin and S. Gray,
// Fast algorithms for convolutional neural networks, 2016).
namespace winograd {

constexpr int kPoints = 6;
constexpr int kTile = 4, kKernel = 3;
constexpr int kRow = 8;  // numbers of a tile's row in its array

// y[t] = Σ_s w[s]·d[t + s] = Σ_p powers[p][t]·(Σ_s shares[p]·powers[p][s]·w[s])·(Σ_r
// data[p][r]·d[r]), where the last power of ∞ is 1, the others 0; likewise for four w and three y.
struct Transforms {
  double data[kPoints][kPoints] = {}, powers[kPoints][kTile] = {}, shares[kPoints] = {};

  constexpr Transforms() {
    constexpr double points[] = {0, 1, -1, 0.5, -2};
    constexpr int finite = kPoints - 1;
    for (int p = 0; p < kPoints; ++p) {
      // Π (x − x_i) over the other points; of ∞ over all.
      double product[kPoints] = {1};
      double at_point = 1;
      for (int i = 0; i < finite; ++i) {
        if (i == p) continue;
        for (int r = kPoints - 1; r >= 0; --r)
          product[r] = (r > 0 ? product[r - 1] : 0) - points[i] * product[r];
        if (p < finite) at_point *= points[p] - points[i];
      }
      for (int r = 0; r < kPoints; ++r) data[p][r] = product[r];
      shares[p] = 1 / at_point;
      double power = 1;
      for (int t = 0; t < kTile; ++t) {
        powers[p][t] = p < finite ? power : 0;
        if (p < finite) power *= points[p];
      }
    }
  }
};
constexpr Transforms kTransforms;

// Weights of numbers [0, count): of a point's data, of windows and of what comes out.
template <int p>
struct DataWeights {
  static constexpr int kCount = kPoints;
  static constexpr double at(int r) { return kTransforms.data[p][r]; }
};
template <int p, int count>
struct WindowWeights {
  static constexpr int kCount = count;
  static constexpr double at(int s) {
    return p < kPoints - 1 ? kTransforms.powers[p][s] * kTransforms.shares[p] : s == count - 1;
  }
};
template <int t, int count>
struct OutputWeights {
  static constexpr int kCount = kPoints;
  static constexpr double at(int p) {
    return p < kPoints - 1 ? kTransforms.powers[p][t] : t == count - 1;
  }
};

template <class Weights, int r>
AT_PORTABLE void add(const Lanes* x, int step, Lanes& sum) {
  constexpr auto weight = static_cast<Real>(Weights::at(r));
  if constexpr (Weights::at(r) == 1) {
    sum += x[r * step];
  } else if constexpr (Weights::at(r) == -1) {
    sum -= x[r * step];
  } else if constexpr (Weights::at(r) != 0) {
    sum += x[r * step] * weight;
  }
}
template <class Weights, int... r>
AT_PORTABLE Lanes mixed(const Lanes* x, int step, std::integer_sequence<int, r...>) {
  Lanes sum = {};
  (add<Weights, r>(x, step, sum), ...);
  return sum;
}
template <class Weights>
AT_PORTABLE Lanes mixed(const Lanes* x, int step) {
  return mixed<Weights>(x, step, std::make_integer_sequence<int, Weights::kCount>{});
}

// to (points, points) = a tile (count, kRow) mixed along both axes.
template <template <int> class Weights, int count, int... p>
AT_PORTABLE void planes(const Lanes* x, Real* to, int64_t stride,
                        std::integer_sequence<int, p...>) {
  Lanes along[count * kPoints];  // (columns, points)
  for (int c = 0; c < count; ++c) ((along[c * kPoints + p] = mixed<Weights<p>>(x + c, kRow)), ...);
  const auto row = [&](int q) {
    (store(mixed<Weights<p>>(along + q, kPoints), to + (q * kPoints + p) * stride), ...);
  };
  for (int q = 0; q < kPoints; ++q) row(q);
}

// to (count, kRow) of products (points, points).
template <int count, int... t>
AT_PORTABLE void restore(const Real* made, int64_t stride, Lanes* to,
                         std::integer_sequence<int, t...>) {
  Lanes along[kPoints * count];
  for (int p = 0; p < kPoints; ++p) {
    Lanes own[kPoints];
    for (int q = 0; q < kPoints; ++q) own[q] = load(made + (p * kPoints + q) * stride);
    ((along[p * count + t] = mixed<OutputWeights<t, count>>(own, 1)), ...);
  }
  for (int c = 0; c < count; ++c)
    ((to[t * kRow + c] = mixed<OutputWeights<t, count>>(along + c, count)), ...);
}

template <int p>
using TapWeights = WindowWeights<p, kKernel>;
template <int p>
using RowWeights = WindowWeights<p, kTile>;
using AllPoints = std::make_integer_sequence<int, kPoints>;

}  // namespace winograd

// Correlations along two axes as products of tiles (support/quick.cc).
class WinogradTiles {
 public:
  static constexpr int kPlanes = winograd::kPoints * winograd::kPoints;
  static constexpr int kNumbers = winograd::kPoints * winograd::kRow;

  static bool fits(const Correlation& g) {
    const Windows& w = g.windows;
    if (w.kernel[0] != 1 || w.in[0] != 1 || w.out[0] != 1 || w.pad[0] != 0) return false;
    for (int a = 1; a < 3; ++a)
      if (w.kernel[a] != winograd::kKernel || w.stride[a] != 1 || w.dilation[a] != 1 ||
          w.out[a] < winograd::kTile)
        return false;
    return true;
  }

  // Of x, and of what has Y's shape. A tile is read in rows of kRow numbers.
  static Tiling data(const Correlation& g) {
    const Windows& w = g.windows;
    return {w.in[1],         w.in[2],  winograd::kPoints, winograd::kRow,   winograd::kTile,
            winograd::kTile, w.pad[1], w.pad[2],          across(w.out[1]), across(w.out[2])};
  }
  static Tiling rows(const Correlation& g) {
    const Windows& w = g.windows;
    return {w.out[1], w.out[2], winograd::kTile,  winograd::kRow,  winograd::kTile, winograd::kTile,
            0,        0,        across(w.out[1]), across(w.out[2])};
  }

  static AT_PORTABLE void take_data(const Strips& strips, const Real* copies, int64_t first,
                                    Lanes* to) {
    strips.take<winograd::kPoints, winograd::kRow>(copies, first, to);
  }
  static AT_PORTABLE void take_rows(const Strips& strips, const Tiling&, const Real* copies,
                                    int64_t first, Lanes* to) {
    strips.take<winograd::kTile, winograd::kRow>(copies, first, to);
  }
  template <class PlaneOf>
  static AT_PORTABLE void give(Lanes* made, const Tiling& t, int64_t first, int64_t last,
                               const PlaneOf& plane_of) {
    at::give<winograd::kTile, winograd::kRow>(made, t, winograd::kTile, first, last, plane_of);
  }

  static AT_PORTABLE void data_planes(const Lanes* x, Real* to, int64_t stride) {
    winograd::planes<winograd::DataWeights, winograd::kPoints>(x, to, stride,
                                                               winograd::AllPoints{});
  }
  static AT_PORTABLE void row_planes(const Lanes* x, Real* to, int64_t stride) {
    winograd::planes<winograd::RowWeights, winograd::kTile>(x, to, stride, winograd::AllPoints{});
  }
  // Of a kernel's nine numbers.
  static AT_PORTABLE void tap_planes(const Lanes* x, Real* to, int64_t stride) {
    Lanes rows[winograd::kKernel * winograd::kRow] = {};
    for (int s = 0; s < 9; ++s) rows[s / 3 * winograd::kRow + s % 3] = x[s];
    winograd::planes<winograd::TapWeights, winograd::kKernel>(rows, to, stride,
                                                              winograd::AllPoints{});
  }
  static AT_PORTABLE void outputs(const Real* made, int64_t stride, Lanes* to) {
    winograd::restore<winograd::kTile>(made, stride, to,
                                       std::make_integer_sequence<int, winograd::kTile>{});
  }
  static AT_PORTABLE void kernel(const Real* made, int64_t stride, Lanes* to) {
    Lanes rows[winograd::kKernel * winograd::kRow];
    winograd::restore<winograd::kKernel>(made, stride, rows,
                                         std::make_integer_sequence<int, winograd::kKernel>{});
    for (int s = 0; s < 9; ++s) to[s] = rows[s / 3 * winograd::kRow + s % 3];
  }

 private:
  static int64_t across(int64_t numbers) {
    return (numbers + winograd::kTile - 1) / winograd::kTile;
  }
};

}  // namespace AT_PRECISION
}  // namespace at
