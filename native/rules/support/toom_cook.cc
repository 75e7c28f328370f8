#include "rules/support/toom_cook.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/blas.h"
#include "core/parallel.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

constexpr int kTaps = 4;  // of a block, and outputs of a tile
constexpr int kPoints = 2 * kTaps - 1;
constexpr int64_t kTogether = 2048;  // tiles of a weight's product

// y[t] = Σ_s w[s]·d[t + s] = Σ_p outputs[p][t]·(Σ_s taps[p][s]·w[s])·(Σ_r data[p][r]·d[r]).
struct Transforms {
  std::array<std::array<Real, kTaps>, kPoints> outputs{}, taps{};
  std::array<std::array<Real, kPoints>, kPoints> data{};

  Transforms() {
    constexpr double points[] = {0, 1, -1, 0.5, -0.5, -2};
    constexpr int finite = kPoints - 1;
    for (int p = 0; p < kPoints; ++p) {
      // Π (x − x_i) over the other points; of ∞ over all.
      std::array<double, kPoints> product{1};
      double at_point = 1;
      for (int i = 0; i < finite; ++i) {
        if (i == p) continue;
        for (int r = kPoints - 1; r >= 0; --r)
          product[r] = (r > 0 ? product[r - 1] : 0) - points[i] * product[r];
        if (p < finite) at_point *= points[p] - points[i];
      }
      for (int r = 0; r < kPoints; ++r) data[p][r] = static_cast<Real>(product[r]);
      double power = 1;
      for (int t = 0; t < kTaps; ++t) {
        const double value = p < finite ? power : t == kTaps - 1 ? 1 : 0;
        outputs[p][t] = static_cast<Real>(value);
        taps[p][t] = static_cast<Real>(value / at_point);
        if (p < finite) power *= points[p];
      }
    }
  }
};

const Transforms& transforms() {
  static const Transforms instance;
  return instance;
}

int64_t blocks_of(const Correlation& g) { return (g.windows.kernel[2] + kTaps - 1) / kTaps; }

int64_t tiles_of(const Correlation& g) { return (g.windows.out[2] + kTaps - 1) / kTaps; }

// to[r·n + j] = x[first + 4j + r], 0 outside its `length`.
void split(const Real* x, int64_t length, int64_t first, int64_t n, Real* __restrict to) {
  const int64_t begin = std::clamp<int64_t>((kTaps - 1 - first) / kTaps, 0, n);
  const int64_t room = length - kTaps - first;
  const int64_t end = std::clamp<int64_t>(room < 0 ? 0 : room / kTaps + 1, begin, n);
  const auto edge = [&](int64_t j) {
    for (int r = 0; r < kTaps; ++r) {
      const int64_t at = first + kTaps * j + r;
      to[r * n + j] = at >= 0 && at < length ? x[at] : 0;
    }
  };
  for (int64_t j = 0; j < (first < 0 ? begin : 0); ++j) edge(j);
  Real *a = to, *b = to + n, *c = to + 2 * n, *d = to + 3 * n;
  const Real* from = x + first;
  for (int64_t j = first < 0 ? begin : 0; j < end; ++j) {
    a[j] = from[kTaps * j];
    b[j] = from[kTaps * j + 1];
    c[j] = from[kTaps * j + 2];
    d[j] = from[kTaps * j + 3];
  }
  for (int64_t j = std::max(end, first < 0 ? begin : 0); j < n; ++j) edge(j);
}

// to[j] = Σ_r weights[r]·(number r of tile j), of n tiles that were split `stride` apart; numbers
// from 4 on are those of the next tile.
void mix_data(const Real* e, int64_t stride, const std::array<Real, kPoints>& weights, int64_t n,
              Real* __restrict to) {
  const Real *a = e, *b = e + stride, *c = e + 2 * stride, *d = e + 3 * stride;
  for (int64_t j = 0; j < n; ++j)
    to[j] = weights[0] * a[j] + weights[1] * b[j] + weights[2] * c[j] + weights[3] * d[j] +
            weights[4] * a[j + 1] + weights[5] * b[j + 1] + weights[6] * c[j + 1];
}

