#include "rules/support/quick.h"

#include <algorithm>
#include <vector>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/wider.h"
#include "rules/support/batch.h"
#include "rules/support/fourier.h"
#include "rules/support/toom_cook.h"
#include "rules/support/winograd.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

int64_t rounded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Room for copies, 0 everywhere.
Real* cleared(Real* copies, int64_t size) {
  std::fill(copies, copies + size, Real(0.0));
  return copies;
}

// to (planes, G·m, channels rounded) of w (G·m, c, kernel).
template <class Tiles>
void planes_of_weights(const Correlation& g, const Real* w, Real* to) {
  const int64_t size = g.windows.kernel_size(), rows = g.groups * g.m, wide = rounded(g.channels);
  parallel_for(rows, grain_for(Tiles::kPlanes * wide), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item)
      wider([&] {
        const Real* own = w + item * g.channels * size;
        for (int64_t q = 0; q < g.channels; q += kLanes) {
          Lanes numbers[Tiles::kNumbers] = {};
          const int64_t end = std::min<int64_t>(kLanes, g.channels - q);
          for (int64_t s = 0; s < size; ++s)
            for (int64_t l = 0; l < end; ++l) numbers[s][l] = own[(q + l) * size + s];
          Tiles::tap_planes(numbers, to + item * wide + q, rows * wide);
        }
      });
  });
}

template <class Tiles>
void correlate_tiles(const Correlation& g, const Real* x, int64_t images, const Real* w, Real* out,
                     Real* weights) {
  constexpr int64_t planes = Tiles::kPlanes;
  const int64_t in = g.windows.in_size(), positions = g.windows.out_size();
  const int64_t rows = g.groups * g.m, wide = rounded(g.channels);
  planes_of_weights<Tiles>(g, w, weights);
  const Tiling from = Tiles::data(g), to = Tiles::rows(g);
  const int64_t all = images * from.per_image();
  // So many tiles of a piece that products are wide enough and stay in the cache.
  const int64_t fitting = rounded((int64_t{1} << 21) / (planes * (g.channels + g.m)));
  const int64_t most = std::clamp<int64_t>(fitting, 32, 128);
  const int64_t share = (all + concurrency() - 1) / concurrency();  // of a thread
  const int64_t own = rounded(std::min(most, (share + 1) / std::max<int64_t>(1, share / most)));
  const int64_t pieces = (all + own - 1) / own;
  parallel_for(g.groups * pieces, 1, [&](int64_t first, int64_t last) {
    Real* data = lane_buffer<0>(planes * g.channels * own);
    Real* made = lane_buffer<1>(planes * g.m * own);
    for (int64_t item = first; item < last; ++item) {
      const int64_t group = item / pieces, t0 = item % pieces * own;
      const int64_t t1 = std::min(all, t0 + own);
      const Strips strips(from, t0, t1);
      const int64_t n = strips.count();
      Real* copies = cleared(lane_buffer<2>(strips.size()), strips.size());
      for (int64_t q = 0; q < g.channels; ++q) {
        strips.copy(
            [&](int64_t image) { return x + ((image * g.groups + group) * g.channels + q) * in; },
            copies);
        wider([&] {
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; t += kLanes) {
            Tiles::take_data(strips, copies, t, numbers);
            Tiles::data_planes(numbers, data + q * n + t, g.channels * n);
          }
        });
      }
      for (int64_t p = 0; p < planes; ++p)
        blas::gemm(false, false, g.m, n, g.channels, 1, weights + (p * rows + group * g.m) * wide,
                   wide, data + p * g.channels * n, n, 0, made + p * g.m * n, n);
      for (int64_t j = 0; j < g.m; ++j)
        wider([&] {
          Lanes numbers[Tiles::kNumbers] = {};
          const auto plane = [&](int64_t image) {
            return out + ((image * g.groups + group) * g.m + j) * positions;
          };
          for (int64_t t = 0; t < n; t += kLanes) {
            Tiles::outputs(made + j * n + t, g.m * n, numbers);
            Tiles::give(numbers, to, t0 + t, t1, plane);
          }
        });
    }
  });
}

// Tiles that a product of weights takes at once.
template <class Tiles>
int64_t together(int64_t all) {
  return rounded(std::min<int64_t>(all, (int64_t{15} << 10) / Tiles::kPlanes));
}

