#pragma once

#include <algorithm>
#include <cstdint>

#include "core/parallel.h"
#include "core/wider.h"
#include "rules/support/batch.h"
#include "rules/support/panels.h"
#include "rules/support/quick.h"
#include "rules/support/tiles.h"

namespace at {
inline namespace AT_PRECISION {

// A product of weights by tiles of a class (support/winograd.h, support/fourier.h): tiles are what
// is summed over, and what is made of them goes through the inverse transform while it is in the
// cache.
template <class Tiles>
class TiledProduct {
 public:
  // `alone`: with this thread only.
  TiledProduct(const Correlation& g, int64_t images, int64_t stacked, bool alone)
      : g_(g),
        alone_(alone),
        data_(Tiles::data(g)),
        rows_tiling_(Tiles::rows(g)),
        rows_(rounded(g.m)),
        phases_(g.windows.stride[2]),
        columns_(phases_ * rounded(g.channels)),
        all_(images * data_.per_image()),
        most_(std::min<int64_t>(all_, (int64_t{15} << 10) / Tiles::kPlanes)),
        stacked_(stacked),
        left_plane_(rows_ * most_ + kApart),
        right_plane_(most_ * (columns_ + kLanes) + kApart) {
    // Of a piece of work: whole panels of columns with all their phases.
    const int64_t unit = phases_ * kPanelColumns;
    piece_columns_ = std::max<int64_t>(1, 8 * kPanelColumns / unit) * unit;
    piece_rows_ = 4 * kLanes;
    while (!alone && piece_rows_ > kLanes && pieces() < 2 * concurrency()) piece_rows_ /= 2;
  }

  int64_t room() const {
    const int64_t made = kept() > 0 ? stacked_ * pieces() * planes * piece_plane() : 0;
    return planes * (left_plane_ + right_plane_) + made;
  }

  void run(const StackedProduct& product, Real* room) const {
    Real* left = room;                              // (planes, panels of m, tiles, lanes)
    Real* right = left + planes * left_plane_;      // (planes, panels of columns, tiles, …)
    Real* waiting = right + planes * right_plane_;  // (stacked, pieces, planes, piece)
    for (int64_t t0 = 0; t0 < all_; t0 += most_) {
      const int64_t t1 = std::min(all_, t0 + most_);
      data_planes(product, t0, t1, right);
      for (int64_t o = 0; o < product.stacked; ++o) {
        row_planes(product, o, t0, t1, left);
        multiply(left, right, t0, t1, waiting + o * pieces() * planes * piece_plane(),
                 product.to + o * product.to_stride);
      }
    }
  }

 private:
  static constexpr int64_t planes = Tiles::kPlanes;

  template <class Body>
  void shared(int64_t count, int64_t grain, const Body& body) const {
    alone_ ? body(int64_t{0}, count) : parallel_for(count, grain, body);
  }

  int64_t row_pieces() const { return (rows_ + piece_rows_ - 1) / piece_rows_; }
  int64_t pieces() const {
    return row_pieces() * ((columns_ + piece_columns_ - 1) / piece_columns_);
  }
  int64_t piece_plane() const { return piece_rows_ * piece_columns_ + kApart; }
  // Results that wait for further tiles.
  int64_t kept() const { return all_ > most_ ? stacked_ : 0; }

  void row_planes(const StackedProduct& product, int64_t o, int64_t t0, int64_t t1,
                  Real* left) const {
    const Strips strips(rows_tiling_, t0, t1);
    const int64_t n = t1 - t0, size = strips.size(), positions = g_.windows.out_size();
    shared(rows_ / kLanes, grain_for(planes * n * kLanes), [&](int64_t first, int64_t last) {
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

  // The column of a phase of channels from q on, which are whole lanes.
  int64_t column(int64_t q, int64_t phase) const { return q * phases_ + phase * kLanes; }

  void data_planes(const StackedProduct& product, int64_t t0, int64_t t1, Real* right) const {
    constexpr int64_t kTogether = 2 * kLanes;  // channels
    const Strips strips(data_, t0, t1);
    const int64_t n = t1 - t0, size = strips.size(), in = g_.windows.in_size();
    const int64_t bundles = (g_.channels + kTogether - 1) / kTogether;
    shared(bundles, grain_for(planes * n * kTogether), [&](int64_t first, int64_t last) {
      Real* copies = cleared(lane_buffer<2>(kTogether * size), kTogether * size);
      for (int64_t q0 = first * kTogether; q0 < last * kTogether; q0 += kTogether) {
        const int64_t q1 = std::min(g_.channels, q0 + kTogether);
        for (int64_t q = q0; q < q1; ++q)
          strips.copy([&](int64_t i) { return product.images[static_cast<size_t>(i)].x + q * in; },
                      copies + (q - q0) * size);
        wider([&] {
          const int phases = phases_of<Tiles>(phases_);
          Lanes numbers[Tiles::kNumbers];
          for (int64_t t = 0; t < n; ++t)
            for (int64_t q = q0; q < q1; q += kLanes) {
              Tiles::take_data(strips.abreast(copies + (q - q0) * size, size, t), phases, numbers);
              for (int f = 0; f < phases; ++f) {
                const int64_t c = column(q, f), line = c / kPanelColumns * n + t;
                Tiles::data_planes(numbers + f, phases,
                                   right + line * kPanelColumns + c % kPanelColumns, right_plane_);
              }
            }
        });
      }
    });
  }

  void multiply(const Real* left, const Real* right, int64_t t0, int64_t t1, Real* waiting,
                Real* to) const {
    const int64_t n = t1 - t0;
    shared(pieces(), 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t j = item % row_pieces() * piece_rows_;
        const int64_t c = item / row_pieces() * piece_columns_;
        const int64_t rows = std::min(piece_rows_, rows_ - j);
        const int64_t columns = std::min(piece_columns_, columns_ - c);
        Real* made = kept() > 0 ? waiting + item * planes * piece_plane()
                                : lane_buffer<0>(planes * piece_plane());
        for (int64_t p = 0; p < planes; ++p) {
          const Real* a = left + p * left_plane_ + j * n;
          const Real* b = right + p * right_plane_ + c * n;
          NextOperands next;
          if (p + 1 < planes) next = {a + left_plane_, b + right_plane_};
          multiply_panels(rows, columns, n, a, RightOperand::in_panels(b, n), t0 > 0,
                          made + p * piece_plane(), piece_columns_, next);
        }
        if (t1 == all_) kernels(made, j, std::min(g_.m, j + rows), c / phases_, columns, to);
      }
    });
  }

  // to (count, size) of numbers that lie in lanes.
  static AT_PORTABLE void put_kernels(Lanes* numbers, int64_t size, int64_t count, Real* to) {
    int64_t done = 0;
    for (; done + kLanes <= size && count == kLanes; done += kLanes) {
      turn(numbers + done);
      for (int l = 0; l < kLanes; ++l) store(numbers[done + l], to + l * size + done);
    }
    for (int64_t s = done; s < size; ++s)
      for (int64_t l = 0; l < count; ++l) to[l * size + s] = numbers[s][l];
  }

  // The weights' numbers of rows [j0, j1) and of channels from q0 on that so many columns have.
  void kernels(const Real* made, int64_t j0, int64_t j1, int64_t q0, int64_t columns,
               Real* to) const {
    const int64_t size = g_.windows.kernel_size();
    const int64_t q1 = std::min(g_.channels, q0 + columns / phases_);
    wider([&] {
      const int phases = phases_of<Tiles>(phases_);
      for (int64_t j = j0; j < j1; ++j)
        for (int64_t q = q0; q < q1; q += kLanes) {
          Lanes numbers[Tiles::kNumbers] = {};
          const Real* own = made + (j - j0) * piece_columns_ + column(q - q0, 0);
          for (int f = 0; f < phases; ++f)
            Tiles::kernel(own + f * kLanes, piece_plane(), numbers + f, phases);
          Real* kernel = to + (j * g_.channels + q) * size;
          put_kernels(numbers, size, std::min<int64_t>(kLanes, q1 - q), kernel);
        }
    });
  }

  const Correlation& g_;
  const bool alone_;
  const Tiling data_, rows_tiling_;
  const int64_t rows_, phases_, columns_, all_, most_, stacked_;
  const int64_t left_plane_, right_plane_;
  int64_t piece_rows_, piece_columns_;
};

}  // namespace AT_PRECISION
}  // namespace at