void mix_taps(const Real* e, int64_t stride, const std::array<Real, kTaps>& weights, int64_t n,
              Real* __restrict to) {
  const Real *a = e, *b = e + stride, *c = e + 2 * stride, *d = e + 3 * stride;
  for (int64_t j = 0; j < n; ++j)
    to[j] = weights[0] * a[j] + weights[1] * b[j] + weights[2] * c[j] + weights[3] * d[j];
}

// to[4j + t] = Σ_p outputs[p][t]·made[p·stride + j] for `length` numbers.
void mix_outputs(const Real* made, int64_t stride, int64_t length, Real* __restrict to) {
  const auto& weights = transforms().outputs;
  const auto sum = [&](int64_t j, int t) {
    Real total = 0;
    for (int p = 0; p < kPoints; ++p) total += weights[p][t] * made[p * stride + j];
    return total;
  };
  const int64_t whole = length / kTaps;
  for (int64_t j = 0; j < whole; ++j)
    for (int t = 0; t < kTaps; ++t) to[kTaps * j + t] = sum(j, t);
  for (int64_t e = whole * kTaps; e < length; ++e) to[e] = sum(whole, static_cast<int>(e % kTaps));
}

}  // namespace

bool toom_cook_pays(const Correlation& g) {
  if (sizeof(Real) > sizeof(float)) return false;
  const Windows& w = g.windows;
  for (int a = 0; a < 2; ++a)
    if (w.kernel[a] != 1 || w.in[a] != 1 || w.out[a] != 1 || w.pad[a] != 0) return false;
  if (w.stride[2] != 1 || w.dilation[2] != 1) return false;
  const int64_t taps = w.kernel[2];
  // Products saved, against walks along both operands.
  const bool fewer = 3 * kPoints * blocks_of(g) <= 2 * kTaps * taps;
  return fewer && g.m >= 64 && g.channels >= 64 && w.out[2] >= 256;
}

void correlate_toom_cook(const Correlation& g, const Real* x, int64_t images, const Real* w,
                         Real* out) {
  const int64_t blocks = blocks_of(g), taps = g.windows.kernel[2], depth = blocks * g.channels;
  const int64_t in = g.windows.in[2], length = g.windows.out[2], rows = g.groups * g.m;
  const auto& weights = transforms().taps;
  // (points, G·m, blocks·channels)
  std::vector<Real> mixed(static_cast<size_t>(kPoints * rows * depth));
  parallel_for(rows, grain_for(kPoints * depth), [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j)
      for (int64_t q = 0; q < g.channels; ++q)
        for (int64_t b = 0; b < blocks; ++b) {
          const Real* own = w + (j * g.channels + q) * taps + b * kTaps;
          const int64_t there = std::min<int64_t>(kTaps, taps - b * kTaps);
          for (int p = 0; p < kPoints; ++p) {
            Real sum = 0;
            for (int64_t s = 0; s < there; ++s) sum += weights[p][s] * own[s];
            mixed[(p * rows + j) * depth + b * g.channels + q] = sum;
          }
        }
  });
  constexpr int64_t kAtOnce = 256;  // tiles
  const int64_t tiles = tiles_of(g), pieces = (tiles + kAtOnce - 1) / kAtOnce;
  const int64_t most = kAtOnce + blocks;
  parallel_for(images * g.groups * pieces, 1, [&](int64_t first, int64_t last) {
    Real* apart = lane_buffer<0>(g.channels * kTaps * most);
    Real* data = lane_buffer<1>(depth * kAtOnce + most);
    Real* made = lane_buffer<2>(kPoints * g.m * kAtOnce);
    for (int64_t item = first; item < last; ++item) {
      const int64_t block = item / pieces, j0 = item % pieces * kAtOnce;
      const int64_t n = std::min(kAtOnce, tiles - j0), group = block % g.groups;
      const int64_t wide = n + blocks;
      for (int64_t q = 0; q < g.channels; ++q)
        split(x + (block * g.channels + q) * in, in, kTaps * j0 - g.windows.pad[2], wide,
              apart + q * kTaps * wide);
      for (int p = 0; p < kPoints; ++p) {
        Real* row = data + depth * kAtOnce;
        for (int64_t q = 0; q < g.channels; ++q) {
          mix_data(apart + q * kTaps * wide, wide, transforms().data[p], wide - 1, row);
          for (int64_t b = 0; b < blocks; ++b)
            std::memcpy(data + (b * g.channels + q) * n, row + b, sizeof(Real) * n);
        }
        blas::gemm(false, false, g.m, n, depth, 1, mixed.data() + (p * rows + group * g.m) * depth,
                   depth, data, n, 0, made + p * g.m * n, n);
      }
      for (int64_t j = 0; j < g.m; ++j)
        mix_outputs(made + j * n, g.m * n, std::min(kTaps * n, length - kTaps * j0),
                    out + (block * g.m + j) * length + kTaps * j0);
    }
  });
}

