#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "core/buffer.h"
#include "core/shape.h"
#include "kernels/grid.h"

namespace at::kernels {

// Row-major numbers, `stride` from row to row.
template <class Number>
struct Tile {
  Number* data;
  int64_t stride;
};

// to ← the transpose of `tile` (rows × cols); of a tile on the diagonal only of what lies below it.
template <class From, class Number>
void reflect(const Tile<From>& tile, const Tile<Number>& to, int64_t rows, int64_t cols,
             bool diagonal = false) {
  constexpr int64_t kSide = 32;  // both strips stay in the first-level cache
  for (int64_t r0 = 0; r0 < rows; r0 += kSide)
    for (int64_t c0 = 0; c0 < cols; c0 += kSide)
      for (int64_t c = c0; c < std::min(cols, c0 + kSide); ++c)
        for (int64_t r = diagonal ? std::max(r0, c + 1) : r0; r < std::min(rows, r0 + kSide); ++r)
          to.data[c * to.stride + r] = tile.data[r * tile.stride + c];
}

// The tiles of a lower triangle with `unit` rows per sample: packed one after another, or in place
// in a full row-major matrix.
template <class Number>
class Triangle {
 public:
  Triangle() = default;
  static Triangle packed(const Grid& grid, int64_t unit) {
    Triangle t(grid, unit, nullptr);
    t.block_ = std::make_shared<Memory>(bytes(grid, unit));
    t.data_ = t.block_->template numbers<Number>();
    return t;
  }
  static Triangle in_matrix(const Grid& grid, int64_t unit, Number* matrix) {
    return Triangle(grid, unit, matrix);
  }
  static size_t bytes(const Grid& grid, int64_t unit) {
    const int64_t side = grid.step() * unit;
    return static_cast<size_t>(checked_mul(checked_mul(grid.count(), side * side), sizeof(Number)));
  }
  bool empty() const { return data_ == nullptr; }
  int64_t unit() const { return unit_; }
  const Grid& grid() const { return grid_; }
  Tile<Number> at(const Place& place) const {
    const int64_t side = grid_.step() * unit_;
    if (block_) return {data_ + place.index * side * side, side};
    const int64_t width = grid_.samples() * unit_;
    return {data_ + place.rows.first * unit_ * width + place.cols.first * unit_, width};
  }
  // The tile's mirror image, in a full matrix.
  Tile<Number> across(const Place& place) const {
    const int64_t width = grid_.samples() * unit_;
    return {data_ + place.cols.first * unit_ * width + place.rows.first * unit_, width};
  }
  void clear() const {
    grid_.each([&](const Place& place) {
      const Tile<Number> tile = at(place);
      for (int64_t r = 0; r < place.rows.size * unit_; ++r)
        std::fill_n(tile.data + r * tile.stride, place.cols.size * unit_, Number(0));
    });
  }
  // Writes the upper triangle of a full matrix.
  void mirror() const {
    grid_.each([&](const Place& place) {
      reflect(at(place), across(place), place.rows.size * unit_, place.cols.size * unit_,
              place.diagonal);
    });
  }

 private:
  Triangle(const Grid& grid, int64_t unit, Number* data) : grid_(grid), unit_(unit), data_(data) {}

  Grid grid_;
  int64_t unit_ = 1;
  std::shared_ptr<Memory> block_;
  Number* data_ = nullptr;
};

// The upper triangle of a matrix (size × size) from the lower one.
template <class Number>
void mirror(Number* matrix, int64_t size) {
  Triangle<Number>::in_matrix(Grid::half(size, 256), 1, matrix).mirror();
}

}  // namespace at::kernels
