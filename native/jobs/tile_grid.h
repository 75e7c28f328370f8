#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace at {

// The tiles of a kernel: squares of `size` samples a side, the last ones smaller, and which of them
// are wanted. Of a symmetric kernel there are those with row ≥ column.
class TileGrid {
 public:
  // finished: row · columns() + column of tiles that are there already.
  TileGrid(bool symmetric, int64_t samples1, int64_t samples2, int64_t size,
           const std::vector<int64_t>& finished)
      : symmetric_(symmetric), samples_{samples1, samples2}, size_(size) {
    wanted_.assign(static_cast<size_t>(rows() * columns()), true);
    for (int64_t tile : finished)
      if (tile >= 0 && tile < rows() * columns()) wanted_[static_cast<size_t>(tile)] = false;
  }

  bool symmetric() const { return symmetric_; }
  int64_t rows() const { return (samples_[0] + size_ - 1) / size_; }
  int64_t columns() const { return (samples_[1] + size_ - 1) / size_; }
  int64_t first(int64_t tile) const { return tile * size_; }
  // Samples of a row (side 0) or column (side 1) of tiles.
  int64_t samples(int side, int64_t tile) const {
    return std::min(size_, samples_[side] - tile * size_);
  }
  bool wanted(int64_t row, int64_t column) const {
    return (!symmetric_ || row >= column) && wanted_[index(row, column)];
  }
  void finish(int64_t row, int64_t column) { wanted_[index(row, column)] = false; }
  int64_t pairs(int64_t row, int64_t column) const {
    const int64_t rows = samples(0, row), columns = samples(1, column);
    return symmetric_ && row == column ? rows * (rows + 1) / 2 : rows * columns;
  }
  int64_t pairs_wanted() const {
    int64_t sum = 0;
    for (int64_t r = 0; r < rows(); ++r)
      for (int64_t c = 0; c < columns(); ++c)
        if (wanted(r, c)) sum += pairs(r, c);
    return sum;
  }

 private:
  size_t index(int64_t row, int64_t column) const {
    return static_cast<size_t>(row * columns() + column);
  }

  bool symmetric_;
  int64_t samples_[2];
  int64_t size_;
  std::vector<bool> wanted_;
};

}  // namespace at
