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
constexpr int64_t kLeastTile = 256, kMostTile = 384;
// Rows of a strip that is solved for at once.
constexpr int64_t kStrip = 128;
// Diagonal blocks of L that are inverted: a product with the inverse takes a third of the time of
// solving, and of blocks as small as this it loses nothing.
constexpr int64_t kLeaf = 64;

// One diagonal block of L (size × size), with the inverses of its own diagonal blocks.
struct Panel {
  const double* l = nullptr;
  int64_t size = 0, ld = 0;
  std::vector<double> inverses;  // (size / kLeaf) blocks of kLeaf rows

  // Factors the block at a; returns as lapack::cholesky() does.
  int64_t factor(int64_t n, double* a, int64_t lda) {
    l = a, size = n, ld = lda;
    if (const int64_t minor = lapack::cholesky(n, a, lda)) return minor;
    inverses.assign(static_cast<size_t>(size * kLeaf), 0.0);
    for (int64_t c = 0; c < size; c += kLeaf) {
      const int64_t width = std::min(kLeaf, size - c);
      double* to = inverses.data() + c * kLeaf;
      for (int64_t i = 0; i < width; ++i) std::copy_n(a + (c + i) * lda + c, i + 1, to + i * width);
      lapack::invert_lower(width, to, width);
    }
    return 0;
  }

  // x ← x L⁻ᵀ for x (rows × size).
  void solve_right(int64_t rows, double* x, int64_t ldx) const {
    for (int64_t c = 0; c < size; c += kLeaf) {
      const int64_t width = std::min(kLeaf, size - c);
      if (c > 0)
        blas::gemm(false, true, rows, width, c, -1.0, x, ldx, l + c * ld, ld, 1.0, x + c, ldx);
      lapack::multiply_lower_right(rows, width, inverses.data() + c * kLeaf, width, x + c, ldx);
    }
  }
};

}  // namespace

int64_t cholesky(int64_t n, double* a, const Control& control) {
  // Enough tiles for the threads where the matrix is small.
  const int64_t tile = std::clamp(n / 4, kLeastTile, kMostTile);
  Panel panel, following;
  int64_t minor = n > 0 ? panel.factor(std::min(kPanel, n), a, n) : 0;
  for (int64_t k = 0; k < n && minor == 0; k += kPanel) {
    control.poll();
    const int64_t next = std::min(n, k + kPanel), size = next - k;
    const int64_t strips = (n - next + kStrip - 1) / kStrip;
    parallel_for(strips, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = next + first * kStrip; i < std::min(n, next + last * kStrip); i += kStrip)
        panel.solve_right(std::min(kStrip, n - i), a + i * n + k, n);
    });
    // Tile t of the lower triangle: row t's tiles come after those of all rows above.
    const int64_t tiles = (n - next + tile - 1) / tile;
    parallel_for(tiles * (tiles + 1) / 2, 1, [&](int64_t first, int64_t last) {
      int64_t row = 0;
      while ((row + 1) * (row + 2) / 2 <= first) ++row;
      int64_t col = first - row * (row + 1) / 2;
      for (int64_t t = first; t < last; ++t) {
        const int64_t i = next + row * tile, j = next + col * tile;
        const int64_t rows = std::min(tile, n - i), cols = std::min(tile, n - j);
        if (row == col) {
          lapack::rank_update(rows, size, -1, a + i * n + k, n, 1, a + i * n + i, n);
        } else {
          blas::gemm(false, true, rows, cols, size, -1.0, a + i * n + k, n, a + j * n + k, n, 1.0,
                     a + i * n + j, n);
        }
        // The next diagonal block, all of it in the first tile, while other threads go on.
        if (t == 0) {
          minor = following.factor(std::min(kPanel, rows), a + i * n + i, n);
          if (minor > 0) minor += i;
        }
        if (++col > row) {
          ++row;
          col = 0;
        }
      }
    });
    std::swap(panel, following);
  }
  return minor;
}

