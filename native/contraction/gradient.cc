#include "contraction/gradient.h"

#include <algorithm>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/shape.h"

namespace at {

GradientSink::GradientSink(std::vector<int64_t> sizes, int64_t count, Pool& pool)
    : sizes_(std::move(sizes)), count_(count), pool_(pool), sums_(sizes_.size()) {}

float* GradientSink::sum_of(int parameter) {
  auto& sum = sums_[parameter];
  if (!sum) {
    const int64_t size = checked_mul(count_, sizes_[parameter]);
    sum = pool_.floats(size);
    std::fill(sum.get(), sum.get() + size, 0.0f);
  }
  return sum.get();
}

void GradientSink::matrix(int parameter, MatrixUse use) {
  const int64_t G = use.dims.groups, T = use.dims.positions, n = use.samples, C = use.count;
  const int64_t m = use.dims.rows, k = use.dims.cols, P = sizes_[parameter];
  float* sum = sum_of(parameter);
  if (G == 1 && !use.dims.transposed) {
    // δ is (n·T × C·m) and h (n·T × k): one product for all samples and cotangents.
    blas::parallel_gemm(true, false, C * m, k, n * T, 1.0f, use.delta.get(), C * m, use.h.get(), k,
                        1.0f, sum, k);
  } else {
    for (int64_t g = 0; g < G; ++g) {
      for (int64_t i = 0; i < (G == 1 ? 1 : n); ++i) {
        const int64_t rows = G == 1 ? n * T : T;
        const float* delta = use.delta.get() + (i * G + g) * T * C * m;
        const float* h = use.h.get() + (i * G + g) * T * k;
        for (int64_t c = 0; c < C; ++c) {
          float* to = sum + c * P + g * m * k;
          if (use.dims.transposed) {
            blas::parallel_gemm(true, false, k, m, rows, 1.0f, h, k, delta + c * m, C * m, 1.0f, to,
                                m);
          } else {
            blas::parallel_gemm(true, false, m, k, rows, 1.0f, delta + c * m, C * m, h, k, 1.0f, to,
                                k);
          }
        }
      }
    }
  }
  if (use.bias < 0) return;
  float* bias = sum_of(use.bias);
  std::vector<double> total(static_cast<size_t>(C * m), 0.0);
  for (int64_t row = 0; row < n * T; ++row) {
    const float* delta = use.delta.get() + row * C * m;
    for (int64_t e = 0; e < C * m; ++e) total[e] += delta[e];
  }
  for (int64_t e = 0; e < C * m; ++e) bias[e] += static_cast<float>(total[e]);
}

void GradientSink::dense(int parameter, int64_t count, int64_t samples,
                         std::shared_ptr<float> features) {
  const int64_t P = sizes_[parameter];
  float* sum = sum_of(parameter);
  parallel_for(P, grain_for(count * samples), [&](int64_t begin, int64_t end) {
    for (int64_t c = 0; c < count; ++c) {
      for (int64_t i = 0; i < samples; ++i) {
        const float* from = features.get() + (c * samples + i) * P;
        for (int64_t e = begin; e < end; ++e) sum[c * P + e] += from[e];
      }
    }
  });
}

void GradientSums::add(const GradientSink& block) {
  if (sums_.empty()) {
    for (int64_t size : block.sizes_)
      sums_.emplace_back(static_cast<size_t>(block.count_ * size), 0.0);
  }
  for (size_t p = 0; p < sums_.size(); ++p) {
    if (!block.sums_[p]) continue;
    const float* from = block.sums_[p].get();
    for (size_t e = 0; e < sums_[p].size(); ++e) sums_[p][e] += from[e];
  }
}

void GradientSums::write(const std::vector<float*>& results) const {
  for (size_t p = 0; p < results.size(); ++p)
    std::transform(sums_[p].begin(), sums_[p].end(), results[p],
                   [](double v) { return static_cast<float>(v); });
}

}  // namespace at
