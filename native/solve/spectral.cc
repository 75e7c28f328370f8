#include "solve/spectral.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/blas.h"
#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "solve/factor.h"

namespace at::solve {

KernelSpectrum::KernelSpectrum(int64_t n, std::vector<double> k)
    : n_(n), values_(n), vectors_(std::move(k)) {
  check_kernel(n, vectors_);
  lapack::eigen(true, n, vectors_.data(), values_.data());
  std::reverse(values_.begin(), values_.end());
  for (int64_t i = 0, j = n - 1; i < j; ++i, --j)
    std::swap_ranges(vectors_.begin() + i * n, vectors_.begin() + (i + 1) * n,
                     vectors_.begin() + j * n);
}

std::vector<double> KernelSpectrum::filter(const std::vector<double>& weights,
                                           const std::vector<double>& x, int64_t columns) const {
  std::vector<double> parts(n_ * columns), out(n_ * columns);
  blas::parallel_gemm(false, false, n_, columns, n_, 1.0, vectors_.data(), n_, x.data(), columns,
                      0.0, parts.data(), columns);
  for (int64_t j = 0; j < n_; ++j)
    for (int64_t c = 0; c < columns; ++c) parts[j * columns + c] *= weights[j];
  blas::parallel_gemm(true, false, n_, columns, n_, 1.0, vectors_.data(), n_, parts.data(), columns,
                      0.0, out.data(), columns);
  return out;
}

std::vector<double> KernelSpectrum::blocks(const std::vector<double>& weights,
                                           int64_t group) const {
  std::vector<double> out(static_cast<size_t>(n_ * group));
  // Several groups at a time, so that the eigenvectors' numbers are read in runs.
  const int64_t together = std::max<int64_t>(1, 64 / group), groups = n_ / group;
  parallel_for((groups + together - 1) / together, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t from = piece * together * group;
      const int64_t width = std::min(together * group, n_ - from);
      if (group == 1) {
        for (int64_t k = 0; k < n_; ++k)
          for (int64_t i = from; i < from + width; ++i) {
            const double v = vectors_[k * n_ + i];
            out[i] += weights[k] * v * v;
          }
        continue;
      }
      std::vector<double> left(static_cast<size_t>(n_ * width));
      for (int64_t k = 0; k < n_; ++k)
        for (int64_t i = 0; i < width; ++i)
          left[k * width + i] = weights[k] * vectors_[k * n_ + from + i];
      for (int64_t g = 0; g < width; g += group)
        blas::gemm(true, false, group, group, n_, 1.0, left.data() + g, width,
                   vectors_.data() + from + g, n_, 0.0, out.data() + (from + g) * group, group);
    }
  });
  return out;
}

KernelSpectrum::Errors KernelSpectrum::errors(const std::vector<double>& ridges,
                                              const std::vector<double>& y, int64_t columns,
                                              int64_t group, const Control& control) const {
  const double n = static_cast<double>(n_);
  Errors out;
  for (double ridge : ridges) {
    control.poll();
    std::vector<double> weights(values_);
    double trace = 0;
    for (double& w : weights) {
      w = 1 / (std::max(w, 0.0) + ridge);
      // 1 − H, directly: no cancellation for small ridges.
      trace += ridge * w;
    }
    // The misfit is ridge · α.
    std::vector<double> alpha = filter(weights, y, columns);
    double misfit = 0, loo = 0;
    for (double a : alpha) misfit += ridge * a * ridge * a;
    std::vector<double> inverse = blocks(weights, group);
    leave_out(n_, group, inverse.data(), columns, alpha.data());
    for (double e : alpha) loo += e * e;
    out.gcv.push_back(misfit / n / ((trace / n) * (trace / n)));
    out.loo.push_back(loo / n);
  }
  return out;
}

Nystrom nystrom(int64_t n, int64_t q, const std::vector<double>& omega, std::vector<double> y) {
  // Orthonormal test vectors, by the thin SVD; y becomes K times them.
  std::vector<double> copy = omega, w(n * q), s(q), vt(q * q);
  lapack::svd(n, q, copy.data(), w.data(), s.data(), vt.data());
  std::vector<double> mixed(n * q);
  for (int64_t i = 0; i < q; ++i)
    for (int64_t j = 0; j < q; ++j) vt[i * q + j] /= s[i];
  blas::parallel_gemm(false, true, n, q, q, 1.0, y.data(), q, vt.data(), q, 0.0, mixed.data(), q);
  // A small shift keeps the core positive in the presence of rounding.
  const double norm = std::sqrt(lapack::dot(n * q, mixed.data(), mixed.data())) *
                      std::sqrt(double(n)) * DBL_EPSILON;
  const double shift = std::max(norm, DBL_MIN);
  for (int64_t i = 0; i < n * q; ++i) mixed[i] += shift * w[i];
  std::vector<double> core(q * q);
  blas::parallel_gemm(true, false, q, q, n, 1.0, w.data(), q, mixed.data(), q, 0.0, core.data(), q);
  for (int64_t i = 0; i < q; ++i)
    for (int64_t j = 0; j < i; ++j)
      core[i * q + j] = core[j * q + i] = 0.5 * (core[i * q + j] + core[j * q + i]);
  if (lapack::cholesky(q, core.data(), q) != 0)
    throw Error("NUMERICAL", "The operator is not positive semidefinite");
  lapack::solve_lower_right(n, q, core.data(), q, mixed.data(), q);
  Nystrom out;
  out.u.resize(n * q);
  out.values.resize(q);
  lapack::svd(n, q, mixed.data(), out.u.data(), out.values.data(), vt.data());
  for (double& v : out.values) v = std::max(v * v - shift, 0.0);
  return out;
}

}  // namespace at::solve
