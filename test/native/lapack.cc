// LAPACK's routines against closed forms: the matrix min(i, j), whose factor is all ones, and the
// second difference, whose eigenvalues are 2 − 2 cos(kπ/(n + 1)).
#include "core/lapack.h"

#include "support.h"

namespace at::test {

namespace {

using Matrix = std::vector<double>;

// min(i, j) + 1 in the lower triangle of rows of `lda` numbers; the rest is `other`.
Matrix smaller_index(int64_t n, int64_t lda, double other) {
  Matrix a(static_cast<size_t>(n * lda), other);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) a[i * lda + j] = static_cast<double>(j + 1);
  return a;
}

Matrix ones_below(int64_t n, int64_t lda, double other) {
  Matrix a(static_cast<size_t>(n * lda), other);
  for (int64_t i = 0; i < n; ++i) std::fill_n(a.begin() + i * lda, i + 1, 1.0);
  return a;
}

Matrix second_difference(int64_t n) {
  Matrix a(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  return a;
}

// a (m × k) · b (k × n), b as rows of its transpose when `transposed`.
Matrix times(const Matrix& a, const Matrix& b, int64_t m, int64_t k, int64_t n,
             bool transposed = false) {
  Matrix c(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l)
        c[i * n + j] += a[i * k + l] * (transposed ? b[j * k + l] : b[l * n + j]);
  return c;
}

Matrix identity(int64_t n) {
  Matrix a(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) a[i * n + i] = 1;
  return a;
}

}  // namespace

TEST_CASE("lapack: Cholesky of a matrix with a known factor; what lies above stays") {
  for (const int64_t n : {int64_t{0}, int64_t{1}, int64_t{5}, int64_t{150}}) {
    Matrix a = smaller_index(n, n + 3, NAN);
    CHECK_EQ(lapack::cholesky(n, a.data(), n + 3), 0);
    near(a, ones_below(n, n + 3, NAN), 1e-12);
  }
}

TEST_CASE("lapack: Cholesky names the first minor that is not positive") {
  Matrix a = identity(6);
  a[3 * 6 + 3] = -1;
  CHECK_EQ(lapack::cholesky(6, a.data(), 6), 4);
}

TEST_CASE("lapack: pivoted Cholesky finds the rank and gives the matrix back") {
  Random random(1);
  const int64_t n = 40, rank = 7;
  const Matrix factor = random.normals(n * rank);
  const Matrix whole = times(factor, factor, n, rank, n, true);
  Matrix l = whole;
  std::vector<int> pivots(n);
  CHECK_EQ(lapack::pivoted_cholesky(n, l.data(), n, 1e-9, pivots.data()), rank);
  Matrix truth(n * n), again(n * n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      truth[i * n + j] = whole[pivots[i] * n + pivots[j]];
      for (int64_t k = 0; k < std::min({rank, i + 1, j + 1}); ++k)
        again[i * n + j] += l[i * n + k] * l[j * n + k];
    }
  }
  near(again, truth, 1e-12);
}

TEST_CASE("lapack: triangular solves undo the triangular products") {
  Random random(2);
  const int64_t n = 30, columns = 4;
  Matrix l = random.normals(n * n);
  for (int64_t i = 0; i < n; ++i) {
    l[i * n + i] = 5 + std::abs(l[i * n + i]);
    for (int64_t j = i + 1; j < n; ++j) l[i * n + j] = 0;
  }
  Matrix upper(n * n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) upper[i * n + j] = l[j * n + i];
  const Matrix x = random.normals(n * columns);
  Matrix y = times(l, x, n, n, columns);
  lapack::solve_lower(false, n, columns, l.data(), n, y.data(), columns);
  near(y, x, 1e-13);
  y = times(upper, x, n, n, columns);
  lapack::solve_lower(true, n, columns, l.data(), n, y.data(), columns);
  near(y, x, 1e-13);
  const Matrix v = random.normals(n);
  for (const bool transposed : {false, true}) {
    y = times(transposed ? upper : l, v, n, n, 1);
    lapack::solve_lower(transposed, n, 1, l.data(), n, y.data(), 1);
    near(y, v, 1e-13);
  }
  // x ← x L⁻ᵀ for x of `columns` rows.
  y = times(x, l, columns, n, n, true);
  lapack::solve_lower_right(columns, n, l.data(), n, y.data(), n);
  near(y, x, 1e-13);
}

