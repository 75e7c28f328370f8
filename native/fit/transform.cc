#include "fit/transform.h"

#include <cmath>

#include "core/blas.h"
#include "core/lapack.h"

namespace at::fit {

namespace {

// A sum that keeps less of its largest term is computed in another way.
constexpr double kCancelled = 1e-6;

double weight(double z, int power) {
  switch (power) {
    case 1:
      return z - 1;
    case 2:
      return (z - 1) * (z + 1);
    case -1:
      return (1 - z) / z;
    case -2:
      return (1 - z) * (1 + z) / (z * z);
    default:
      return std::pow(z, power) - 1;
  }
}
// Σ_j w_j ‖row j of parts‖², w what M⁻² adds to I in the stretched directions.
double weighted(const Stretch& stretch, int64_t count, const double* parts) {
  double total = 0;
  for (int64_t j = 0; j < stretch.rank(); ++j)
    total += weight(stretch.z[j], -2) * lapack::dot(count, parts + j * count, parts + j * count);
  return total;
}

}  // namespace

void Stretch::apply(int power, int64_t outer, int64_t inner, double* x) const {
  const int64_t r = rank();
  if (r == 0 || outer == 0) return;
  std::vector<double> w(r);
  for (int64_t j = 0; j < r; ++j) w[j] = weight(z[j], power);
  if (inner == 1) {
    std::vector<double> parts(outer * r);
    blas::parallel_gemm(false, true, outer, r, dim, 1.0, x, dim, vectors.data(), dim, 0.0,
                        parts.data(), r);
    for (int64_t i = 0; i < outer; ++i)
      for (int64_t j = 0; j < r; ++j) parts[i * r + j] *= w[j];
    blas::parallel_gemm(false, false, outer, dim, r, 1.0, parts.data(), r, vectors.data(), dim, 1.0,
                        x, dim);
    return;
  }
  std::vector<double> parts(r * inner);
  for (int64_t i = 0; i < outer; ++i) {
    double* slice = x + i * dim * inner;
    blas::parallel_gemm(false, false, r, inner, dim, 1.0, vectors.data(), dim, slice, inner, 0.0,
                        parts.data(), inner);
    for (int64_t j = 0; j < r; ++j)
      for (int64_t q = 0; q < inner; ++q) parts[j * inner + q] *= w[j];
    blas::parallel_gemm(true, false, dim, inner, r, 1.0, vectors.data(), dim, parts.data(), inner,
                        1.0, slice, inner);
  }
}

std::vector<double> Stretch::update_vectors() const {
  std::vector<double> scaled = vectors;
  for (int64_t j = 0; j < rank(); ++j) {
    const double w = std::sqrt(weight(z[j], 2));
    for (int64_t i = 0; i < dim; ++i) scaled[j * dim + i] *= w;
  }
  return scaled;
}

std::vector<double> Stretch::dense(int power) const {
  std::vector<double> matrix(dim * dim, 0.0);
  for (int64_t i = 0; i < dim; ++i) matrix[i * dim + i] = 1;
  apply(power, 1, dim, matrix.data());
  return matrix;
}

Transform Transform::identity(std::vector<int64_t> dims) {
  Transform t;
  t.dims = std::move(dims);
  for (int64_t d : t.dims) {
    t.modes.emplace_back();
    t.modes.back().dim = d;
  }
  return t;
}

int64_t Transform::size() const {
  int64_t total = 1;
  for (int64_t d : dims) total *= d;
  return total;
}

bool Transform::is_identity() const {
  if (!numbers.empty()) return false;
  for (const Stretch& mode : modes)
    if (mode.rank() > 0) return false;
  return true;
}

void Transform::apply(int power, double* x) const {
  if (!numbers.empty()) {
    for (size_t i = 0; i < numbers.size(); ++i) x[i] *= std::pow(numbers[i], power);
    return;
  }
  const int64_t total = size();
  int64_t outer = 1;
  for (size_t d = 0; d < dims.size(); ++d) {
    modes[d].apply(power, outer, total / (outer * dims[d]), x);
    outer *= dims[d];
  }
}

double Transform::squared_norm_undone(const double* x) const {
  const double whole = lapack::dot(size(), x, x);
  if (is_identity()) return whole;
  if (numbers.empty() && modes.size() == 2) {
    // tr(M_left⁻² x M_right⁻² xᵀ) needs but the parts of x in the stretched directions.
    const Stretch &left = modes[0], &right = modes[1];
    const int64_t m = left.dim, k = right.dim, l = left.rank(), q = right.rank();
    std::vector<double> rows(l * k), columns(q * m), both(q * l);
    blas::parallel_gemm(false, false, l, k, m, 1.0, left.vectors.data(), m, x, k, 0.0, rows.data(),
                        k);
    blas::parallel_gemm(false, true, q, m, k, 1.0, right.vectors.data(), k, x, k, 0.0,
                        columns.data(), m);
    blas::gemm(false, true, q, l, k, 1.0, right.vectors.data(), k, rows.data(), k, 0.0, both.data(),
               l);
    double total = whole + weighted(left, k, rows.data()) + weighted(right, m, columns.data());
    for (int64_t i = 0; i < q; ++i)
      for (int64_t j = 0; j < l; ++j)
        total += weight(right.z[i], -2) * weight(left.z[j], -2) * both[i * l + j] * both[i * l + j];
    if (total > kCancelled * whole) return total;
  }
  std::vector<double> undone(x, x + size());
  apply(-1, undone.data());
  return lapack::dot(size(), undone.data(), undone.data());
}

}  // namespace at::fit
