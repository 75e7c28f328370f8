#include "core/gram.h"

#include <algorithm>
#include <cstring>

#include "core/wider.h"

namespace at {

namespace {

constexpr int64_t kStretch = 512;  // of k: some rows of it fit into the innermost cache
constexpr int kLeft = 3, kRight = 4;
constexpr int kLanes = 8;
using Lanes = float __attribute__((vector_size(32)));
#define AT_INLINED inline __attribute__((always_inline))

AT_INLINED Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

// sums (kLeft, kRight) = the products of `rows` and `cols` rows of n numbers.
template <int rows, int cols>
AT_INLINED void multiply(const float* a, const float* b, int64_t ld, int64_t n, float* sums) {
  Lanes all[rows][cols] = {};
  int64_t e = 0;
  for (; e + kLanes <= n; e += kLanes) {
    Lanes right[cols];
#pragma GCC unroll 4
    for (int s = 0; s < cols; ++s) right[s] = load(b + s * ld + e);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const Lanes left = load(a + r * ld + e);
#pragma GCC unroll 4
      for (int s = 0; s < cols; ++s) all[r][s] += left * right[s];
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int s = 0; s < cols; ++s) {
      float total = 0;
      for (int l = 0; l < kLanes; ++l) total += all[r][s][l];
      for (int64_t t = e; t < n; ++t) total += a[r * ld + t] * b[s * ld + t];
      sums[r * kRight + s] = total;
    }
}

template <int rows>
AT_INLINED void multiply(int64_t cols, const float* a, const float* b, int64_t ld, int64_t n,
                         float* sums) {
  switch (cols) {
    case 1:
      return multiply<rows, 1>(a, b, ld, n, sums);
    case 2:
      return multiply<rows, 2>(a, b, ld, n, sums);
    case 3:
      return multiply<rows, 3>(a, b, ld, n, sums);
    default:
      return multiply<rows, kRight>(a, b, ld, n, sums);
  }
}

}  // namespace

void narrow_gram(int64_t m, int64_t k, float alpha, const float* a, int64_t lda, float beta,
                 float* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j <= i; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
  for (int64_t start = 0; start < k; start += kStretch) {
    const int64_t n = std::min(kStretch, k - start);
    wider([&] {
      float sums[kLeft * kRight];
      for (int64_t i = 0; i < m; i += kLeft) {
        const int64_t rows = std::min<int64_t>(kLeft, m - i);
        const float* left = a + i * lda + start;
        for (int64_t j = 0; j < i + rows; j += kRight) {
          const int64_t cols = std::min<int64_t>(kRight, m - j);
          const float* right = a + j * lda + start;
          if (rows == 1) {
            multiply<1>(cols, left, right, lda, n, sums);
          } else if (rows == 2) {
            multiply<2>(cols, left, right, lda, n, sums);
          } else {
            multiply<kLeft>(cols, left, right, lda, n, sums);
          }
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t s = 0; s < cols && j + s <= i + r; ++s)
              c[(i + r) * ldc + j + s] += alpha * sums[r * kRight + s];
        }
      }
    });
  }
}

}  // namespace at
