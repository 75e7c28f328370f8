#include "rules/support/quick.h"

#include <algorithm>
#include <cstdint>

#include "core/parallel.h"
#include "core/wider.h"
#include "rules/support/batch.h"
#include "rules/support/fourier.h"
#include "rules/support/panels.h"
#include "rules/support/tiled_product.h"
#include "rules/support/toom_cook.h"
#include "rules/support/winograd.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// A correlation by tiles: of a stride its adjoint has as many rows for every channel, the phases of
// x, and it itself as many numbers of x for every tap.
struct TileWork {
  int64_t groups, rows, channels, taps;
  int64_t in, out;  // numbers of a plane
  Tiling from, to;
  int phases_in = 1, phases_out = 1;

  int64_t depth() const { return channels * phases_in; }
  // Of the panels of weights, from one plane to the next.
  int64_t weight_plane() const { return groups * rounded(rows) * depth() + kApart; }
};

template <class Tiles>
TileWork work_of(const Correlation& g) {
  const Windows& w = g.windows;
  const int step = static_cast<int>(w.stride[2]);
  return {g.groups,    g.m,          g.channels,     w.kernel_size(),
          w.in_size(), w.out_size(), Tiles::data(g), Tiles::rows(g),
          step};
}

// The adjoint's.
template <class Tiles>
TileWork spread_of(const Correlation& g) {
  const Windows& w = g.windows;
  const int step = static_cast<int>(w.stride[2]);
  return {g.groups,
          g.channels * step,
          g.m,
          Tiles::kTapsOfPhase,
          w.out_size(),
          w.in_size(),
          Tiles::spread_data(g),
          Tiles::spread_rows(g),
          1,
          step};
}

// to (planes, G, panels of rows, channels, phases, lanes) of w (G·rows, channels, taps).
template <class Tiles>
void planes_of_weights(const TileWork& g, const Real* w, Real* to) {
  const int64_t size = g.taps, panels = rounded(g.rows) / kLanes;
  const int64_t work = Tiles::kPlanes * g.depth() * kLanes, plane = g.weight_plane();
  parallel_for(g.groups * panels, grain_for(work), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item)
      wider([&] {
        const int phases = phases_of<Tiles>(g.phases_in);
        const int64_t j0 = item % panels * kLanes, rows = std::min<int64_t>(kLanes, g.rows - j0);
        const Real* own = w + (item / panels * g.rows + j0) * g.channels * size;
        for (int64_t q = 0; q < g.channels; ++q) {
          Lanes numbers[Tiles::kNumbers] = {};
          for (int64_t l = 0; l < rows; ++l)
            for (int64_t s = 0; s < size; ++s) numbers[s][l] = own[(l * g.channels + q) * size + s];
          for (int f = 0; f < phases; ++f)
            Tiles::tap_planes(numbers + f, phases,
                              to + ((item * g.channels + q) * phases + f) * kLanes, plane);
        }
      });
  });
}

// How many tiles a piece has: many enough for products, few enough for the cache, and so that all
// threads have as many.
int64_t tiles_of_piece(int64_t all, int64_t numbers_of_tile) {
  constexpr int64_t kStep = 16, kNumbers = int64_t{1} << 19;
  const int64_t threads = concurrency();
  const int64_t most = std::clamp<int64_t>(kNumbers / numbers_of_tile / kStep * kStep, 32, 144);
  int64_t best = most, least = INT64_MAX;
  for (int64_t own = most; own > most / 2; own -= kStep) {
    const int64_t pieces = (all + own - 1) / own;
    const int64_t time = (pieces + threads - 1) / threads * own;
    if (time >= least) continue;
    least = time;
    best = own;
  }
  return std::min(best, rounded(all));
}

