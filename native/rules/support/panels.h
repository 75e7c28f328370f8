#pragma once

#include <cstdint>

#include "rules/support/lanes.h"

namespace at {
inline namespace AT_PRECISION {

// Products of operands that are made for them, tile by tile (support/quick.cc): the left one lies
// in panels of kLanes rows, (rows / kLanes, depth, kLanes), so that neither is packed, as BLAS
// would with every product again.

constexpr int64_t kPanelColumns = 2 * kLanes;  // a line of the cache

// The right operand (depth, n): by rows, or in panels of columns, (n / kPanelColumns, depth,
// kPanelColumns), which are written line by line.
struct RightOperand {
  const Real* numbers;
  int64_t row, panel;  // from one to the next
  static RightOperand by_rows(const Real* numbers, int64_t ld) {
    return {numbers, ld, kPanelColumns};
  }
  static RightOperand in_panels(const Real* numbers, int64_t depth) {
    return {numbers, kPanelColumns, depth * kPanelColumns};
  }
};

// Operands of the product that comes next, of the same sizes and without gaps: fetched while the
// one before is computed, or else what lies outside the cache is waited for.
struct NextOperands {
  const Real* left = nullptr;
  const Real* right = nullptr;
};

// to (rows, n) = left·right, or that is added; rows and n are whole lanes, `ld` lies from one row
// of `to` to the next. A sum's order follows the depth alone.
void multiply_panels(int64_t rows, int64_t n, int64_t depth, const Real* left,
                     const RightOperand& right, bool add, Real* to, int64_t ld,
                     NextOperands next = {});

}  // namespace AT_PRECISION
}  // namespace at
