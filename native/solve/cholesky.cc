#include "solve/cholesky.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::solve {

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

SymmetricSolver::SymmetricSolver(int64_t n, double* a, double diagonal_shift,
                                 const Control& control)
    : n_(n), a_(a), shift_(diagonal_shift), diagonal_(new double[std::max<int64_t>(n, 1)]) {
  for (int64_t i = 0; i < n; ++i) {
    diagonal_[i] = a[i * n + i];
    a[i * n + i] += diagonal_shift;
  }
  try {
    status_ = cholesky(n, a, control);
  } catch (...) {
    delete[] diagonal_;
    throw;
  }
}

SymmetricSolver::~SymmetricSolver() { delete[] diagonal_; }

double SymmetricSolver::reciprocal_condition() const {
  double low = INFINITY, high = 0;
  for (int64_t i = 0; i < n_; ++i) {
    low = std::min(low, a_[i * n_ + i]);
    high = std::max(high, a_[i * n_ + i]);
  }
  return n_ && high > 0 ? (low / high) * (low / high) : 1;
}

void SymmetricSolver::shifted(const double* x, double* y, double diagonal) const {
  // The diagonal of a_ now belongs to L: its share is put right here.
  lapack::symmetric_product(n_, 1, a_, n_, x, 0, y);
  for (int64_t i = 0; i < n_; ++i) y[i] += (diagonal_[i] + diagonal - a_[i * n_ + i]) * x[i];
}

void SymmetricSolver::multiply(const double* x, double* y) const { shifted(x, y, 0); }

void SymmetricSolver::solve(int64_t columns, const double* b, double* x) const {
  std::copy(b, b + n_ * columns, x);
  cholesky_solve(n_, columns, a_, x);
  std::vector<double> column(n_), image(n_), rest(n_ * columns);
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t i = 0; i < n_; ++i) column[i] = x[i * columns + c];
    shifted(column.data(), image.data(), shift_);
    for (int64_t i = 0; i < n_; ++i) rest[i * columns + c] = b[i * columns + c] - image[i];
  }
  cholesky_solve(n_, columns, a_, rest.data());
  for (int64_t i = 0; i < n_ * columns; ++i) x[i] += rest[i];
}

}  // namespace at::solve
