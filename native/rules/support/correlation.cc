#include "rules/support/correlation.h"

#include <algorithm>
#include <cstring>

#include "core/blas.h"
#include "core/parallel.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

constexpr int64_t kPositions = 256;  // of one product over positions

// Small images: several side by side in one product.
void correlate_together(const Correlation& g, int64_t together, const Real* x, int64_t images,
                        const Real* w, int64_t kernels, Real beta, Real* out) {
  const Windows& windows = g.windows;
  const int64_t positions = windows.out_size(), plane = g.channels * windows.in_size(), k = g.k();
  const int64_t bundles = (images + together - 1) / together;
  const Part whole{0, windows.rows(), 0, windows.out[2]};
  const int64_t work = together * positions * k * kernels;
  parallel_for(bundles * g.groups, grain_for(work), [&](int64_t first, int64_t last) {
    Real* cols = lane_buffer<0>(k * together * positions);
    Real* made = lane_buffer<1>(g.m * together * positions);
    for (int64_t item = first; item < last; ++item) {
      const int64_t group = item % g.groups, p0 = item / g.groups * together;
      const int64_t n = std::min(images - p0, together), ld = n * positions;
      for (int64_t p = 0; p < n; ++p)
        im2col(windows, g.channels, x + ((p0 + p) * g.groups + group) * plane, whole,
               cols + p * positions, ld);
      for (int64_t q = 0; q < kernels; ++q) {
        blas::gemm(false, false, g.m, ld, k, 1, w + (q * g.groups + group) * g.m * k, k, cols, ld,
                   0, made, ld);
        for (int64_t p = 0; p < n; ++p) {
          Real* to = out + ((q * images + p0 + p) * g.groups + group) * g.m * positions;
          for (int64_t j = 0; j < g.m; ++j, to += positions) {
            const Real* from = made + j * ld + p * positions;
            if (beta == 0) {
              std::memcpy(to, from, sizeof(Real) * positions);
            } else {
              for (int64_t e = 0; e < positions; ++e) to[e] += from[e];
            }
          }
        }
      }
    }
  });
}

}  // namespace

void Correlation::turn(const Real* w, Real* to) const {
  const int64_t size = windows.kernel_size();
  constexpr int64_t kTile = 16;
  const int64_t tiles = (channels + kTile - 1) / kTile;
  parallel_for(groups * tiles, grain_for(kTile * m * size), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const int64_t group = item / tiles, q0 = item % tiles * kTile;
      const int64_t q1 = std::min(channels, q0 + kTile);
      for (int64_t j = 0; j < m; ++j)
        for (int64_t q = q0; q < q1; ++q) {
          const Real* from = w + ((group * m + j) * channels + q) * size;
          std::reverse_copy(from, from + size, to + ((group * channels + q) * m + j) * size);
        }
    }
  });
}

std::vector<std::vector<int64_t>> images_by_sample(const Activation& value, int64_t count,
                                                   int64_t samples) {
  std::vector<std::vector<int64_t>> images(static_cast<size_t>(samples));
  const int64_t size = count > 0 ? value.size() / count : 0;
  for (int64_t b = 0; b < count; ++b)
    images[static_cast<size_t>(sample_of(value, b * size, samples))].push_back(b);
  return images;
}

void correlate(const Correlation& g, const Real* x, int64_t images, const Real* w, int64_t kernels,
               Real beta, Real* out) {
  const Windows& windows = g.windows;
  const int64_t positions = windows.out_size(), plane = g.channels * windows.in_size(), k = g.k();
  if (positions == 0 || images == 0) return;
  // Columns of one product: enough for BLAS, few enough for the cache.
  const int64_t columns = std::clamp<int64_t>((1 << 18) / std::max<int64_t>(1, k), 128, 1024);
  const int64_t together = std::min(images, columns / positions);
  if (together > 1) return correlate_together(g, together, x, images, w, kernels, beta, out);
  const bool pointwise = windows.pointwise();
  const Parts parts(windows, columns);
  const int64_t work = parts.longest() * k * kernels;
  parallel_for(
      images * g.groups * parts.count(), grain_for(work), [&](int64_t first, int64_t last) {
        Real* cols = lane_buffer<0>(pointwise ? 0 : k * parts.longest());
        for (int64_t item = first; item < last; ++item) {
          const int64_t block = item / parts.count(), group = block % g.groups;
          const Part part = parts[item % parts.count()];
          const int64_t length = part.length(), start = parts.start(part);
          const Real* patches = x + block * plane + start;
          int64_t ld = positions;
          if (!pointwise) {
            im2col(windows, g.channels, x + block * plane, part, cols, length);
            patches = cols;
            ld = length;
          }
          for (int64_t q = 0; q < kernels; ++q)
            blas::gemm(false, false, g.m, length, k, 1, w + (q * g.groups + group) * g.m * k, k,
                       patches, ld, beta,
                       out + (q * images * g.groups + block) * g.m * positions + start, positions);
        }
      });
}

void PatchProduct::run(const std::vector<Image>& images, int64_t q0, int64_t q1, Real* to,
                       int64_t ld) const {
  const Windows& w = g_.windows;
  const int64_t positions = w.out_size(), width = (q1 - q0) * w.kernel_size();
  const int64_t rows = stacked_ * g_.m;
  const bool pointwise = w.pointwise();
  const bool apart = stacked_ > 1 && stride_ != g_.m * positions;
  const Parts parts(w, kPositions);
  Real* cols = lane_buffer<0>(pointwise ? 0 : width * parts.longest());
  Real* copied = lane_buffer<1>(apart ? rows * parts.longest() : 0);
  Real beta = 0;
  for (const Image& image : images) {
    for (int64_t p = 0; p < parts.count(); ++p) {
      const Part part = parts[p];
      const int64_t n = part.length(), start = parts.start(part);
      const Real* left = image.rows + start;
      if (apart) {
        for (int64_t r = 0; r < rows; ++r)
          std::memcpy(copied + r * n, left + r / g_.m * stride_ + r % g_.m * positions,
                      sizeof(Real) * n);
        left = copied;
      }
      const Real* right = image.x + q0 * w.in_size();
      if (pointwise) {
        right += start;
      } else {
        im2col(w, q1 - q0, right, part, cols, n);
        right = cols;
      }
      blas::gemm(false, true, rows, width, n, Real(1.0), left, apart ? n : positions, right,
                 pointwise ? positions : n, beta, to, ld);
      beta = 1;
    }
  }
}

PatchBlocks::PatchBlocks(const Correlation& g, int64_t stacked_rows, int64_t items)
    : stacked(std::clamp<int64_t>(512 / g.m, 1, stacked_rows)),
      stacks((stacked_rows + stacked - 1) / stacked) {
  const int64_t kernel = g.windows.kernel_size();
  // So many that every thread has work, where that leaves products wide enough.
  const int64_t aim = 8 / (items * stacks) + 1;
  const int64_t fitting = std::min(448 / kernel, (g.channels + aim - 1) / aim);
  channels = std::clamp<int64_t>(std::max(fitting, 96 / kernel), 1, g.channels);
  slices = (g.channels + channels - 1) / channels;
}

}  // namespace AT_PRECISION
}  // namespace at