template <class Tiles>
void correlate_tiles(const TileWork& g, const Real* x, int64_t images, const Real* w, Real* out,
                     Real* weights) {
  constexpr int64_t planes = Tiles::kPlanes;
  // So few rows at once, with all phases, that what is made of them stays in the cache.
  const int64_t some = std::max(1, 4 / g.phases_out) * kLanes * g.phases_out;
  const int64_t rows = rounded(g.rows), depth = g.depth(), plane = g.weight_plane();
  planes_of_weights<Tiles>(g, w, weights);
  const int64_t all = images * g.from.per_image();
  const int64_t own = tiles_of_piece(all, planes * depth);
  const int64_t pieces = (all + own - 1) / own;
  parallel_for(g.groups * pieces, 1, [&](int64_t first, int64_t last) {
    Real* data = lane_buffer<0>(planes * (depth * own + kApart));
    Real* made = lane_buffer<1>(planes * (some * own + kApart));
    for (int64_t item = first; item < last; ++item) {
      const int64_t group = item / pieces, t0 = item % pieces * own;
      const int64_t t1 = std::min(all, t0 + own);
      const Strips strips(g.from, t0, t1, g.groups * g.channels * g.in);
      const int64_t n = strips.count();
      const int64_t data_plane = depth * n + kApart, made_plane = some * n + kApart;
      Real* copies = cleared(lane_buffer<2>(strips.size()), strips.size());
      for (int64_t q = 0; q < g.channels; ++q) {
        const auto plane_of = [&](int64_t i) {
          return x + ((i * g.groups + group) * g.channels + q) * g.in;
        };
        strips.copy(plane_of, copies);
        wider([&] {
          const int phases = phases_of<Tiles>(g.phases_in);
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; t += kLanes) {
            const auto side = strips.neighbours(plane_of(0), copies, t);
            side.fetch(g.in);  // for the next channel
            Tiles::take_data(side, phases, numbers);
            for (int f = 0; f < phases; ++f)
              Tiles::data_planes(numbers + f, phases, data + (q * phases + f) * n + t, data_plane);
          }
        });
      }
      for (int64_t j0 = 0; j0 < rows; j0 += some) {
        for (int64_t p = 0; p < planes; ++p) {
          const Real* a = weights + p * plane + (group * rows + j0) * depth;
          const Real* b = data + p * data_plane;
          NextOperands next;
          if (p + 1 < planes) next = {a + plane, b + data_plane};
          multiply_panels(std::min(some, rows - j0), n, depth, a, RightOperand::by_rows(b, n),
                          false, made + p * made_plane, n, next);
        }
        wider([&] {
          const int phases = phases_of<Tiles>(g.phases_out);
          Lanes numbers[Tiles::kNumbers] = {};
          for (int64_t j = j0; j < std::min(g.rows, j0 + some); j += phases) {
            const auto plane_of = [&](int64_t image) {
              return out + ((image * g.groups + group) * g.rows + j) / phases * g.out;
            };
            for (int64_t t = 0; t < n; t += kLanes) {
              for (int f = 0; f < phases; ++f)
                Tiles::outputs(made + (j + f - j0) * n + t, made_plane, numbers + f, phases);
              Tiles::give(numbers, g.to, t0 + t, t1, plane_of);
            }
          }
        });
      }
    }
  });
}

// body(tiles) with the class of tiles that a way takes.
template <class Body>
auto with_tiles(QuickWay way, const Body& body) {
  if (way == QuickWay::kFourier) return body(FourierTiles{});
  if (way == QuickWay::kRows2) return body(RowTiles2{});
  if (way == QuickWay::kRows3) return body(RowTiles3{});
  if (way == QuickWay::kStrided1) return body(StridedTiles1{});
  if (way == QuickWay::kStrided2) return body(StridedTiles2{});
  return body(SquareTiles{});
}

template <class Body>
auto with_strided(QuickWay way, const Body& body) {
  return way == QuickWay::kStrided1 ? body(StridedTiles1{}) : body(StridedTiles2{});
}

// to (G·c, phases, m, taps of a phase backwards) = w (G·m, c, kernel): what numbers of x that are a
// phase get from those of Y.
void turn_phases(const Correlation& g, int64_t taps, const Real* w, Real* to) {
  const int64_t size = g.windows.kernel_size(), step = g.windows.stride[2];
  parallel_for(g.groups * g.channels, grain_for(g.m * size), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const int64_t group = item / g.channels, j = item % g.channels;
      for (int64_t q = 0; q < g.m; ++q) {
        const Real* from = w + ((group * g.m + q) * g.channels + j) * size;
        for (int64_t f = 0; f < step; ++f)
          for (int64_t s = 0; s < taps; ++s) {
            const int64_t k = step * (taps - 1 - s) + f;
            to[((item * step + f) * g.m + q) * taps + s] = k < size ? from[k] : 0;
          }
      }
    }
  });
}