void multiply_toom_cook(const Correlation& g, const StackedProduct& product, Real* room) {
  const int64_t blocks = blocks_of(g), taps = g.windows.kernel[2], k = g.k();
  const int64_t in = g.windows.in[2], length = g.windows.out[2], c = g.channels;
  const int64_t tiles = tiles_of(g), rows = product.stacked * g.m;
  const int64_t most = std::min(tiles, kTogether), widest = most + blocks - 1;
  Real* left = room;                           // (points, rows, n)
  Real* right = left + kPoints * rows * most;  // (points, c, n + blocks − 1)
  Real* made = right + kPoints * c * widest;   // (points, blocks, rows, c)
  Real beta = 0;
  const auto add = [&](const PatchProduct::Image& image, int64_t j0, int64_t n) {
    const int64_t wide = n + blocks - 1;
    parallel_for(rows + c, grain_for(kPoints * n), [&](int64_t first, int64_t last) {
      Real* apart = lane_buffer<0>(kTaps * (wide + 1));
      for (int64_t r = first; r < last; ++r) {
        if (r < rows) {
          const Real* from = image.rows + r / g.m * product.stride + r % g.m * length;
          split(from, length, kTaps * j0, n, apart);
          for (int p = 0; p < kPoints; ++p)
            mix_taps(apart, n, transforms().taps[p], n, left + (p * rows + r) * n);
        } else {
          const int64_t q = r - rows;
          split(image.x + q * in, in, kTaps * j0 - g.windows.pad[2], wide + 1, apart);
          for (int p = 0; p < kPoints; ++p)
            mix_data(apart, wide + 1, transforms().data[p], wide, right + (p * c + q) * wide);
        }
      }
    });
    parallel_for(kPoints * blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t p = item / blocks, b = item % blocks;
        blas::gemm(false, true, rows, c, n, 1, left + p * rows * n, n, right + p * c * wide + b,
                   wide, beta, made + item * rows * c, c);
      }
    });
    beta = 1;
  };
  for (const PatchProduct::Image& image : product.images)
    for (int64_t j0 = 0; j0 < tiles; j0 += kTogether)
      add(image, j0, std::min(kTogether, tiles - j0));
  const auto& weights = transforms().outputs;
  parallel_for(rows, grain_for(kPoints * blocks * c), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      Real* to = product.to + r / g.m * product.to_stride + r % g.m * k;
      for (int64_t s = 0; s < taps; ++s)
        for (int64_t q = 0; q < c; ++q) {
          Real sum = 0;
          for (int p = 0; p < kPoints; ++p)
            sum += weights[p][s % kTaps] * made[((p * blocks + s / kTaps) * rows + r) * c + q];
          to[q * taps + s] = sum;
        }
    }
  });
}

int64_t toom_cook_room(const Correlation& g, int64_t stacked) {
  const int64_t blocks = blocks_of(g), rows = stacked * g.m;
  const int64_t tiles = std::min(tiles_of(g), kTogether);
  return kPoints * (rows * tiles + g.channels * (tiles + blocks - 1 + blocks * rows));
}

}  // namespace AT_PRECISION
}  // namespace at
