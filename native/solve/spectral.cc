#include "solve/spectral.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/blas.h"
#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::solve {

KernelSpectrum::KernelSpectrum(int64_t n, std::vector<double> k)
    : n_(n), values_(n), vectors_(std::move(k)) {
  for (double x : vectors_)
    if (!std::isfinite(x)) throw Error("BAD_INPUT", "Expected a finite kernel");
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

KernelSpectrum::Errors KernelSpectrum::errors(const std::vector<double>& ridges,
                                              const std::vector<double>& y, int64_t columns,
                                              const Control& control) const {
  const double n = static_cast<double>(n_);
  std::vector<double> squared(n_ * n_);
  for (int64_t i = 0; i < n_ * n_; ++i) squared[i] = vectors_[i] * vectors_[i];
  Errors out;
  for (double ridge : ridges) {
    control.poll();
    std::vector<double> kept(n_), lost(n_), leverage(n_);
    double trace = 0;
    for (int64_t j = 0; j < n_; ++j) {
      // An eigenvalue that is zero but for rounding belongs to the null space.
      const double value = std::max(values_[j], 0.0);
      const bool null = value <= n * DBL_EPSILON * std::max(values_[0], 0.0) && ridge == 0;
      kept[j] = null ? 0 : value / (value + ridge);
      lost[j] = 1 - kept[j];
      if (!null && ridge > 0) lost[j] = ridge / (value + ridge);
      trace += lost[j];
    }
    const std::vector<double> rest = filter(lost, y, columns);
    // 1 − H_ii, directly as Σ v² ridge/(λ + ridge): no cancellation for small ridges.
    lapack::product(true, n_, n_, 1, squared.data(), n_, lost.data(), 0, leverage.data());
    double total = 0, loo = 0;
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t c = 0; c < columns; ++c) {
        const double e = rest[i * columns + c], d = e / leverage[i];
        total += e * e;
        loo += d * d;
      }
    out.gcv.push_back(total / n / ((trace / n) * (trace / n)));
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
