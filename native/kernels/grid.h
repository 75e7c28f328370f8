#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/parallel.h"

namespace at::kernels {

// Samples [first, first + size).
struct Range {
  int64_t first = 0, size = 0;
};

// A tile of a kernel: its number and its samples. On the diagonal of a kernel with itself only what
// lies on and below the diagonal counts.
struct Place {
  int64_t index = 0;
  Range rows, cols;
  bool diagonal = false;
};

// A kernel cut into tiles of whole samples. Of a kernel with itself only the tiles of the lower
// triangle are there: (0,0), (1,0), (1,1), (2,0), … The cut depends on the sizes alone, so results
// do not depend on threads.
class Grid {
 public:
  Grid() = default;
  // Tiles of at most `step` samples on either side, of nearly equal size.
  Grid(int64_t rows, int64_t cols, int64_t step) : rows_(rows), cols_(cols), step_(step) {
    down_ = (rows + step - 1) / step;
    across_ = (cols + step - 1) / step;
  }
  static Grid half(int64_t samples, int64_t step) {
    Grid grid(samples, samples, step);
    grid.half_ = true;
    return grid;
  }
  int64_t samples() const { return rows_; }
  int64_t step() const { return step_; }
  int64_t count() const { return half_ ? down_ * (down_ + 1) / 2 : down_ * across_; }
  Place place(int64_t index) const {
    int64_t row, col;
    if (half_) {
      // Exact for every index below 2^52; the loops correct what rounding did.
      row = static_cast<int64_t>((std::sqrt(8.0 * static_cast<double>(index) + 1) - 1) / 2);
      while (row * (row + 1) / 2 > index) --row;
      while ((row + 1) * (row + 2) / 2 <= index) ++row;
      col = index - row * (row + 1) / 2;
    } else {
      row = index / across_;
      col = index % across_;
    }
    return {index, piece(rows_, down_, row), piece(cols_, across_, col), half_ && row == col};
  }
  // body(place) for every tile, spread over the threads of the surrounding arena.
  template <class Body>
  void each(const Body& body) const {
    parallel_for(count(), 1, [&](int64_t first, int64_t last) {
      for (int64_t index = first; index < last; ++index) body(place(index));
    });
  }

 private:
  static Range piece(int64_t samples, int64_t pieces, int64_t index) {
    const int64_t first = samples * index / pieces;
    return {first, samples * (index + 1) / pieces - first};
  }

  int64_t rows_ = 0, cols_ = 0, step_ = 1, down_ = 0, across_ = 0;
  bool half_ = false;
};

}  // namespace at::kernels
