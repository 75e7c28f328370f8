#include "core/blas.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/parallel.h"
#include "support.h"

namespace at::test {

namespace {

struct Product {
  bool trans_a, trans_b;
  int64_t m, n, k;
  double alpha, beta;
};

// alpha·op(A)·op(B) + beta·C, summed in long double.
template <class T>
std::vector<T> plain(const Product& p, const std::vector<T>& a, int64_t lda,
                     const std::vector<T>& b, int64_t ldb, std::vector<T> c, int64_t ldc) {
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      long double sum = 0;
      for (int64_t l = 0; l < p.k; ++l) {
        const T x = a[static_cast<size_t>(p.trans_a ? l * lda + i : i * lda + l)];
        const T y = b[static_cast<size_t>(p.trans_b ? j * ldb + l : l * ldb + j)];
        sum += static_cast<long double>(x) * y;
      }
      T& out = c[static_cast<size_t>(i * ldc + j)];
      out = static_cast<T>(p.alpha * sum + (p.beta == 0 ? 0 : p.beta * out));
    }
  }
  return c;
}

// Both products against the plain one; rows are wider than the matrix, and what lies between stays.
template <class T>
void check(const Product& p, double tolerance) {
  CAPTURE(p.trans_a);
  CAPTURE(p.trans_b);
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.k);
  Random random(static_cast<uint64_t>(p.m * 131 + p.n * 17 + p.k));
  const int64_t lda = (p.trans_a ? p.m : p.k) + 2, ldb = (p.trans_b ? p.k : p.n) + 1;
  const int64_t ldc = p.n + 3;
  const auto a = random.normals<T>((p.trans_a ? p.k : p.m) * lda);
  const auto b = random.normals<T>((p.trans_b ? p.n : p.k) * ldb);
  auto c = random.normals<T>(p.m * ldc);
  const auto truth = plain(p, a, lda, b, ldb, c, ldc);
  // With beta = 0 nothing of C may be read.
  if (p.beta == 0)
    for (int64_t i = 0; i < p.m; ++i) std::fill_n(c.begin() + i * ldc, p.n, T(NAN));
  auto again = c;
  blas::gemm(p.trans_a, p.trans_b, p.m, p.n, p.k, T(p.alpha), a.data(), lda, b.data(), ldb,
             T(p.beta), c.data(), ldc);
  near(c, truth, tolerance);
  with_threads(0, [&] {
    blas::parallel_gemm(p.trans_a, p.trans_b, p.m, p.n, p.k, T(p.alpha), a.data(), lda, b.data(),
                        ldb, T(p.beta), again.data(), ldc);
  });
  near(again, truth, tolerance);
}

template <class T>
void check_all(double tolerance) {
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for (const double beta : {0.0, 1.0, -0.5}) {
        check<T>({trans_a, trans_b, 5, 7, 3, 1, beta}, tolerance);
        check<T>({trans_a, trans_b, 1, 33, 20, 2, beta}, tolerance);
        check<T>({trans_a, trans_b, 19, 1, 40, -1, beta}, tolerance);
        check<T>({trans_a, trans_b, 4, 6, 0, 1, beta}, tolerance);
        // Few rows, computed some columns at a time.
        check<T>({trans_a, trans_b, 4, 643, 130, 2, beta}, tolerance);
        // Read where they lie, with edges of every kind.
        check<T>({trans_a, trans_b, 267, 115, 61, 1, beta}, tolerance);
      }
      check<T>({trans_a, trans_b, 47, 131, 33, 1, 0}, tolerance);
      check<T>({trans_a, trans_b, 12, 61, 9000, 1, 0}, tolerance);
      // Many rows, computed as the transpose; a row or a column too many for whole pieces.
      check<T>({trans_a, trans_b, 131, 9, 70, -2, 0.5}, tolerance);
      check<T>({trans_a, trans_b, 90, 257, 400, 1, 0}, tolerance);
      // Large enough to be split, by rows and by columns.
      check<T>({trans_a, trans_b, 700, 96, 150, 1, 0}, tolerance);
      check<T>({trans_a, trans_b, 90, 801, 130, 1, 1}, tolerance);
    }
  }
}

