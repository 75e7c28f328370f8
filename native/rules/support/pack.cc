#include "rules/support/pack.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

void transpose_block(const Real* from, int64_t m, int64_t n, int64_t from_stride, Real* to,
                     int64_t to_stride) {
  constexpr int64_t kTile = 16;
  for (int64_t j0 = 0; j0 < n; j0 += kTile) {
    const int64_t j1 = std::min(n, j0 + kTile);
    for (int64_t i0 = 0; i0 < m; i0 += kTile) {
      const int64_t i1 = std::min(m, i0 + kTile);
      for (int64_t j = j0; j < j1; ++j)
        for (int64_t i = i0; i < i1; ++i) to[j * to_stride + i] = from[i * from_stride + j];
    }
  }
}

void pack_blocks(const Real* from, int64_t count, int64_t blocks, int64_t rows, int64_t width,
                 bool columns, const Places& places, Real* to) {
  const int64_t size = rows * width;
  parallel_for(count * blocks, grain_for(size), [&](int64_t first, int64_t last) {
    Real* turned = lane_buffer<0>(columns ? size : 0);
    for (int64_t item = first; item < last; ++item) {
      const int64_t c = item / blocks, b = item % blocks;
      const Real* block = from + item * size;
      if (columns) {
        transpose_block(block, width, rows, rows, turned, width);
        block = turned;
      }
      const int64_t* slot = places.slot.data() + b * rows;
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(to + (slot[r] * count + c) * width, block + r * width, sizeof(Real) * width);
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
