#include "rules/support/quick.h"

#include <algorithm>
#include <cstdint>

#include "core/parallel.h"
#include "core/wider.h"
#include "rules/support/batch.h"
#include "rules/support/fourier.h"
#include "rules/support/panels.h"
#include "rules/support/toom_cook.h"
#include "rules/support/winograd.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// Planes of numbers are not whole pages apart, or they would share the same places of a cache.
constexpr int64_t kApart = 2 * kLanes;

// Room for copies, 0 everywhere.
Real* cleared(Real* copies, int64_t size) {
  std::fill(copies, copies + size, Real(0.0));
  return copies;
}

// Of the panels of weights, from one plane to the next.
int64_t weight_plane(const Correlation& g) { return g.groups * rounded(g.m) * g.channels + kApart; }

// to (planes, G, panels of m, channels, lanes) of w (G·m, c, kernel).
template <class Tiles>
void planes_of_weights(const Correlation& g, const Real* w, Real* to) {
  const int64_t size = g.windows.kernel_size(), panels = rounded(g.m) / kLanes;
  const int64_t work = Tiles::kPlanes * g.channels * kLanes, plane = weight_plane(g);
  parallel_for(g.groups * panels, grain_for(work), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item)
      wider([&] {
        const int64_t j0 = item % panels * kLanes, rows = std::min<int64_t>(kLanes, g.m - j0);
        const Real* own = w + (item / panels * g.m + j0) * g.channels * size;
        for (int64_t q = 0; q < g.channels; ++q) {
          Lanes numbers[Tiles::kNumbers] = {};
          for (int64_t l = 0; l < rows; ++l)
            for (int64_t s = 0; s < size; ++s) numbers[s][l] = own[(l * g.channels + q) * size + s];
          Tiles::tap_planes(numbers, to + (item * g.channels + q) * kLanes, plane);
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
void correlate_tiles(const Correlation& g, const Real* x, int64_t images, const Real* w, Real* out,
                     Real* weights) {
  constexpr int64_t planes = Tiles::kPlanes, kRows = 4 * kLanes;
  const int64_t in = g.windows.in_size(), positions = g.windows.out_size();
  const int64_t rows = rounded(g.m);
  planes_of_weights<Tiles>(g, w, weights);
  const Tiling from = Tiles::data(g), to = Tiles::rows(g);
  const int64_t all = images * from.per_image();
  const int64_t own = tiles_of_piece(all, planes * g.channels);
  const int64_t pieces = (all + own - 1) / own;
  parallel_for(g.groups * pieces, 1, [&](int64_t first, int64_t last) {
    Real* data = lane_buffer<0>(planes * (g.channels * own + kApart));
    Real* made = lane_buffer<1>(planes * (kRows * own + kApart));
    for (int64_t item = first; item < last; ++item) {
      const int64_t group = item / pieces, t0 = item % pieces * own;
      const int64_t t1 = std::min(all, t0 + own);
      const Strips strips(from, t0, t1);
      const int64_t n = strips.count();
      const int64_t data_plane = g.channels * n + kApart, made_plane = kRows * n + kApart;
      Real* copies = cleared(lane_buffer<2>(strips.size()), strips.size());
      for (int64_t q = 0; q < g.channels; ++q) {
        strips.copy(
            [&](int64_t image) { return x + ((image * g.groups + group) * g.channels + q) * in; },
            copies);
        wider([&] {
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; t += kLanes) {
            Tiles::take_data(strips.neighbours(copies, t), numbers);
            Tiles::data_planes(numbers, data + q * n + t, data_plane);
          }
        });
      }
      // So few rows that what is made of them stays in the cache.
      for (int64_t j0 = 0; j0 < rows; j0 += kRows) {
        for (int64_t p = 0; p < planes; ++p)
          multiply_panels(std::min(kRows, rows - j0), n, g.channels,
                          weights + p * weight_plane(g) + (group * rows + j0) * g.channels,
                          data + p * data_plane, n, false, made + p * made_plane, n);
        for (int64_t j = j0; j < std::min(g.m, j0 + kRows); ++j)
          wider([&] {
            Lanes numbers[Tiles::kNumbers] = {};
            const auto plane = [&](int64_t image) {
              return out + ((image * g.groups + group) * g.m + j) * positions;
            };
            for (int64_t t = 0; t < n; t += kLanes) {
              Tiles::outputs(made + (j - j0) * n + t, made_plane, numbers);
              Tiles::give(numbers, to, t0 + t, t1, plane);
            }
          });
      }
    }
  });
}

// A product of weights: tiles are what is summed over.
template <class Tiles>
class TiledProduct {
 public:
  TiledProduct(const Correlation& g, int64_t images, int64_t stacked)
      : g_(g),
        data_(Tiles::data(g)),
        rows_tiling_(Tiles::rows(g)),
        rows_(rounded(g.m)),
        wide_(rounded(g.channels)),
        all_(images * data_.per_image()),
        most_(std::min<int64_t>(all_, (int64_t{15} << 10) / Tiles::kPlanes)),
        stacked_(stacked),
        left_plane_(rows_ * most_ + kApart),
        right_plane_(most_ * wide_ + kApart),
        made_plane_(rows_ * wide_ + kApart) {}

  int64_t room() const { return planes * (left_plane_ + right_plane_ + kept() * made_plane_); }

  void run(const StackedProduct& product, Real* room) const {
    Real* left = room;                               // (planes, panels of m, tiles, lanes)
    Real* right = left + planes * left_plane_;       // (planes, tiles, channels)
    Real* all_made = right + planes * right_plane_;  // (planes, m, channels) of all that are kept
    for (int64_t t0 = 0; t0 < all_; t0 += most_) {
      const int64_t t1 = std::min(all_, t0 + most_);
      data_planes(product, t0, t1, right);
      for (int64_t o = 0; o < stacked_; ++o) {
        Real* made = all_made + (kept() > 1 ? o * planes * made_plane_ : 0);
        row_planes(product, o, t0, t1, left);
        multiply(left, right, t1 - t0, t0 > 0, made);
        if (t1 == all_) kernels(made, product.to + o * product.to_stride);
      }
    }
  }

 private:
  static constexpr int64_t planes = Tiles::kPlanes;

  // Results that wait for further tiles.
  int64_t kept() const { return all_ > most_ ? stacked_ : 1; }

  void row_planes(const StackedProduct& product, int64_t o, int64_t t0, int64_t t1,
                  Real* left) const {
    const Strips strips(rows_tiling_, t0, t1);
    const int64_t n = t1 - t0, size = strips.size(), positions = g_.windows.out_size();
    parallel_for(rows_ / kLanes, grain_for(planes * n * kLanes), [&](int64_t first, int64_t last) {
      Real* copies = cleared(lane_buffer<2>(kLanes * size), kLanes * size);
      for (int64_t panel = first; panel < last; ++panel) {
        for (int64_t l = 0; l < std::min<int64_t>(kLanes, g_.m - panel * kLanes); ++l) {
          const int64_t own = o * product.stride + (panel * kLanes + l) * positions;
          strips.copy([&](int64_t i) { return product.images[static_cast<size_t>(i)].rows + own; },
                      copies + l * size);
        }
        wider([&] {
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; ++t) {
            Tiles::take_rows(strips.abreast(copies, size, t), rows_tiling_, numbers);
            Tiles::row_planes(numbers, left + (panel * n + t) * kLanes, left_plane_);
          }
        });
      }
    });
  }

  void data_planes(const StackedProduct& product, int64_t t0, int64_t t1, Real* right) const {
    constexpr int64_t kTogether = 2 * kLanes;  // channels: they fill a line of the cache
    const Strips strips(data_, t0, t1);
    const int64_t n = t1 - t0, size = strips.size(), in = g_.windows.in_size();
    const int64_t bundles = (g_.channels + kTogether - 1) / kTogether;
    parallel_for(bundles, grain_for(planes * n * kTogether), [&](int64_t first, int64_t last) {
      Real* copies = cleared(lane_buffer<2>(kTogether * size), kTogether * size);
      for (int64_t q0 = first * kTogether; q0 < last * kTogether; q0 += kTogether) {
        for (int64_t q = q0; q < std::min(g_.channels, q0 + kTogether); ++q)
          strips.copy([&](int64_t i) { return product.images[static_cast<size_t>(i)].x + q * in; },
                      copies + (q - q0) * size);
        wider([&] {
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; ++t)
            for (int64_t q = q0; q < std::min(wide_, q0 + kTogether); q += kLanes) {
              Tiles::take_data(strips.abreast(copies + (q - q0) * size, size, t), numbers);
              Tiles::data_planes(numbers, right + t * wide_ + q, right_plane_);
            }
        });
      }
    });
  }

  void multiply(const Real* left, const Real* right, int64_t n, bool add, Real* made) const {
    constexpr int64_t kRows = 8 * kLanes;  // of a piece of work
    const int64_t pieces = (rows_ + kRows - 1) / kRows;
    parallel_for(planes * pieces, 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t p = item / pieces, j = item % pieces * kRows;
        multiply_panels(std::min(kRows, rows_ - j), wide_, n, left + p * left_plane_ + j * n,
                        right + p * right_plane_, wide_, add, made + p * made_plane_ + j * wide_,
                        wide_);
      }
    });
  }

  void kernels(const Real* made, Real* to) const {
    const int64_t size = g_.windows.kernel_size(), c = g_.channels;
    parallel_for(g_.m, grain_for(planes * wide_), [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r)
        wider([&] {
          Real* own = to + r * c * size;
          for (int64_t q = 0; q < c; q += kLanes) {
            Lanes numbers[Tiles::kNumbers] = {};
            Tiles::kernel(made + r * wide_ + q, made_plane_, numbers);
            for (int64_t l = 0; l < std::min<int64_t>(kLanes, c - q); ++l)
              for (int64_t s = 0; s < size; ++s) own[(q + l) * size + s] = numbers[s][l];
          }
        });
    });
  }

  const Correlation& g_;
  const Tiling data_, rows_tiling_;
  const int64_t rows_, wide_, all_, most_, stacked_;
  const int64_t left_plane_, right_plane_, made_plane_;
};

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
  return with_tiles(way, [&](auto kind) { return decltype(kind)::kPlanes * weight_plane(g); });
}

void multiply_quick(QuickWay way, const Correlation& g, const StackedProduct& product, Real* room) {
  if (way == QuickWay::kToomCook) return multiply_toom_cook(g, product, room);
  with_tiles(way, [&](auto kind) {
    const auto images = static_cast<int64_t>(product.images.size());
    TiledProduct<decltype(kind)>(g, images, product.stacked).run(product, room);
  });
}

int64_t quick_product_room(QuickWay way, const Correlation& g, int64_t images, int64_t stacked) {
  if (way == QuickWay::kToomCook) return toom_cook_room(g, stacked);
  return with_tiles(
      way, [&](auto kind) { return TiledProduct<decltype(kind)>(g, images, stacked).room(); });
}

}  // namespace AT_PRECISION
}  // namespace at
