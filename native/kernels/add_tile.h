#pragma once

#include "core/buffer.h"
#include "core/control.h"
#include "kernels/side.h"

namespace at::kernels {

// One tile of the kernel between two sides; `place` tells which, `out` (rows·C × cols·C) where it
// is added.
template <class Number>
struct TileTask {
  const Side<Number>& left;
  const Side<Number>& right;
  const Place& place;
  Tile<Number> out;
  int64_t height() const { return place.rows.size * left.C; }
  int64_t width() const { return place.cols.size * right.C; }
};

// One thread, unless the tile is small and its sides have many positions. On a diagonal place both
// sides must be the same, and what stands above the diagonal is of no account.
template <class Number>
void add_tile(const TileTask<Number>& task, Pool& pool, const Control& control);

}  // namespace at::kernels
