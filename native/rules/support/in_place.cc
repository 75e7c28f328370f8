#include "rules/support/in_place.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/wider.h"
#include "rules/support/batch.h"
#include "rules/support/tiles.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

using Wide = Real __attribute__((vector_size(64)));

struct Operands {
  const Real* left;  // rows, `length` apart
  int64_t length, width;
  const std::vector<int64_t>& lines;  // of x, for `width` positions each
  const Real* x;
  const int64_t* taps;
  bool add;
  Real* to;  // rows, `ld` apart
  int64_t ld;
};

AT_PORTABLE Lanes folded(const Lanes& sums) { return sums; }
AT_PORTABLE Lanes folded(const Wide& sums) {
  Real all[2 * kLanes];
  std::memcpy(all, &sums, sizeof sums);
  return load(all) + load(all + kLanes);
}

// Sums of `rows` rows and `taps` taps, which stay in registers.
template <class Register, int rows, int taps>
AT_PORTABLE void block(const Operands& o) {
  constexpr int width = sizeof(Register) / sizeof(Real);
  Register sums[taps * rows];
#pragma GCC unroll 24
  for (Register& sum : sums) sum = Register{};
  const Real* left = o.left;
  for (const int64_t line : o.lines)
    for (int64_t e = 0; e < o.width; e += width, left += width) {
      Register own[rows];
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) std::memcpy(&own[r], left + r * o.length, sizeof own[r]);
#pragma GCC unroll 6
      for (int s = 0; s < taps; ++s) {
        Register right;
        std::memcpy(&right, o.x + line + o.taps[s] + e, sizeof right);
#pragma GCC unroll 4
        for (int r = 0; r < rows; ++r) sums[s * rows + r] += own[r] * right;
      }
    }
  for (int f = 0; f < taps * rows; f += kLanes) {
    Lanes turned[kLanes] = {};
    for (int l = 0; l < std::min(kLanes, taps * rows - f); ++l) turned[l] = folded(sums[f + l]);
    turn(turned);
    Lanes total = turned[0];
    for (int l = 1; l < kLanes; ++l) total += turned[l];
    for (int l = 0; l < std::min(kLanes, taps * rows - f); ++l) {
      Real& to = o.to[(f + l) % rows * o.ld + (f + l) / rows];
      to = total[l] + (o.add ? to : 0);
    }
  }
}

// All taps of `rows` rows.
template <class Register, int most, int rows>
AT_PORTABLE void all_taps(Operands o, int64_t count) {
  const auto go = [&](int64_t taps) {
    o.taps += taps;
    o.to += taps;
    count -= taps;
  };
  if constexpr (most > 3)
    for (; count >= most; go(most)) block<Register, rows, most>(o);
  for (; count >= 3; go(3)) block<Register, rows, 3>(o);
  for (; count > 0; go(1)) block<Register, rows, 1>(o);
}

template <class Register, int most>
AT_PORTABLE void all_rows(Operands o, int64_t count, int64_t taps) {
  const auto go = [&](int64_t rows) {
    o.left += rows * o.length;
    o.to += rows * o.ld;
    count -= rows;
  };
  for (; count >= 4; go(4)) all_taps<Register, most, 4>(o, taps);
  for (; count > 0; go(1)) all_taps<Register, most, 1>(o, taps);
}

}  // namespace

bool InPlaceProduct::pays(const Correlation& g, int64_t count) {
  // With fewer positions sums over lanes take too long, with more columns BLAS is as fast.
  constexpr int64_t kPositions = 1000;
  const int64_t columns = has_widest() ? 400 : 40;
  const Windows& w = g.windows;
  return has_wider() && count >= 2 * concurrency() && w.stride[2] == 1 &&
         w.out[2] % (2 * kLanes) == 0 && w.out_size() >= kPositions && g.k() <= columns;
}

InPlaceProduct::InPlaceProduct(const Correlation& g) : g_(g) {
  const Windows& w = g.windows;
  for (int a = 0; a < 3; ++a)
    size_[a] = (w.out[a] - 1) * w.stride[a] + (w.kernel[a] - 1) * w.dilation[a] + 1;
  plane_ = size_[0] * size_[1] * size_[2];
  for (int64_t z = 0; z < w.out[0]; ++z)
    for (int64_t y = 0; y < w.out[1]; ++y)
      lines_.push_back((z * w.stride[0] * size_[1] + y * w.stride[1]) * size_[2]);
  for (int64_t q = 0; q < g.channels; ++q)
    for (int64_t kz = 0; kz < w.kernel[0]; ++kz)
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky)
        for (int64_t kx = 0; kx < w.kernel[2]; ++kx)
          taps_.push_back(q * plane_ +
                          (kz * w.dilation[0] * size_[1] + ky * w.dilation[1]) * size_[2] +
                          kx * w.dilation[2]);
}

void InPlaceProduct::pad(const Real* x, Real* to) const {
  const Windows& w = g_.windows;
  const int64_t x0 = std::max<int64_t>(0, -w.pad[2]), before = std::max<int64_t>(0, w.pad[2]);
  const int64_t count = std::min(w.in[2] - x0, size_[2] - before);
  std::fill(to, to + g_.channels * plane_, Real(0.0));
  for (int64_t q = 0; q < g_.channels; ++q)
    for (int64_t z = 0; z < size_[0]; ++z)
      for (int64_t y = 0; y < size_[1]; ++y) {
        const int64_t iz = z - w.pad[0], iy = y - w.pad[1];
        if (iz < 0 || iz >= w.in[0] || iy < 0 || iy >= w.in[1] || count <= 0) continue;
        copy_row(x + ((q * w.in[0] + iz) * w.in[1] + iy) * w.in[2] + x0, count,
                 to + q * plane_ + (z * size_[1] + y) * size_[2] + before);
      }
}

void InPlaceProduct::run(const StackedProduct& product) const {
  const int64_t positions = g_.windows.out_size(), width = g_.windows.out[2], k = g_.k();
  Real* padded = lane_buffer<0>(g_.channels * plane_);
  bool add = false;
  for (const PatchProduct::Image& image : product.images) {
    pad(image.x, padded);
    for (int64_t o = 0; o < product.stacked; ++o) {
      const Operands own{
          image.rows + o * product.stride,    positions, width, lines_, padded, taps_.data(), add,
          product.to + o * product.to_stride, k};
      // 24 of 32 registers hold sums, 12 of 16 below.
      if (widest([&] { all_rows<Wide, 6>(own, g_.m, k); })) continue;
      wider([&] { all_rows<Lanes, 3>(own, g_.m, k); });
    }
    add = true;
  }
}

}  // namespace AT_PRECISION
}  // namespace at