// Where Winograd's tiles are so many at least, and square ones of so many channels on either side.
QuickWay way_of(const Correlation& g, int64_t images, int64_t tiles, int64_t narrowest) {
  // In double everything is as exact as it can be.
  if (sizeof(Real) > sizeof(float) || images == 0) return QuickWay::kNone;
  if (FourierTiles::fits(g) && g.m >= 48 && g.channels >= 48) return QuickWay::kFourier;
  const auto fits = [&](auto kind) {
    using Tiles = decltype(kind);
    return Tiles::fits(g) && images * Tiles::data(g).per_image() >= tiles;
  };
  const int64_t narrower = std::min(g.m, g.channels);
  if (narrower >= narrowest && fits(SquareTiles{})) return QuickWay::kWinograd;
  if (narrower < 32) return QuickWay::kNone;
  if (fits(RowTiles3{})) return QuickWay::kRows3;
  if (fits(RowTiles2{})) return QuickWay::kRows2;
  if (fits(StridedTiles1{})) return QuickWay::kStrided1;
  if (fits(StridedTiles2{})) return QuickWay::kStrided2;
  return toom_cook_pays(g) ? QuickWay::kToomCook : QuickWay::kNone;
}

}  // namespace

QuickWay quick_way(const Correlation& g, int64_t images) { return way_of(g, images, 16, 16); }

// Their numbers are as many as the tiles' there, and are added up.
QuickWay quick_product_way(const Correlation& g, int64_t images) {
  return way_of(g, images, 64, 32);
}

void correlate_quick(QuickWay way, const Correlation& g, const Real* x, int64_t images,
                     const Real* w, Real* out, Real* room) {
  if (way == QuickWay::kToomCook) return correlate_toom_cook(g, x, images, w, out);
  with_tiles(way, [&](auto kind) {
    using Tiles = decltype(kind);
    correlate_tiles<Tiles>(work_of<Tiles>(g), x, images, w, out, room);
  });
}

int64_t quick_room(QuickWay way, const Correlation& g) {
  if (way == QuickWay::kNone || way == QuickWay::kToomCook) return 0;
  return with_tiles(way, [&](auto kind) {
    using Tiles = decltype(kind);
    return Tiles::kPlanes * work_of<Tiles>(g).weight_plane();
  });
}

void spread_quick(QuickWay way, const Correlation& g, const Real* x, int64_t images, const Real* w,
                  Real* out, Real* room) {
  with_strided(way, [&](auto kind) {
    using Tiles = decltype(kind);
    const TileWork work = spread_of<Tiles>(g);
    Real* turned = room + Tiles::kPlanes * work.weight_plane();
    turn_phases(g, work.taps, w, turned);
    correlate_tiles<Tiles>(work, x, images, turned, out, room);
  });
}

int64_t spread_room(QuickWay way, const Correlation& g) {
  return with_strided(way, [&](auto kind) {
    using Tiles = decltype(kind);
    const TileWork work = spread_of<Tiles>(g);
    return Tiles::kPlanes * work.weight_plane() +
           work.groups * work.rows * work.channels * work.taps;
  });
}

void multiply_quick(QuickWay way, const Correlation& g, const StackedProduct& product, Real* room) {
  if (way == QuickWay::kToomCook) return multiply_toom_cook(g, product, room);
  with_tiles(way, [&](auto kind) {
    const auto images = static_cast<int64_t>(product.images.size());
    TiledProduct<decltype(kind)>(g, images, product.stacked, false).run(product, room);
  });
}

bool small_products_pay(const Correlation& g, int64_t images, int64_t count) {
  if (sizeof(Real) > sizeof(float) || !SquareTiles::fits(g)) return false;
  const int64_t tiles = images * SquareTiles::data(g).per_image();
  return count >= 2 * concurrency() && g.m >= 16 && tiles >= 9 && g.channels >= 8 &&
         tiles * g.channels >= 128;
}

void multiply_small(const Correlation& g, int64_t images, int64_t stacked, int64_t count,
                    const std::function<StackedProduct(int64_t)>& product_of) {
  parallel_for(count, 1, [&](int64_t first, int64_t last) {
    const TiledProduct<SquareTiles> product(g, images, stacked, true);
    Real* room = lane_buffer<1>(product.room());
    for (int64_t item = first; item < last; ++item) product.run(product_of(item), room);
  });
}

int64_t quick_product_room(QuickWay way, const Correlation& g, int64_t images, int64_t stacked) {
  if (way == QuickWay::kToomCook) return toom_cook_room(g, stacked);
  return with_tiles(way, [&](auto kind) {
    return TiledProduct<decltype(kind)>(g, images, stacked, false).room();
  });
}

}  // namespace AT_PRECISION
}  // namespace at
