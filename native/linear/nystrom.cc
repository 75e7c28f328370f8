#include "linear/nystrom.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "core/blas.h"
#include "core/error.h"
#include "core/lapack.h"

namespace at::linear {

namespace {

std::vector<double> products(const Operator& a, int64_t rank, const std::vector<double>& omega,
                             const Control& control) {
  std::vector<double> y(omega.size());
  a.apply(rank, omega.data(), y.data(), control);
  return y;
}

}  // namespace

Nystrom::Nystrom(const Operator& a, int64_t rank, const std::vector<double>& omega,
                 const Control& control)
    : Nystrom(a.size(), rank, omega, products(a, rank, omega, control)) {}

Nystrom::Nystrom(int64_t n, int64_t q, const std::vector<double>& omega, std::vector<double> y)
    : n_(n), values_(static_cast<size_t>(q)) {
  // Orthonormal test vectors, by the thin SVD; y becomes A times them.
  std::vector<double> mixed = omega, w(n * q), s(q), vt(q * q);
  lapack::svd(n, q, mixed.data(), w.data(), s.data(), vt.data());
  for (int64_t i = 0; i < q; ++i)
    for (int64_t j = 0; j < q; ++j) vt[i * q + j] /= s[i];
  blas::parallel_gemm(false, true, n, q, q, 1.0, y.data(), q, vt.data(), q, 0.0, mixed.data(), q);
  y = {};
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
  u_ = std::move(w);
  lapack::svd(n, q, mixed.data(), u_.data(), values_.data(), vt.data());
  for (double& v : values_) v = std::max(v * v - shift, 0.0);
}

void Nystrom::apply(double shift, const double* x, double* z) const {
  std::copy(x, x + n_, z);
  const int64_t q = rank();
  if (q == 0) return;
  std::vector<double> parts(static_cast<size_t>(q));
  lapack::product(true, n_, q, 1, u_.data(), q, x, 0, parts.data());
  const double least = values_.back() + shift;
  for (int64_t j = 0; j < q; ++j) {
    const double own = values_[j] + shift;
    parts[j] *= own > 0 ? least / own - 1 : 0;
  }
  lapack::product(false, n_, q, 1, u_.data(), q, parts.data(), 1, z);
}

}  // namespace at::linear
