#pragma once

#include <utility>

#include "rules/support/correlation.h"
#include "rules/support/lanes.h"
#include "rules/support/tiles.h"

namespace at {
inline namespace AT_PRECISION {

// Correlations of few taps along an axis with fewer products: 4 neighbouring outputs of 3 taps take
// 6 instead of 12, 4 × 4 of 3 × 3 taps 36 instead of 144 (Toom and Cook's interpolation at 0, ±1,
// 1/2, −2 and ∞, or at the first of them; A. Lavin and S. Gray, Fast algorithms for convolutional
// neural networks, 2016).
namespace winograd {

constexpr int kRow = 8;  // numbers of a tile's row in its array

// What is interpolated along one axis; a single tap of a single output stays as it is.
template <int taps, int outputs>
struct Axis {
  static constexpr int kTaps = taps, kTile = outputs, kPoints = taps + outputs - 1;
};
using Plain = Axis<1, 1>;

// y[t] = Σ_s w[s]·d[t + s] = Σ_p powers[p][t]·(Σ_s shares[p]·powers[p][s]·w[s])·(Σ_r
// data[p][r]·d[r]), where the last power of ∞ is 1, the others 0; likewise for as many w as there
// are y, and the other way round.
template <int count>
struct Transforms {
  double data[count][count] = {}, powers[count][count] = {}, shares[count] = {};

  constexpr Transforms() {
    constexpr double points[] = {0, 1, -1, 0.5, -2};
    constexpr int finite = count - 1;
    static_assert(finite <= 5 && count <= kRow);
    for (int p = 0; p < count; ++p) {
      // Π (x − x_i) over the other points; of ∞ over all.
      double product[count] = {1};
      double at_point = 1;
      for (int i = 0; i < finite; ++i) {
        if (i == p) continue;
        for (int r = count - 1; r >= 0; --r)
          product[r] = (r > 0 ? product[r - 1] : 0) - points[i] * product[r];
        if (p < finite) at_point *= points[p] - points[i];
      }
      for (int r = 0; r < count; ++r) data[p][r] = product[r];
      shares[p] = 1 / at_point;
      double power = 1;
      for (int t = 0; t < count; ++t) {
        powers[p][t] = p < finite ? power : 0;
        if (p < finite) power *= points[p];
      }
    }
  }
};
template <int count>
constexpr Transforms<count> kTransforms{};

// Weights of numbers [0, kCount): of a point's data, of windows and of what comes out.
template <class Axis, int p>
struct DataWeights {
  static constexpr int kCount = Axis::kPoints;
  static constexpr double at(int r) { return kTransforms<kCount>.data[p][r]; }
};
template <class Axis, int p, int count>
struct WindowWeights {
  static constexpr int kCount = count;
  static constexpr double at(int s) {
    constexpr const auto& own = kTransforms<Axis::kPoints>;
    return p < Axis::kPoints - 1 ? own.powers[p][s] * own.shares[p] : s == count - 1;
  }
};
// A single tap needs no interpolation.
template <int outputs, int p>
struct DataWeights<Axis<1, outputs>, p> {
  static constexpr int kCount = outputs;
  static constexpr double at(int r) { return r == p; }
};
template <int outputs, int p, int count>
struct WindowWeights<Axis<1, outputs>, p, count> {
  static constexpr int kCount = count;
  static constexpr double at(int s) { return count == 1 || s == p; }
};
template <class Axis, int p>
using TapWeights = WindowWeights<Axis, p, Axis::kTaps>;
template <class Axis, int p>
using RowWeights = WindowWeights<Axis, p, Axis::kTile>;
template <class Axis, int t, int count>
struct OutputWeights {
  static constexpr int kCount = Axis::kPoints;
  static constexpr double at(int p) {
    return p < kCount - 1 ? kTransforms<kCount>.powers[p][t] : t == count - 1;
  }
};

template <int outputs, int t, int count>
struct OutputWeights<Axis<1, outputs>, t, count> {
  static constexpr int kCount = outputs;
  static constexpr double at(int p) { return count == 1 || p == t; }
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

// to (points of Y, of X) = a tile of rows with `columns` numbers, each `step` from the one before
// it, mixed along both axes.
template <template <class, int> class Weights, class Y, class X, int columns, int... y, int... x>
AT_PORTABLE void planes(const Lanes* from, int step, Real* to, int64_t stride,
                        std::integer_sequence<int, y...>, std::integer_sequence<int, x...>) {
  Lanes along[columns * Y::kPoints];  // (columns, points of Y)
  for (int c = 0; c < columns; ++c)
    ((along[c * Y::kPoints + y] = mixed<Weights<Y, y>>(from + c * step, kRow)), ...);
  const auto row = [&](int q) {
    (store(mixed<Weights<X, x>>(along + q, Y::kPoints), to + (q * X::kPoints + x) * stride), ...);
  };
  for (int q = 0; q < Y::kPoints; ++q) row(q);
}

// to (as many as y, kRow) of products (points of Y, of X), of a row numbers that are `step` apart.
template <class Y, class X, int... y, int... x>
AT_PORTABLE void restore(const Real* made, int64_t stride, Lanes* to, int step,
                         std::integer_sequence<int, y...>, std::integer_sequence<int, x...>) {
  constexpr int rows = sizeof...(y), columns = sizeof...(x);
  Lanes along[Y::kPoints * columns];
  for (int p = 0; p < Y::kPoints; ++p) {
    Lanes own[X::kPoints];
    for (int q = 0; q < X::kPoints; ++q) own[q] = load(made + (p * X::kPoints + q) * stride);
    ((along[p * columns + x] = mixed<OutputWeights<X, x, columns>>(own, 1)), ...);
  }
  for (int c = 0; c < columns; ++c)
    ((to[y * kRow + c * step] = mixed<OutputWeights<Y, y, rows>>(along + c, columns)), ...);
}

template <int count>
using UpTo = std::make_integer_sequence<int, count>;

}  // namespace winograd

// Correlations along the last two axes as products of tiles (support/quick.cc).
template <class Y, class X>
class WinogradTiles {
 public:
  static constexpr int kPlanes = Y::kPoints * X::kPoints;
  static constexpr int kNumbers = Y::kPoints * winograd::kRow;
  static constexpr bool kStrided = false;

  static bool fits(const Correlation& g) {
    const Windows& w = g.windows;
    return is_plane(w) && fits<Y>(w, 1) && fits<X>(w, 2);
  }

  // Of x, and of what has Y's shape. A tile is read in rows of kRow numbers.
  static Tiling data(const Correlation& g) {
    const Windows& w = g.windows;
    return {w.in[1],  w.in[2],  Y::kPoints, winograd::kRow,      Y::kTile,
            X::kTile, w.pad[1], w.pad[2],   across<Y>(w.out[1]), across<X>(w.out[2])};
  }
  static Tiling rows(const Correlation& g) {
    const Windows& w = g.windows;
    return {w.out[1], w.out[2], Y::kTile, winograd::kRow,      Y::kTile,
            X::kTile, 0,        0,        across<Y>(w.out[1]), across<X>(w.out[2])};
  }

  template <class Source>
  static AT_PORTABLE void take_data(const Source& source, int, Lanes* to) {
    take<Y::kPoints>(source, winograd::kRow, winograd::kRow, to);
  }
  template <class Source>
  static AT_PORTABLE void take_rows(const Source& source, const Tiling&, Lanes* to) {
    take<Y::kTile>(source, winograd::kRow, winograd::kRow, to);
  }
  template <class PlaneOf>
  static AT_PORTABLE void give(Lanes* made, const Tiling& t, int64_t first, int64_t last,
                               const PlaneOf& plane_of) {
    at::give<Y::kTile, winograd::kRow>(made, t, t.along, first, last, plane_of);
  }

  // Of numbers that are `step` apart in their row.
  static AT_PORTABLE void data_planes(const Lanes* x, int step, Real* to, int64_t stride) {
    winograd::planes<winograd::DataWeights, Y, X, X::kPoints>(x, step, to, stride, PointsY{},
                                                              PointsX{});
  }
  static AT_PORTABLE void row_planes(const Lanes* x, Real* to, int64_t stride) {
    winograd::planes<winograd::RowWeights, Y, X, X::kTile>(x, 1, to, stride, PointsY{}, PointsX{});
  }
  // Of a kernel's numbers.
  static AT_PORTABLE void tap_planes(const Lanes* x, int step, Real* to, int64_t stride) {
    Lanes rows[Y::kTaps * winograd::kRow] = {};
    for (int s = 0; s < kTaps; ++s) rows[place(s)] = x[s * step];
    winograd::planes<winograd::TapWeights, Y, X, X::kTaps>(rows, 1, to, stride, PointsY{},
                                                           PointsX{});
  }
  static AT_PORTABLE void outputs(const Real* made, int64_t stride, Lanes* to, int step) {
    winograd::restore<Y, X>(made, stride, to, step, winograd::UpTo<Y::kTile>{},
                            winograd::UpTo<X::kTile>{});
  }
  static AT_PORTABLE void kernel(const Real* made, int64_t stride, Lanes* to, int step) {
    Lanes rows[Y::kTaps * winograd::kRow];
    winograd::restore<Y, X>(made, stride, rows, 1, winograd::UpTo<Y::kTaps>{},
                            winograd::UpTo<X::kTaps>{});
    for (int s = 0; s < kTaps; ++s) to[s * step] = rows[place(s)];
  }

 protected:
  using PointsY = winograd::UpTo<Y::kPoints>;
  using PointsX = winograd::UpTo<X::kPoints>;
  static constexpr int kTaps = Y::kTaps * X::kTaps;

  static constexpr int place(int s) { return s / X::kTaps * winograd::kRow + s % X::kTaps; }
  static bool is_plane(const Windows& w) {
    return w.kernel[0] == 1 && w.in[0] == 1 && w.out[0] == 1 && w.pad[0] == 0;
  }
  template <class Axis>
  static bool fits(const Windows& w, int a) {
    return w.kernel[a] == Axis::kTaps && w.stride[a] == 1 && w.dilation[a] == 1 &&
           w.out[a] >= Axis::kTile;
  }
  template <class Axis>
  static int64_t across(int64_t numbers) {
    return (numbers + Axis::kTile - 1) / Axis::kTile;
  }
};

// Of a correlation that strides along the last axis: as many phases as the stride are correlations
// of every stride-th number with every stride-th tap, of which there are so many as X has.
template <class X>
class StridedTiles : public WinogradTiles<winograd::Plain, X> {
  using Base = WinogradTiles<winograd::Plain, X>;
  static constexpr int kMost = 8;  // phases

 public:
  static constexpr int kNumbers = kMost * winograd::kRow;
  static constexpr bool kStrided = true;
  static constexpr int kTapsOfPhase = X::kTaps;

  static bool fits(const Correlation& g) {
    const Windows& w = g.windows;
    const int64_t step = w.stride[2], taps = w.kernel[2];
    return Base::is_plane(w) && Base::template fits<winograd::Plain>(w, 1) && step > 1 &&
           step <= kMost && w.dilation[2] == 1 && taps >= step &&
           (taps + step - 1) / step == X::kTaps && w.out[2] >= X::kTile;
  }

  static Tiling data(const Correlation& g) {
    const Windows& w = g.windows;
    Tiling tiling = Base::data(g);
    tiling.columns = rounded(w.stride[2] * X::kPoints);
    tiling.along = w.stride[2] * X::kTile;
    return tiling;
  }
  // Of the adjoint: of what has Y's shape, and of x, a tile of which is as long as all phases are.
  static Tiling spread_data(const Correlation& g) {
    Tiling tiling = Base::rows(g);
    tiling.before_x = X::kTaps - 1;
    tiling.tiles_along = tiles_of_x(g.windows);
    return tiling;
  }
  static Tiling spread_rows(const Correlation& g) {
    Tiling tiling = data(g);
    tiling.tiles_along = tiles_of_x(g.windows);
    return tiling;
  }

  template <class Source>
  static AT_PORTABLE void take_data(const Source& source, int step, Lanes* to) {
    take<1>(source, kNumbers, step == 1 ? winograd::kRow : rounded(step * X::kPoints), to);
  }
  template <class PlaneOf>
  static AT_PORTABLE void give(Lanes* made, const Tiling& t, int64_t first, int64_t last,
                               const PlaneOf& plane_of) {
    at::give<1, kNumbers>(made, t, t.along, first, last, plane_of);
  }

 private:
  static int64_t tiles_of_x(const Windows& w) {
    return Base::template across<X>((w.in[2] - 1 + w.pad[2]) / w.stride[2] + 1);
  }
};

// By taps.
using SquareTiles = WinogradTiles<winograd::Axis<3, 4>, winograd::Axis<3, 4>>;
using RowTiles2 = WinogradTiles<winograd::Plain, winograd::Axis<2, 4>>;
using RowTiles3 = WinogradTiles<winograd::Plain, winograd::Axis<3, 4>>;
using StridedTiles1 = StridedTiles<winograd::Axis<1, 8>>;
using StridedTiles2 = StridedTiles<winograd::Axis<2, 4>>;

}  // namespace AT_PRECISION
}  // namespace at
