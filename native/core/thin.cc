#include "core/thin.h"

#include <algorithm>

#include "core/wider.h"

namespace at {

void ThinColumns::sort(int64_t columns) {
  ends_.assign(static_cast<size_t>(columns) + 1, 0);
  for (const Entry& entry : found_) ++ends_[static_cast<size_t>(entry.column) + 1];
  for (int64_t c = 0; c < columns; ++c)
    ends_[static_cast<size_t>(c) + 1] += ends_[static_cast<size_t>(c)];
  sorted_.resize(found_.size());
  // Where a column begins moves on to its end.
  for (const Entry& entry : found_)
    sorted_[static_cast<size_t>(ends_[static_cast<size_t>(entry.column)]++)] = entry;
}

namespace {

template <class T>
void set_scaled(int64_t n, T factor, const T* from, T* to) {
  wider([&] {
    for (int64_t j = 0; j < n; ++j) to[j] = factor * from[j];
  });
}

template <class T>
bool multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb,
              T* c, int64_t ldc) {
  if (k < kThin || n < kThin) return false;
  static thread_local ThinColumns entries;
  if (!entries.find(k, m, a, lda)) return false;
  for (int64_t r = 0; r < m; ++r, c += ldc) {
    const auto *entry = entries.begin(r), *const end = entries.end(r);
    if (entry == end) {
      std::fill(c, c + n, T(0));
      continue;
    }
    const auto factor = [&] { return a[entry->row * lda + r]; };
    set_scaled(n, factor(), b + entry->row * ldb, c);
    while (++entry != end) add_scaled(n, factor(), b + entry->row * ldb, c);
  }
  return true;
}

}  // namespace

template <class T>
void add_scaled(int64_t n, T factor, const T* from, T* to) {
  wider([&] {
    for (int64_t j = 0; j < n; ++j) to[j] += factor * from[j];
  });
}
template void add_scaled(int64_t, float, const float*, float*);
template void add_scaled(int64_t, double, const double*, double*);

bool multiply_thin(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                   int64_t ldb, float* c, int64_t ldc) {
  return multiply(m, n, k, a, lda, b, ldb, c, ldc);
}
bool multiply_thin(int64_t m, int64_t n, int64_t k, const double* a, int64_t lda, const double* b,
                   int64_t ldb, double* c, int64_t ldc) {
  return multiply(m, n, k, a, lda, b, ldb, c, ldc);
}

}  // namespace at