TEST_CASE("lapack: a rank update writes the lower triangle only") {
  Random random(3);
  const int64_t n = 9, k = 5;
  const Matrix a = random.normals(n * k), before = random.normals(n * n);
  const Matrix gram = times(a, a, n, k, n, true);
  Matrix truth = before, c = before;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) truth[i * n + j] = 2 * gram[i * n + j] - before[i * n + j];
  lapack::rank_update(n, k, 2, a.data(), k, -1, c.data(), n);
  near(c, truth, 1e-14);
}

TEST_CASE("lapack: eigenvalues and eigenvectors of the second difference") {
  const int64_t n = 60;
  const Matrix whole = second_difference(n);
  std::vector<double> truth(n), values(n);
  for (int64_t k = 0; k < n; ++k)
    truth[k] = 2 - 2 * std::cos(3.141592653589793 * static_cast<double>(k + 1) / (n + 1));
  Matrix a = whole;
  lapack::eigen(false, n, a.data(), values.data());
  near(values, truth, 1e-14);
  a = whole;
  lapack::eigen(true, n, a.data(), values.data());
  near(values, truth, 1e-14);
  near(times(a, a, n, n, n, true), identity(n), 1e-13);
  // Rows are vectors: V A = diag(λ) V.
  Matrix scaled = a;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) scaled[i * n + j] *= values[i];
  near(times(a, whole, n, n, n), scaled, 1e-13);
}

TEST_CASE("lapack: singular values of a matrix made of known ones") {
  Random random(4);
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{12, 30}, {30, 12}, {8, 8}, {1, 5}}) {
    const int64_t r = std::min(m, n);
    // Orthonormal columns from two mirrors, 1 − 2ww'/w'w.
    Matrix a(m * n);
    std::vector<double> truth(r);
    for (int64_t i = 0; i < r; ++i) a[i * n + i] = truth[i] = static_cast<double>(r - i);
    const auto mirror = [&](int64_t size) {
      const Matrix w = random.normals(size);
      Matrix q = identity(size);
      double square = 0;
      for (const double x : w) square += x * x;
      for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < size; ++j) q[i * size + j] -= 2 * w[i] * w[j] / square;
      return q;
    };
    a = times(times(mirror(m), a, m, m, n), mirror(n), m, n, n);
    Matrix copy = a, u(m * r), s(r), vt(r * n);
    lapack::svd(m, n, copy.data(), u.data(), s.data(), vt.data());
    near(s, truth, 1e-13);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < r; ++j) u[i * r + j] *= s[j];
    near(times(u, vt, m, r, n), a, 1e-13);
  }
}

TEST_CASE("lapack: matrix times vector, of one triangle and of a whole matrix") {
  Random random(5);
  const int64_t m = 6, n = 11;
  const Matrix a = random.normals(m * n), x = random.normals(n), y = random.normals(m);
  Matrix truth = times(a, x, m, n, 1), out = y;
  for (int64_t i = 0; i < m; ++i) truth[i] = 2 * truth[i] + 3 * y[i];
  lapack::product(false, m, n, 2, a.data(), n, x.data(), 3, out.data());
  near(out, truth, 1e-14);
  out = Matrix(n, NAN);
  lapack::product(true, m, n, 1, a.data(), n, y.data(), 0, out.data());
  near(out, times(y, a, 1, m, n), 1e-14);
  out = y;
  lapack::product(false, m, 0, 1, a.data(), 1, x.data(), 0, out.data());
  near(out, Matrix(m), 0);

  Matrix symmetric = second_difference(n);
  const Matrix image = times(symmetric, x, n, n, 1);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) symmetric[i * n + j] = NAN;
  out = Matrix(n, NAN);
  lapack::symmetric_product(n, 1, symmetric.data(), n, x.data(), 0, out.data());
  near(out, image, 1e-14);
  CHECK_EQ(lapack::dot(3, Matrix{1, 2, 3}.data(), Matrix{4, 5, 6}.data()), 32);
}

TEST_CASE("lapack: sizes beyond 32 bits are refused") {
  double one = 1;
  CHECK_EQ(code_of([&] { lapack::cholesky(int64_t{1} << 31, &one, int64_t{1} << 31); }),
           "TOO_LARGE");
}

}  // namespace at::test