template <class T>
void check_gram(int64_t m, int64_t k, double tolerance) {
  Random random(3);
  const int64_t lda = k + 3, ldc = m + 3;
  const auto a = random.normals<T>(m * lda);
  auto c = random.normals<T>(m * ldc);
  auto truth = plain({false, true, m, m, k, 0.5, -2}, a, lda, a, lda, c, ldc);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = i + 1; j < m; ++j) truth[i * ldc + j] = c[i * ldc + j];
  blas::gram(m, k, T(0.5), a.data(), lda, T(-2), c.data(), ldc);
  near(c, truth, tolerance);
  blas::gram(0, k, T(1), a.data(), lda, T(0), c.data(), ldc);
  near(c, truth, tolerance);
}

}  // namespace

TEST_CASE("blas: products in float against plain sums") { check_all<float>(3e-6); }
TEST_CASE("blas: products in double against plain sums") { check_all<double>(1e-14); }
TEST_CASE("blas: A·Aᵀ writes the lower triangle only") {
  check_gram<float>(37, 21, 2e-6);
  check_gram<double>(37, 21, 1e-14);
  // Few long rows, with edges of every kind.
  for (const int64_t m : {1, 7, 12, 61, 64}) check_gram<float>(m, 1531, 2e-6);
}

TEST_CASE("blas: products that are written past the caches") {
  Random random(7);
  const int64_t m = 133, n = 80, k = 110;
  for (const bool trans_a : {false, true}) {
    const int64_t lda = trans_a ? m : k;
    const auto a = random.normals<float>(m * k), b = random.normals<float>(k * n);
    const auto truth =
        plain({trans_a, false, m, n, k, 1, 0}, a, lda, b, n, std::vector<float>(m * n), n);
    // Rows that begin with a line of the cache, and others.
    for (const int64_t shift : {0, 1}) {
      Memory memory(sizeof(float) * (m * n + 1));
      float* c = memory.floats() + shift;
      blas::gemm_past(trans_a, m, n, k, a.data(), lda, b.data(), n, c, n);
      near(std::vector<float>(c, c + m * n), truth, 3e-6);
    }
  }
}

TEST_CASE("blas: products in several threads at once") {
  Random random(5);
  const int64_t n = 64;
  const auto a = random.normals<float>(n * n), b = random.normals<float>(n * n);
  const Product p{false, false, n, n, n, 1, 0};
  const auto truth = plain(p, a, n, b, n, std::vector<float>(n * n), n);
  std::vector<std::vector<float>> results(32, std::vector<float>(n * n));
  parallel_for(32, 1, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k)
      blas::gemm(false, false, n, n, n, 1.0f, a.data(), n, b.data(), n, 0.0f,
                 results[static_cast<size_t>(k)].data(), n);
  });
  for (const auto& result : results) near(result, truth, 2e-6);
}

TEST_CASE("blas: says which library it is") { CHECK_NE(blas::describe(), ""); }

TEST_CASE("blas: a product that is wrong is noticed") {
  CHECK(blas::is_exact());
  const auto right = [](int64_t n, const float* a, const float* b, float* c) {
    blas::gemm(false, false, n, n, n, 1.0f, a, n, b, n, 0.0f, c, n);
  };
  CHECK(blas::is_exact<float>(right));
  // In one entry, by NaN everywhere, or not at all.
  CHECK(!blas::is_exact<float>([&](int64_t n, const float* a, const float* b, float* c) {
    right(n, a, b, c);
    c[n * n - 1] += 1;
  }));
  CHECK(!blas::is_exact<float>([&](int64_t n, const float*, const float*, float* c) {
    std::fill(c, c + n * n, std::nanf(""));
  }));
  CHECK(!blas::is_exact<float>([](int64_t, const float*, const float*, float*) {}));
}

}  // namespace at::test
