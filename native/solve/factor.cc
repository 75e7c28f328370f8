#include "solve/factor.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/blas.h"
#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::solve {

namespace {

// Kernels that were made in single precision differ from their transpose by less.
constexpr double kAsymmetric = 1e-5;
// Columns of the inverse at a time.
constexpr int64_t kPanel = 192;

}  // namespace

void check_kernel(int64_t n, const std::vector<double>& k) {
  double largest = 0;
  for (double x : k) {
    if (!std::isfinite(x)) throw Error("BAD_INPUT", "Expected a finite kernel");
    largest = std::max(largest, std::abs(x));
  }
  // By tiles: a column of a large matrix is far apart in memory.
  constexpr int64_t tile = 64;
  for (int64_t first = 0; first < n; first += tile)
    for (int64_t other = first; other < n; other += tile)
      for (int64_t i = first; i < std::min(n, first + tile); ++i)
        for (int64_t j = std::max(other, i + 1); j < std::min(n, other + tile); ++j) {
          const double a = k[i * n + j], b = k[j * n + i];
          if (std::abs(a - b) <= kAsymmetric * largest) continue;
          std::ostringstream text;
          text << "Expected a symmetric kernel but entry (" << i << ", " << j << ") is " << a
               << " and entry (" << j << ", " << i << ") is " << b;
          throw Error("BAD_INPUT", text.str());
        }
}

void leave_out(int64_t n, int64_t size, double* blocks, int64_t columns, double* alpha) {
  const int64_t groups = n / size;
  parallel_for(groups, grain_for(size * size * (size + columns)), [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      double* block = blocks + g * size * size;
      if (lapack::cholesky(size, block, size) != 0)
        throw Error("NUMERICAL",
                    "The inverse of kernel + ridge is not positive definite in double "
                    "precision: raise the ridge");
      cholesky_solve(size, columns, block, alpha + g * size * columns);
    }
  });
}

KernelFactor::KernelFactor(int64_t n, std::vector<double> k, double ridge, const Control& control)
    : n_(n), k_((check_kernel(n, k), std::move(k))), solver_(n, k_.data(), ridge, control) {}

double KernelFactor::condition() const {
  return 1 / std::max(solver_.reciprocal_condition(), 1e-300);
}

double KernelFactor::log_determinant() const {
  double sum = 0;
  for (int64_t i = 0; i < n_; ++i) sum += std::log(k_[i * n_ + i]);
  return 2 * sum;
}

std::vector<double> KernelFactor::solve(const std::vector<double>& b, int64_t columns) const {
  std::vector<double> x(b.size());
  solver_.solve(columns, b.data(), x.data());
  return x;
}

std::vector<double> KernelFactor::inverse_blocks(int64_t size, const Control& control) const {
  std::vector<double> out(static_cast<size_t>(n_ * size));
  // Whole groups in every panel; L⁻¹ of a panel's columns is zero above it.
  const int64_t width = std::max<int64_t>(1, kPanel / size) * size;
  parallel_for((n_ + width - 1) / width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      control.poll();
      const int64_t from = p * width, columns = std::min(width, n_ - from), rows = n_ - from;
      std::vector<double> x(static_cast<size_t>(rows * columns));
      for (int64_t c = 0; c < columns; ++c) x[c * columns + c] = 1;
      lapack::solve_lower(false, rows, columns, k_.data() + from * n_ + from, n_, x.data(),
                          columns);
      for (int64_t c = 0; c < columns; c += size)
        blas::gemm(true, false, size, size, rows, 1.0, x.data() + c, columns, x.data() + c, columns,
                   0.0, out.data() + (from + c) * size, size);
    }
  });
  return out;
}

}  // namespace at::solve
