#include "jobs/gradient.h"

#include <algorithm>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "reverse/expand.h"

namespace at {
inline namespace AT_PRECISION {

GradientSink::GradientSink(std::vector<int64_t> sizes, int64_t count, Pool& pool)
    : sizes_(std::move(sizes)),
      count_(count),
      pool_(pool),
      sums_(sizes_.size()),
      touched_(sizes_.size(), false) {}

GradientSink::GradientSink(std::vector<int64_t> sizes, int64_t count, Pool& pool,
                           const std::vector<Real*>& targets)
    : GradientSink(std::move(sizes), count, pool) {
  for (size_t p = 0; p < targets.size(); ++p)
    sums_[p] = std::shared_ptr<Real>(targets[p], [](Real*) {});
}

Real* GradientSink::sum_of(int parameter, Real& beta) {
  auto& sum = sums_[parameter];
  if (!sum) sum = pool_.take<Real>(checked_mul(count_, sizes_[parameter]));
  beta = touched_[parameter] ? 1 : 0;
  touched_[parameter] = true;
  return sum.get();
}

void GradientSink::matrix(int parameter, MatrixUse use) {
  const int64_t G = use.dims.groups, T = use.dims.positions, n = use.samples, C = use.count;
  const int64_t m = use.dims.rows, k = use.dims.cols, P = sizes_[parameter];
  if (use.spoilt) {
    auto features = pool_.take<Real>(checked_mul(checked_mul(C, n), P));
    expand_matrix(use, P, n * P, features.get());
    dense(parameter, C, n, std::move(features));
    return bias(use);
  }
  Real beta = 0;
  Real* sum = sum_of(parameter, beta);
  if (use.dims.picks) {
    if (beta == 0) std::fill(sum, sum + C * P, Real(0.0));
    // Every sample adds to the same numbers: one after another.
    MatrixUse one = use;
    one.samples = 1;
    one.dims.positions = n * T;
    add_picks(one, 0, P, sum);
  } else if (G == 1 && !use.dims.transposed) {
    // δ is (n·T × C·m) and h (n·T × k): one product for all samples and cotangents.
    blas::parallel_gemm(true, false, C * m, k, n * T, Real(1.0), use.delta.get(), C * m,
                        use.h.get(), k, beta, sum, k);
  } else {
    for (int64_t g = 0; g < G; ++g) {
      for (int64_t i = 0; i < (G == 1 ? 1 : n); ++i) {
        const int64_t rows = G == 1 ? n * T : T;
        const Real* delta = use.delta.get() + (i * G + g) * T * C * m;
        const Real* h = use.h.get() + (i * G + g) * T * k;
        const Real own = i > 0 ? 1 : beta;
        for (int64_t c = 0; c < C; ++c) {
          Real* to = sum + c * P + g * m * k;
          if (use.dims.transposed) {
            blas::parallel_gemm(true, false, k, m, rows, Real(1.0), h, k, delta + c * m, C * m, own,
                                to, m);
          } else {
            blas::parallel_gemm(true, false, m, k, rows, Real(1.0), delta + c * m, C * m, h, k, own,
                                to, k);
          }
        }
      }
    }
  }
  bias(use);
}

void GradientSink::bias(const MatrixUse& use) {
  if (use.bias < 0) return;
  const int64_t m = use.dims.rows, C = use.count, rows = use.samples * use.dims.positions;
  Real beta = 0;
  Real* sum = sum_of(use.bias, beta);
  std::vector<double> total(static_cast<size_t>(C * m), 0.0);
  for (int64_t row = 0; row < rows; ++row) {
    const Real* delta = use.delta.get() + row * C * m;
    for (int64_t e = 0; e < C * m; ++e) total[e] += delta[e];
  }
  for (int64_t e = 0; e < C * m; ++e) {
    const auto value = static_cast<Real>(total[e]);
    sum[e] = beta == 0 ? value : sum[e] + value;
  }
}

void GradientSink::dense(int parameter, int64_t count, int64_t samples,
                         std::shared_ptr<Real> features) {
  const int64_t P = sizes_[parameter];
  Real beta = 0;
  Real* sum = sum_of(parameter, beta);
  parallel_for(P, grain_for(count * samples), [&](int64_t begin, int64_t end) {
    for (int64_t c = 0; c < count; ++c) {
      if (beta == 0) std::fill(sum + c * P + begin, sum + c * P + end, Real(0.0));
      for (int64_t i = 0; i < samples; ++i) {
        const Real* from = features.get() + (c * samples + i) * P;
        for (int64_t e = begin; e < end; ++e) sum[c * P + e] += from[e];
      }
    }
  });
}

void GradientSink::clear_rest() {
  for (size_t p = 0; p < sums_.size(); ++p)
    if (!touched_[p] && sums_[p]) std::fill_n(sums_[p].get(), count_ * sizes_[p], Real(0.0));
}

void GradientSums::add(const GradientSink& block) {
  if (sums_.empty()) {
    for (int64_t size : block.sizes_)
      sums_.emplace_back(static_cast<size_t>(block.count_ * size), 0.0);
  }
  for (size_t p = 0; p < sums_.size(); ++p) {
    const Real* from = block.sum(static_cast<int>(p));
    if (!from) continue;
    for (size_t e = 0; e < sums_[p].size(); ++e) sums_[p][e] += from[e];
  }
}

void GradientSums::write(const std::vector<Real*>& results) const {
  if (sums_.empty()) return;  // one block held all samples and wrote there
  for (size_t p = 0; p < results.size(); ++p)
    std::transform(sums_[p].begin(), sums_[p].end(), results[p],
                   [](double v) { return static_cast<Real>(v); });
}

}  // namespace AT_PRECISION
}  // namespace at
