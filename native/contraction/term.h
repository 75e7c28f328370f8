#pragma once

#include "contraction/block.h"
#include "core/buffer.h"
#include "core/control.h"

namespace at {
inline namespace AT_PRECISION {

// A unit as a kernel type sees it: C components per sample with m rows each. The trace kernel
// stacks the outputs into the rows (C = 1, m·O rows), the diagonal one sees one output (C = 1).
struct Term {
  Term(KernelType type, const Unit& unit, int64_t count, int64_t component);

  Method method;
  int64_t C;
  // Dense: row of sample i, component c, at x + i·x_sample + c·size.
  const Real* x = nullptr;
  int64_t x_sample = 0;
  int64_t size = 0;
  // Factored: δ[i,t,c] (m) at delta + (i·T + t)·delta_place + c·m; h[i,t] (k) at h + (i·T + t)·k.
  const Real* delta = nullptr;
  int64_t delta_place = 0;
  const Real* h = nullptr;
  int64_t T = 1, m = 1, k = 1;
  // Picked rows: those of a sample at an entry, (C, width), at picked + entry·picked_place. They
  // may come with factors, of the same matrix or, crosswise, of its transpose, whose δ has
  // `stacked` outputs in it.
  const Picks* picks = nullptr;
  const Real* picked = nullptr;
  int64_t picked_place = 0, width = 0;
  bool crosswise = false;
  int64_t stacked = 1;
};

// A term's kernel between samples [row0, row0 + rows) of `left` and [col0, col0 + cols) of `right`
// is added to out (rows·C × cols·C). With `lower` both sides are the same, and what stands above
// the diagonal is of no account.
struct Tile {
  const Term& left;
  int64_t row0, rows;
  const Term& right;
  int64_t col0, cols;
  bool lower;
  Real* out;
  int64_t columns() const { return cols * right.C; }
};

// One thread.
void add_term(const Tile& tile, Pool& pool, const Control& control);

}  // namespace AT_PRECISION
}  // namespace at
