#include "core/panel.h"

#include <algorithm>
#include <cstring>

#include "core/wider.h"

namespace at {

#ifdef AT_WIDER

namespace {

constexpr int kLanes = 16, kRows = 8, kColumns = 3;
using Lanes = float __attribute__((vector_size(4 * kLanes)));
#define AT_INLINED inline __attribute__((always_inline))

enum class Store { kSet, kAdd, kPast };

template <Store store>
AT_INLINED void put(Lanes sum, float* to) {
  if (store == Store::kPast) {
#ifdef __clang__
    // It looks at the registers of an instruction before it knows what this is inlined into.
    __builtin_nontemporal_store(sum, reinterpret_cast<Lanes*>(to));
#else
    __asm__ volatile("vmovntps %1, %0" : "=m"(*reinterpret_cast<Lanes*>(to)) : "v"(sum));
#endif
    return;
  }
  if (store == Store::kAdd) {
    Lanes before;
    std::memcpy(&before, to, sizeof before);
    sum += before;
  }
  std::memcpy(to, &sum, sizeof sum);
}

// rows × columns·kLanes numbers of c; all sums stay in registers.
template <int rows, int columns, Store store>
AT_INLINED void block(const Panel& p, const float* a, const float* b, int64_t ldb, float* c,
                      int64_t ldc) {
  const int64_t depth = p.k, row = p.row, place = p.place;
  Lanes all[rows][columns] = {};
  for (int64_t t = 0; t < depth; ++t, a += place, b += ldb) {
    Lanes right[columns];
#pragma GCC unroll 3
    for (int s = 0; s < columns; ++s) std::memcpy(&right[s], b + s * kLanes, sizeof right[s]);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 3
      for (int s = 0; s < columns; ++s) all[r][s] += a[r * row] * right[s];
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 3
    for (int s = 0; s < columns; ++s) put<store>(all[r][s], c + r * ldc + s * kLanes);
}

// All rows of `columns`·kLanes columns of c.
template <int columns, Store store>
AT_INLINED void strip(const Panel& p, const float* b, float* c) {
  int64_t i = 0;
  for (; i + kRows <= p.m; i += kRows)
    block<kRows, columns, store>(p, p.a + i * p.row, b, p.ldb, c + i * p.ldc, p.ldc);
  for (; i + 2 <= p.m; i += 2)
    block<2, columns, store>(p, p.a + i * p.row, b, p.ldb, c + i * p.ldc, p.ldc);
  if (i < p.m) block<1, columns, store>(p, p.a + i * p.row, b, p.ldb, c + i * p.ldc, p.ldc);
}

constexpr int64_t kMostDepth = 1024;

// The last columns, fewer than kLanes.
AT_INLINED void edge(const Panel& p, int64_t j) {
  alignas(64) float right[kMostDepth * kLanes], sums[kRows * kLanes];
  const int64_t width = p.n - j;
  for (int64_t t = 0; t < p.k; ++t)
    for (int64_t s = 0; s < kLanes; ++s)
      right[t * kLanes + s] = s < width ? p.b[t * p.ldb + j + s] : 0;
  for (int64_t i = 0; i < p.m;) {
    const int64_t rows = p.m - i >= kRows ? kRows : 1;
    if (rows == kRows) {
      block<kRows, 1, Store::kSet>(p, p.a + i * p.row, right, kLanes, sums, kLanes);
    } else {
      block<1, 1, Store::kSet>(p, p.a + i * p.row, right, kLanes, sums, kLanes);
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t s = 0; s < width; ++s) {
        float& to = p.c[(i + r) * p.ldc + j + s];
        to = sums[r * kLanes + s] + (p.adds ? to : 0);
      }
    i += rows;
  }
}

template <Store store>
AT_INLINED void multiply(const Panel& p) {
  int64_t j = 0;
  for (; j + kColumns * kLanes <= p.n; j += kColumns * kLanes)
    strip<kColumns, store>(p, p.b + j, p.c + j);
  for (; j + 2 * kLanes <= p.n; j += 2 * kLanes) strip<2, store>(p, p.b + j, p.c + j);
  for (; j + kLanes <= p.n; j += kLanes) strip<1, store>(p, p.b + j, p.c + j);
  if (j < p.n) edge(p, j);
}

AT_WIDEST void set(const Panel& p) { multiply<Store::kSet>(p); }
AT_WIDEST void add(const Panel& p) { multiply<Store::kAdd>(p); }
AT_WIDEST void set_past(const Panel& p) {
  multiply<Store::kPast>(p);
  __asm__ volatile("sfence" ::: "memory");
}

}  // namespace

// Smaller products BLAS, too, has kernels for that copy nothing.
bool Panel::pays() const {
  constexpr int64_t kSmall = 1000000, kCached = 3 << 16;
  return m >= kRows && n >= kLanes && k <= kMostDepth && k * n <= kCached && m * n * k > kSmall &&
         (k >= 64 || n <= 1024) && has_widest();
}

void Panel::run() const { adds ? add(*this) : set(*this); }

void Panel::run_past() const {
  const bool lines = reinterpret_cast<uintptr_t>(c) % 64 == 0 && ldc % kLanes == 0;
  lines && !adds ? set_past(*this) : run();
}

#else

bool Panel::pays() const { return false; }
void Panel::run() const {}
void Panel::run_past() const {}

#endif

}  // namespace at
