#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "core/blas.h"

namespace at {

// Of matrices in which few numbers are other than 0, as cotangents are behind a maximum over many
// positions: they are looked for, and only they are multiplied.

// One number in so many, or fewer: with more of them a product of all numbers takes no longer.
constexpr int64_t kThin = 16;

// body(e) for every number of x (n) that is not 0, until it returns false: then this does so, too.
template <class T, class Body>
bool each_nonzero(const T* x, int64_t n, const Body& body) {
  constexpr int64_t kBlock = 64 / static_cast<int64_t>(sizeof(T));
  // All bits but the signs.
  constexpr uint64_t kBits = sizeof(T) == 8 ? ~uint64_t{0} >> 1 : 0x7fffffff7fffffffu;
  int64_t e = 0;
  for (; e + kBlock <= n; e += kBlock) {
    uint64_t words[8], any = 0;
    std::memcpy(words, x + e, sizeof words);
    for (uint64_t word : words) any |= word;
    if ((any & kBits) == 0) continue;
    for (int64_t l = e; l < e + kBlock; ++l)
      if (x[l] != 0 && !body(l)) return false;
  }
  for (; e < n; ++e)
    if (x[e] != 0 && !body(e)) return false;
  return true;
}

// Are `found` of n numbers few, so many among the first `seen`? Where not, the first tell.
inline bool is_few(int64_t found, int64_t seen, int64_t n) {
  constexpr int64_t kFirst = 64;
  return found * kThin <= n && (found <= kFirst || found * (kThin / 2) <= seen);
}

// Are few of x's numbers other than 0?
template <class T>
bool is_thin(const T* x, int64_t n) {
  int64_t found = 0;
  return each_nonzero(x, n, [&](int64_t e) { return is_few(++found, e, n); });
}

// The numbers of a matrix (rows × columns) that are not 0, by columns.
class ThinColumns {
 public:
  struct Entry {
    int32_t row, column;
  };

  // Rows at distance `ld`. False where they are not few: then nothing is known of them.
  template <class T>
  bool find(int64_t rows, int64_t columns, const T* x, int64_t ld) {
    found_.clear();
    for (int64_t r = 0; r < rows; ++r) {
      const bool few = each_nonzero(x + r * ld, columns, [&](int64_t c) {
        add(r, c);
        return is_few(static_cast<int64_t>(found_.size()), r * columns + c, rows * columns);
      });
      if (!few) return false;
    }
    sort(columns);
    return true;
  }
  // However many they are.
  template <class T>
  void take(int64_t rows, int64_t columns, const T* x) {
    found_.clear();
    each_nonzero(x, rows * columns, [&](int64_t e) {
      add(e / columns, e % columns);
      return true;
    });
    sort(columns);
  }

  const Entry* begin(int64_t column) const {
    return sorted_.data() + (column > 0 ? ends_[static_cast<size_t>(column) - 1] : 0);
  }
  const Entry* end(int64_t column) const {
    return sorted_.data() + ends_[static_cast<size_t>(column)];
  }

 private:
  void add(int64_t row, int64_t column) {
    found_.push_back({static_cast<int32_t>(row), static_cast<int32_t>(column)});
  }
  void sort(int64_t columns);

  std::vector<Entry> found_, sorted_;
  std::vector<int64_t> ends_;  // of columns in sorted_
};

// c (m × n) = aᵀ·b for such an a (k × m), and b (k × n), rows at distances lda, ldb and ldc. False:
// a is another, and nothing was done. A 0 of a meets no number of b.
bool multiply_thin(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                   int64_t ldb, float* c, int64_t ldc);
bool multiply_thin(int64_t m, int64_t n, int64_t k, const double* a, int64_t lda, const double* b,
                   int64_t ldb, double* c, int64_t ldc);

// The same of any a: in one way or the other.
template <class T>
void multiply_out(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb,
                  T* c, int64_t ldc) {
  if (multiply_thin(m, n, k, a, lda, b, ldb, c, ldc)) return;
  blas::gemm(true, false, m, n, k, T(1), a, lda, b, ldb, T(0), c, ldc);
}

// to (n) += factor·from
template <class T>
void add_scaled(int64_t n, T factor, const T* from, T* to);

}  // namespace at