template <class Tiles>
void multiply_tiles(const Correlation& g, const StackedProduct& product, Real* room) {
  constexpr int64_t planes = Tiles::kPlanes;
  const int64_t size = g.windows.kernel_size(), c = g.channels, wide = rounded(c);
  const int64_t in = g.windows.in_size(), positions = g.windows.out_size();
  const int64_t rows = product.stacked * g.m;
  const Tiling left_tiles = Tiles::rows(g), right_tiles = Tiles::data(g);
  const int64_t all = static_cast<int64_t>(product.images.size()) * left_tiles.per_image();
  const int64_t most = together<Tiles>(all);
  Real* left = room;                          // (planes, rows, n)
  Real* right = left + planes * rows * most;  // (planes, c, n)
  Real* made = right + planes * c * most;     // (planes, rows, wide)
  const auto image = [&](int64_t i) { return product.images[static_cast<size_t>(i)]; };
  for (int64_t t0 = 0; t0 < all; t0 += most) {
    const Strips of_rows(left_tiles, t0, std::min(all, t0 + most));
    const Strips of_x(right_tiles, t0, std::min(all, t0 + most));
    const int64_t n = of_x.count();
    parallel_for(rows, grain_for(planes * n), [&](int64_t first, int64_t last) {
      Real* copies = cleared(lane_buffer<2>(of_rows.size()), of_rows.size());
      for (int64_t r = first; r < last; ++r) {
        const int64_t own = r / g.m * product.stride + r % g.m * positions;
        of_rows.copy([&](int64_t i) { return image(i).rows + own; }, copies);
        wider([&] {
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; t += kLanes) {
            Tiles::take_rows(of_rows, left_tiles, copies, t, numbers);
            Tiles::row_planes(numbers, left + r * n + t, rows * n);
          }
        });
      }
    });
    parallel_for(c, grain_for(planes * n), [&](int64_t first, int64_t last) {
      Real* copies = cleared(lane_buffer<2>(of_x.size()), of_x.size());
      for (int64_t q = first; q < last; ++q) {
        of_x.copy([&](int64_t i) { return image(i).x + q * in; }, copies);
        wider([&] {
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; t += kLanes) {
            Tiles::take_data(of_x, copies, t, numbers);
            Tiles::data_planes(numbers, right + q * n + t, c * n);
          }
        });
      }
    });
    parallel_for(planes, 1, [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p)
        blas::gemm(false, true, rows, c, n, 1, left + p * rows * n, n, right + p * c * n, n,
                   t0 ? Real(1) : Real(0), made + p * rows * wide, wide);
    });
  }
  parallel_for(rows, grain_for(planes * wide), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      wider([&] {
        Real* to = product.to + r / g.m * product.to_stride + r % g.m * c * size;
        for (int64_t q = 0; q < c; q += kLanes) {
          Lanes numbers[Tiles::kNumbers] = {};
          Tiles::kernel(made + r * wide + q, rows * wide, numbers);
          for (int64_t l = 0; l < std::min<int64_t>(kLanes, c - q); ++l)
            for (int64_t s = 0; s < size; ++s) to[(q + l) * size + s] = numbers[s][l];
        }
      });
  });
}

template <class Tiles>
int64_t product_room(const Correlation& g, int64_t images, int64_t stacked) {
  const int64_t rows = stacked * g.m, n = together<Tiles>(images * Tiles::data(g).per_image());
  return Tiles::kPlanes * ((rows + g.channels) * n + rows * rounded(g.channels));
}

// body(tiles) with the class of tiles that a way takes.
template <class Body>
auto with_tiles(QuickWay way, const Body& body) {
  if (way == QuickWay::kFourier) return body(FourierTiles{});
  if (way == QuickWay::kRows2) return body(RowTiles2{});
  if (way == QuickWay::kRows3) return body(RowTiles3{});
  return body(SquareTiles{});
}

// Where Winograd's tiles are so many at least.
QuickWay way_of(const Correlation& g, int64_t images, int64_t tiles) {
  // In double everything is as exact as it can be.
  if (sizeof(Real) > sizeof(float) || images == 0) return QuickWay::kNone;
  if (FourierTiles::fits(g) && g.m >= 48 && g.channels >= 48) return QuickWay::kFourier;
  if (g.m < 32 || g.channels < 32) return QuickWay::kNone;
  const auto fits = [&](auto kind) {
    using Tiles = decltype(kind);
    return Tiles::fits(g) && images * Tiles::data(g).per_image() >= tiles;
  };
  if (fits(SquareTiles{})) return QuickWay::kWinograd;
  if (fits(RowTiles3{})) return QuickWay::kRows3;
  if (fits(RowTiles2{})) return QuickWay::kRows2;
  return toom_cook_pays(g) ? QuickWay::kToomCook : QuickWay::kNone;
}

}  // namespace

QuickWay quick_way(const Correlation& g, int64_t images) { return way_of(g, images, 16); }

// Their numbers are as many as the tiles' there, and are added up.
QuickWay quick_product_way(const Correlation& g, int64_t images) { return way_of(g, images, 64); }

void correlate_quick(QuickWay way, const Correlation& g, const Real* x, int64_t images,
                     const Real* w, Real* out, Real* room) {
  if (way == QuickWay::kToomCook) return correlate_toom_cook(g, x, images, w, out);
  with_tiles(way, [&](auto kind) { correlate_tiles<decltype(kind)>(g, x, images, w, out, room); });
}

int64_t quick_room(QuickWay way, const Correlation& g) {
  if (way == QuickWay::kNone || way == QuickWay::kToomCook) return 0;
  return with_tiles(way, [&](auto kind) {
    return decltype(kind)::kPlanes * g.groups * g.m * rounded(g.channels);
  });
}

void multiply_quick(QuickWay way, const Correlation& g, const StackedProduct& product, Real* room) {
  if (way == QuickWay::kToomCook) return multiply_toom_cook(g, product, room);
  with_tiles(way, [&](auto kind) { multiply_tiles<decltype(kind)>(g, product, room); });
}

int64_t quick_product_room(QuickWay way, const Correlation& g, int64_t images, int64_t stacked) {
  if (way == QuickWay::kToomCook) return toom_cook_room(g, stacked);
  return with_tiles(way,
                    [&](auto kind) { return product_room<decltype(kind)>(g, images, stacked); });
}

}  // namespace AT_PRECISION
}  // namespace at
