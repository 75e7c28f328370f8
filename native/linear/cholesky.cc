#include "linear/cholesky.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::linear {

namespace {
constexpr int64_t kPanel = 192;
constexpr int64_t kTile = 384;
}  // namespace

int64_t cholesky(int64_t n, double* a, const Control& control) {
  for (int64_t k = 0; k < n; k += kPanel) {
    control.poll();
    const int64_t size = std::min(kPanel, n - k);
    double* diagonal = a + k * n + k;
    if (const int64_t minor = lapack::cholesky(size, diagonal, n)) return k + minor;
    const int64_t next = k + size;
    const int64_t tiles = (n - next + kTile - 1) / kTile;
    parallel_for(tiles, 1, [&](int64_t first, int64_t last) {
      const int64_t begin = next + first * kTile, end = std::min(n, next + last * kTile);
      lapack::solve_lower_right(end - begin, size, diagonal, n, a + begin * n + k, n);
    });
    // Tile t of the lower triangle: row t's tiles come after those of all rows above.
    parallel_for(tiles * (tiles + 1) / 2, 1, [&](int64_t first, int64_t last) {
      int64_t row = 0;
      while ((row + 1) * (row + 2) / 2 <= first) ++row;
      int64_t col = first - row * (row + 1) / 2;
      for (int64_t t = first; t < last; ++t) {
        const int64_t i = next + row * kTile, j = next + col * kTile;
        const int64_t rows = std::min(kTile, n - i), cols = std::min(kTile, n - j);
        if (row == col) {
          lapack::rank_update(rows, size, -1, a + i * n + k, n, 1, a + i * n + i, n);
        } else {
          blas::gemm(false, true, rows, cols, size, -1.0, a + i * n + k, n, a + j * n + k, n, 1.0,
                     a + i * n + j, n);
        }
        if (++col > row) {
          ++row;
          col = 0;
        }
      }
    });
  }
  return 0;
}

void cholesky_solve(int64_t n, int64_t columns, const double* l, double* x) {
  lapack::solve_lower(false, n, columns, l, n, x, columns);
  lapack::solve_lower(true, n, columns, l, n, x, columns);
}

CholeskyFactor::CholeskyFactor(int64_t n, double* a, double shift, const Control& control)
    : n_(n), a_(a), shift_(shift), diagonal_(static_cast<size_t>(n)) {
  for (int64_t i = 0; i < n; ++i) {
    diagonal_[i] = a[i * n + i];
    a[i * n + i] += shift;
  }
  if (cholesky(n, a, control) != 0) status_ = Status::not_positive;
}

CholeskyFactor::CholeskyFactor(int64_t n, std::vector<double> a, double shift,
                               const Control& control)
    : CholeskyFactor(n, (check_symmetric(n, a), a.data()), shift, control) {
  // The memory stays where it is.
  own_ = std::move(a);
}

double reciprocal_condition(const std::vector<double>& diagonal) {
  double low = INFINITY, high = 0;
  for (double x : diagonal) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  return high > 0 ? (low / high) * (low / high) : 1;
}

Statistics statistics_of(Status status, const std::vector<double>& diagonal) {
  Statistics out;
  if (status == Status::not_positive) return out;
  out.condition = 1 / std::max(reciprocal_condition(diagonal), 1e-300);
  out.rank = static_cast<int64_t>(diagonal.size());
  return out;
}

double log_determinant(const std::vector<double>& diagonal) {
  double sum = 0;
  for (double x : diagonal) sum += std::log(x);
  return 2 * sum;
}

std::vector<double> CholeskyFactor::root() const {
  std::vector<double> out(static_cast<size_t>(n_));
  for (int64_t i = 0; i < n_; ++i) out[i] = a_[i * n_ + i];
  return out;
}

double CholeskyFactor::reciprocal_condition() const { return linear::reciprocal_condition(root()); }

Statistics CholeskyFactor::statistics() const { return statistics_of(status_, root()); }

void CholeskyFactor::shifted(double shift, int64_t columns, const double* x, double* y) const {
  std::vector<double> column(static_cast<size_t>(n_)), image(static_cast<size_t>(n_));
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t i = 0; i < n_; ++i) column[i] = x[i * columns + c];
    // The diagonal of a_ belongs to L: its share is put right here.
    lapack::symmetric_product(n_, 1, a_, n_, column.data(), 0, image.data());
    for (int64_t i = 0; i < n_; ++i)
      y[i * columns + c] = image[i] + (diagonal_[i] + shift - a_[i * n_ + i]) * column[i];
  }
}

void CholeskyFactor::apply(int64_t columns, const double* x, double* y, const Control&) const {
  shifted(0, columns, x, y);
}

Result<std::vector<double>> CholeskyFactor::solve(const std::vector<double>& b, int64_t columns,
                                                  const Control& control) const {
  Result<std::vector<double>> out{b, status_, statistics()};
  std::vector<double>& x = out.value;
  cholesky_solve(n_, columns, a_, x.data());
  control.poll();
  std::vector<double> rest(b.size());
  shifted(shift_, columns, x.data(), rest.data());
  for (size_t e = 0; e < b.size(); ++e) rest[e] = b[e] - rest[e];
  cholesky_solve(n_, columns, a_, rest.data());
  for (size_t e = 0; e < b.size(); ++e) x[e] += rest[e];
  return out;
}

Result<std::vector<double>> CholeskyFactor::inverse_blocks(int64_t block,
                                                           const Control& control) const {
  Result<std::vector<double>> out{std::vector<double>(static_cast<size_t>(n_ * block)), status_,
                                  statistics()};
  // Whole blocks in every panel; L⁻¹ of a panel's columns is zero above it.
  const int64_t width = std::max<int64_t>(1, kPanel / block) * block;
  parallel_for((n_ + width - 1) / width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      control.poll();
      const int64_t from = p * width, columns = std::min(width, n_ - from), rows = n_ - from;
      std::vector<double> x(static_cast<size_t>(rows * columns));
      for (int64_t c = 0; c < columns; ++c) x[c * columns + c] = 1;
      lapack::solve_lower(false, rows, columns, a_ + from * n_ + from, n_, x.data(), columns);
      for (int64_t c = 0; c < columns; c += block)
        blas::gemm(true, false, block, block, rows, 1.0, x.data() + c, columns, x.data() + c,
                   columns, 0.0, out.value.data() + (from + c) * block, block);
    }
  });
  return out;
}

Result<Estimate> CholeskyFactor::log_determinant(const Control&) const {
  return {{linear::log_determinant(root()), 0}, status_, statistics()};
}

Result<std::vector<double>> CholeskyFactor::sample(Gaussian gaussian, const std::vector<double>& z,
                                                   int64_t columns, const Control&) const {
  Result<std::vector<double>> out{z, status_, statistics()};
  if (gaussian == Gaussian::covariance)
    lapack::multiply_lower(n_, columns, a_, n_, out.value.data(), columns);
  else
    lapack::solve_lower(true, n_, columns, a_, n_, out.value.data(), columns);
  return out;
}

}  // namespace at::linear
