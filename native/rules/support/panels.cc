#include "rules/support/panels.h"

#include "core/wider.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

using Wide = Real __attribute__((vector_size(64)));
using Narrow = Real __attribute__((vector_size(16)));

// Lines of the cache that are fetched for the next product, one by one.
class Ahead {
 public:
  static constexpr int64_t kLine = 64;
  Ahead(const NextOperands& next, int64_t rows, int64_t n, int64_t depth)
      : regions_{region(next.right, n * depth), region(next.left, rows * depth)} {}

  // So many lines: where they begin, and how far one is from the next. `other` where there are
  // none.
  const char* take(int64_t count, const Real* other, int64_t& step) {
    for (Region& region : regions_) {
      if (region.lines <= 0) continue;
      const char* first = region.first;
      region.first += count * kLine;
      region.lines -= count;
      step = kLine;
      return first;
    }
    step = 0;
    return reinterpret_cast<const char*>(other);
  }

 private:
  struct Region {
    const char* first;
    int64_t lines;
  };
  static Region region(const Real* from, int64_t count) {
    const auto bytes = count * static_cast<int64_t>(sizeof(Real));
    return {reinterpret_cast<const char*>(from), from ? bytes / kLine : 0};
  }
  Region regions_[2];
};

struct Operands {
  int64_t rows, depth;
  const Real* left;
  RightOperand right;
  bool add;
  Real* to;
  int64_t ld;
};

// `rows` rows from row i on, `count` registers from column j on: the sums stay in registers.
template <class Register, int rows, int count>
AT_PORTABLE void block(const Operands& o, Ahead& ahead, int64_t i, int64_t j) {
  constexpr int width = sizeof(Register) / sizeof(Real);
  const Real* left = o.left + i / kLanes * kLanes * o.depth + i % kLanes;
  const Real* right[count];  // where each register's columns begin
#pragma GCC unroll 3
  for (int c = 0; c < count; ++c) {
    const int64_t column = j + c * width;
    right[c] = o.right.numbers + column / kPanelColumns * o.right.panel + column % kPanelColumns;
  }
  Real* to = o.to + i * o.ld + j;
  Register sums[rows][count];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 3
    for (int c = 0; c < count; ++c) {
      sums[r][c] = Register{};
      if (o.add) std::memcpy(&sums[r][c], to + r * o.ld + c * width, sizeof(Register));
    }
  int64_t step;
  const char* line = ahead.take(o.depth, left, step);
  for (int64_t p = 0; p < o.depth; ++p, left += kLanes, line += step) {
    __builtin_prefetch(line, 0, 2);
    Register own[count];
#pragma GCC unroll 3
    for (int c = 0; c < count; ++c) {
      std::memcpy(&own[c], right[c], sizeof(Register));
      right[c] += o.right.row;
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 3
      for (int c = 0; c < count; ++c) sums[r][c] += own[c] * left[r];
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 3
    for (int c = 0; c < count; ++c)
      std::memcpy(to + r * o.ld + c * width, &sums[r][c], sizeof(Register));
}

// Columns from j on, as many as `count` registers hold, for which the right operand stays in the
// cache; gives the next.
template <class Register, int rows, int count>
AT_PORTABLE int64_t columns(const Operands& o, Ahead& ahead, int64_t j) {
  for (int64_t i = 0; i < o.rows; i += rows) block<Register, rows, count>(o, ahead, i, j);
  return j + count * static_cast<int64_t>(sizeof(Register) / sizeof(Real));
}

// All columns, four rows at once.
template <class Register>
AT_PORTABLE void four_rows(const Operands& o, Ahead& ahead, int64_t n) {
  constexpr int64_t width = sizeof(Register) / sizeof(Real);
  int64_t j = 0;
  while (n - j >= 3 * width) j = columns<Register, 4, 3>(o, ahead, j);
  if (n - j >= 2 * width) j = columns<Register, 4, 2>(o, ahead, j);
  if (j < n) columns<Register, 4, 1>(o, ahead, j);
}

}  // namespace

void multiply_panels(int64_t rows, int64_t n, int64_t depth, const Real* left,
                     const RightOperand& right, bool add, Real* to, int64_t ld, NextOperands next) {
  const Operands o{rows, depth, left, right, add, to, ld};
  Ahead ahead(next, rows, n, depth);
  // 24 of 32 registers hold sums, 12 of 16 below.
  const bool done = widest([&] {
    constexpr int64_t width = sizeof(Wide) / sizeof(Real);
    int64_t j = 0;
    while (n - j >= 3 * width) j = columns<Wide, kLanes, 3>(o, ahead, j);
    if (n - j >= 2 * width) j = columns<Wide, kLanes, 2>(o, ahead, j);
    if (n - j >= width) j = columns<Wide, kLanes, 1>(o, ahead, j);
    if (j < n) columns<Lanes, kLanes, 1>(o, ahead, j);
  });
  if (done) return;
  if (has_wider()) return wider([&] { four_rows<Lanes>(o, ahead, n); });
  // Elsewhere compilers would take a register of 32 bytes apart, by way of memory.
  four_rows<Narrow>(o, ahead, n);
}

}  // namespace AT_PRECISION
}  // namespace at
