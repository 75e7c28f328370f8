#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/shape.h"

namespace at::solve {

// The lower triangle of a symmetric matrix over `samples` groups of `outputs` rows, cut into
// square tiles of whole samples. The cut depends on the sizes alone, so results do not depend on
// threads.
struct Grid {
  int64_t samples = 0, outputs = 1, step = 1;

  Grid() = default;
  // About 128 rows a tile keep a few tiles of doubles in the second-level cache.
  Grid(int64_t samples_, int64_t outputs_, int64_t positions)
      : samples(samples_), outputs(outputs_) {
    const int64_t rows = positions > 1 ? 256 : 128;
    step = std::max<int64_t>(1, rows / (outputs * std::max<int64_t>(1, positions)));
  }
  int64_t rows() const { return samples * outputs; }
  int64_t across() const { return (samples + step - 1) / step; }
  int64_t count() const { return across() * (across() + 1) / 2; }
  int64_t first(int64_t i) const { return i * step; }
  int64_t size(int64_t i) const { return std::min(step, samples - i * step); }
  // Row and column of tile t: (0,0), (1,0), (1,1), (2,0), …
  void place(int64_t t, int64_t* i, int64_t* j) const {
    int64_t row = 0;
    // Exact for every t below 2^52; the loops mend what rounding did.
    row = static_cast<int64_t>((std::sqrt(8.0 * static_cast<double>(t) + 1) - 1) / 2);
    while (row * (row + 1) / 2 > t) --row;
    while ((row + 1) * (row + 2) / 2 <= t) ++row;
    *i = row;
    *j = t - row * (row + 1) / 2;
  }
};

struct Tile {
  double* data;
  int64_t stride;
};

// Somewhere to put the tiles of a lower triangle, `unit` rows per sample: packed one after another,
// or in place in a full row-major matrix.
class Tiles {
 public:
  Tiles() = default;
  static Tiles packed(const Grid& grid, int64_t unit) {
    Tiles t;
    t.grid_ = grid;
    t.unit_ = unit;
    t.side_ = grid.step * unit;
    t.block_ = std::make_shared<Memory>(bytes(grid, unit));
    t.data_ = static_cast<double*>(t.block_->data());
    return t;
  }
  static Tiles in_matrix(const Grid& grid, double* matrix) {
    Tiles t;
    t.grid_ = grid;
    t.unit_ = grid.outputs;
    t.data_ = matrix;
    return t;
  }
  static size_t bytes(const Grid& grid, int64_t unit) {
    const int64_t side = grid.step * unit;
    return static_cast<size_t>(checked_mul(checked_mul(grid.count(), side * side), 8));
  }
  bool empty() const { return data_ == nullptr; }
  int64_t unit() const { return unit_; }
  const Grid& grid() const { return grid_; }
  Tile at(int64_t t, int64_t i, int64_t j) const {
    if (block_) return {data_ + t * side_ * side_, side_};
    const int64_t rows = grid_.rows();
    return {data_ + grid_.first(i) * unit_ * rows + grid_.first(j) * unit_, rows};
  }

 private:
  Grid grid_;
  int64_t unit_ = 1, side_ = 0;
  std::shared_ptr<Memory> block_;
  double* data_ = nullptr;
};

// body(t, i, j) for every tile of a grid, spread over the threads.
template <class Body>
void for_tiles(const Grid& grid, const Body& body) {
  parallel_for(grid.count(), 1, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) {
      int64_t i, j;
      grid.place(t, &i, &j);
      body(t, i, j);
    }
  });
}

}  // namespace at::solve
