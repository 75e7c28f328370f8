#include "core/gram.h"

#include <algorithm>
#include <cstring>

#include "core/wider.h"

namespace at {

namespace {

#define AT_INLINED inline __attribute__((always_inline))

// Numbers side by side.
template <int lanes>
struct LanesOf {
  typedef float Type __attribute__((vector_size(4 * lanes)));
};
template <int lanes>
using Lanes = typename LanesOf<lanes>::Type;

template <int lanes>
AT_INLINED Lanes<lanes> load(const float* from) {
  Lanes<lanes> numbers;
  std::memcpy(&numbers, from, sizeof numbers);
  return numbers;
}

template <int lanes>
AT_INLINED float total(Lanes<lanes> numbers) {
  float all[lanes];
  std::memcpy(all, &numbers, sizeof numbers);
  if constexpr (lanes > 4) {
    constexpr int half = lanes / 2;
    return total<half>(load<half>(all) + load<half>(all + half));
  }
  return (all[0] + all[1]) + (all[2] + all[3]);
}

// Products of `rows` rows with `cols` rows of n numbers: sums (rows, kMost).
constexpr int kMost = 6;
template <int lanes, int rows, int cols>
AT_INLINED void multiply(const float* a, const float* b, int64_t ld, int64_t n, float* sums) {
  Lanes<lanes> all[rows][cols] = {};
  int64_t e = 0;
  for (; e + lanes <= n; e += lanes) {
    Lanes<lanes> left[rows];
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) left[r] = load<lanes>(a + r * ld + e);
#pragma GCC unroll 6
    for (int s = 0; s < cols; ++s) {
      const Lanes<lanes> right = load<lanes>(b + s * ld + e);
#pragma GCC unroll 4
      for (int r = 0; r < rows; ++r) all[r][s] += left[r] * right;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 6
    for (int s = 0; s < cols; ++s) {
      float sum = total<lanes>(all[r][s]);
      for (int64_t t = e; t < n; ++t) sum += a[r * ld + t] * b[s * ld + t];
      sums[r * kMost + s] = sum;
    }
}

// Fewer of either.
template <int lanes, int height>
AT_INLINED void edge(int64_t rows, int64_t cols, const float* a, const float* b, int64_t ld,
                     int64_t n, float* sums) {
  int64_t s = 0;
  if (rows == height)
    for (; s + 2 <= cols; s += 2) multiply<lanes, height, 2>(a, b + s * ld, ld, n, sums + s);
  for (; s < cols; ++s)
    for (int64_t r = 0; r < rows; ++r)
      multiply<lanes, 1, 1>(a + r * ld, b + s * ld, ld, n, sums + r * kMost + s);
}

// c's lower triangle += alpha·a·aᵀ of n columns; `height` rows with `width` in registers.
template <int lanes, int height, int width>
AT_INLINED void add_stretch(int64_t m, int64_t n, float alpha, const float* a, int64_t lda,
                            float* c, int64_t ldc) {
  float sums[height * kMost];
  for (int64_t i = 0; i < m; i += height) {
    const int64_t rows = std::min<int64_t>(height, m - i);
    for (int64_t j = 0; j < i + rows; j += width) {
      const int64_t cols = std::min<int64_t>(width, std::min(m, i + rows) - j);
      const float *left = a + i * lda, *right = a + j * lda;
      if (rows == height && cols == width) {
        multiply<lanes, height, width>(left, right, lda, n, sums);
      } else {
        edge<lanes, height>(rows, cols, left, right, lda, n, sums);
      }
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t s = 0; s < cols && j + s <= i + r; ++s)
          c[(i + r) * ldc + j + s] += alpha * sums[r * kMost + s];
    }
  }
}

#ifdef AT_WIDER
AT_WIDEST void add_widest(int64_t m, int64_t n, float alpha, const float* a, int64_t lda, float* c,
                          int64_t ldc) {
  add_stretch<16, 4, 6>(m, n, alpha, a, lda, c, ldc);
}
#endif

}  // namespace

void narrow_gram(int64_t m, int64_t k, float alpha, const float* a, int64_t lda, float beta,
                 float* c, int64_t ldc) {
  // Of k: some rows of it fit into the innermost cache.
  constexpr int64_t kStretch = 1024;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j <= i; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
  for (int64_t start = 0; start < k; start += kStretch) {
    const int64_t n = std::min(kStretch, k - start);
#ifdef AT_WIDER
    if (has_widest()) {
      add_widest(m, n, alpha, a + start, lda, c, ldc);
      continue;
    }
#endif
    wider([&] { add_stretch<8, 3, 4>(m, n, alpha, a + start, lda, c, ldc); });
  }
}

}  // namespace at