namespace {

// Rows or columns of a matrix that one thread multiplies with a vector.
constexpr int64_t kStretch = 256;

// work(first, size) for all stretches of [0, count).
template <class Work>
void in_stretches(int64_t count, const Work& work) {
  parallel_for((count + kStretch - 1) / kStretch, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from * kStretch; i < std::min(count, to * kStretch); i += kStretch)
      work(i, std::min(kStretch, count - i));
  });
}

// x ← (L Lᵀ)⁻¹ x for one column: L is read at the speed of the memory, by all threads.
void solve_column(int64_t n, const double* l, double* x) {
  const int64_t panels = (n + kPanel - 1) / kPanel;
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t k = p * kPanel, size = std::min(kPanel, n - k), next = k + size;
    lapack::solve_lower(false, size, 1, l + k * n + k, n, x + k, 1);
    in_stretches(n - next, [&](int64_t first, int64_t rows) {
      const int64_t i = next + first;
      lapack::product(false, rows, size, -1, l + i * n + k, n, x + k, 1, x + i);
    });
  }
  for (int64_t p = panels - 1; p >= 0; --p) {
    const int64_t k = p * kPanel, size = std::min(kPanel, n - k);
    lapack::solve_lower(true, size, 1, l + k * n + k, n, x + k, 1);
    in_stretches(k, [&](int64_t first, int64_t columns) {
      lapack::product(true, size, columns, -1, l + k * n + first, n, x + k, 1, x + first);
    });
  }
}

// y = A x for the symmetric A of which the upper triangle is read, tile by tile over all threads.
void upper_product(int64_t n, const double* a, const double* x, double* y) {
  const int64_t tiles = (n + kStretch - 1) / kStretch;
  // What a tile gives to the numbers of its rows, then to those of its columns.
  std::vector<double> parts(static_cast<size_t>(tiles * tiles * kStretch));
  const auto part = [&](int64_t to, int64_t from) {
    return parts.data() + (to * tiles + from) * kStretch;
  };
  parallel_for(tiles * tiles, 1, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) {
      const int64_t row = t / tiles, col = t % tiles, i = row * kStretch, j = col * kStretch;
      const int64_t rows = std::min(kStretch, n - i), cols = std::min(kStretch, n - j);
      const double* tile = a + i * n + j;
      if (row > col) continue;
      if (row == col) {
        lapack::symmetric_product(rows, 1, tile, n, x + i, 0, part(row, row));
        continue;
      }
      lapack::product(false, rows, cols, 1, tile, n, x + j, 0, part(row, col));
      lapack::product(true, rows, cols, 1, tile, n, x + i, 0, part(col, row));
    }
  });
  std::fill_n(y, n, 0.0);
  for (int64_t to = 0; to < tiles; ++to)
    for (int64_t from = 0; from < tiles; ++from) {
      const double* add = part(to, from);
      for (int64_t i = to * kStretch; i < std::min(n, (to + 1) * kStretch); ++i) y[i] += *add++;
    }
}

}  // namespace

void cholesky_solve(int64_t n, int64_t columns, const double* l, double* x) {
  if (columns == 1) return solve_column(n, l, x);
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
  root_.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) root_[i] = a[i * n + i];
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

double CholeskyFactor::reciprocal_condition() const { return linear::reciprocal_condition(root_); }

Statistics CholeskyFactor::statistics() const { return statistics_of(status_, root_); }

void CholeskyFactor::shifted(double shift, int64_t columns, const double* x, double* y) const {
  std::vector<double> column(static_cast<size_t>(n_)), image(static_cast<size_t>(n_));
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t i = 0; i < n_; ++i) column[i] = x[i * columns + c];
    // The diagonal of a_ belongs to L: its share is put right here.
    upper_product(n_, a_, column.data(), image.data());
    for (int64_t i = 0; i < n_; ++i)
      y[i * columns + c] = image[i] + (diagonal_[i] + shift - root_[i]) * column[i];
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
  return {{linear::log_determinant(root_), 0}, status_, statistics()};
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
