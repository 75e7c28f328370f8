#include "contraction/tile.h"

#include <algorithm>

#include "contraction/term.h"
#include "core/parallel.h"

namespace at {

namespace {

struct Range {
  int64_t first, size;
};

// Pieces of whole samples, about `rows` kernel rows each, of nearly equal size.
std::vector<Range> split(int64_t samples, int64_t count, int64_t rows) {
  const int64_t per = std::max<int64_t>(1, rows / count);
  const int64_t pieces = (samples + per - 1) / per;
  std::vector<Range> ranges;
  for (int64_t p = 0; p < pieces; ++p) {
    const int64_t first = samples * p / pieces, last = samples * (p + 1) / pieces;
    ranges.push_back({first, last - first});
  }
  return ranges;
}

// Where a tile of (rows of samples) × (columns of samples) goes in the whole result.
class Placer {
 public:
  Placer(const KernelTask& task, int64_t component, float* result)
      : task_(task), component_(component), result_(result) {}

  void place(const float* tile, int64_t row0, int64_t rows, int64_t col0, int64_t cols,
             bool transposed) const {
    const int64_t O = task_.outputs;
    const int64_t C = task_.type == KernelType::kFull ? O : 1;
    const int64_t columns = task_.samples2 * C;
    const int64_t step = task_.type == KernelType::kDiagonal ? O : 1;
    const int64_t height = rows * C, width = cols * C;
    if (!transposed) {
      for (int64_t r = 0; r < height; ++r) {
        float* to = result_ + ((row0 * C + r) * columns + col0 * C) * step + component_;
        const float* from = tile + r * width;
        for (int64_t c = 0; c < width; ++c) to[c * step] = from[c];
      }
      return;
    }
    constexpr int64_t kStrip = 32;  // whole cache lines of both sides
    for (int64_t c0 = 0; c0 < width; c0 += kStrip) {
      for (int64_t r = 0; r < height; ++r) {
        for (int64_t c = c0; c < std::min(width, c0 + kStrip); ++c)
          result_[((col0 * C + c) * columns + row0 * C + r) * step + component_] =
              tile[r * width + c];
      }
    }
  }

 private:
  const KernelTask& task_;
  int64_t component_;
  float* result_;
};

}  // namespace

void contract(const KernelTask& task, const Block& a, const Block& b, bool same,
              const std::vector<float*>& results, Pool& pool, const Control& control) {
  const int64_t C = task.type == KernelType::kFull ? task.outputs : 1;
  // Small kernels are cut finer, so that every thread has work.
  const int64_t rows = a.samples * C, cols = b.samples * C;
  const int64_t aim = std::clamp<int64_t>(std::min(rows, cols) / 4, 32, 320);
  const std::vector<Range> row_ranges = split(a.samples, C, aim);
  const std::vector<Range> col_ranges = split(b.samples, C, aim);
  std::vector<std::pair<size_t, size_t>> tiles;
  for (size_t r = 0; r < row_ranges.size(); ++r)
    for (size_t c = 0; c < (same ? r + 1 : col_ranges.size()); ++c) tiles.emplace_back(r, c);
  const int64_t components = task.type == KernelType::kDiagonal ? task.outputs : 1;

  parallel_for(static_cast<int64_t>(tiles.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const Range row = row_ranges[tiles[index].first], col = col_ranges[tiles[index].second];
      const bool on_diagonal = same && tiles[index].first == tiles[index].second;
      const int64_t height = row.size * C, width = col.size * C;
      auto tile = pool.floats(height * width);
      for (size_t group = 0; group < results.size(); ++group) {
        for (int64_t component = 0; component < components; ++component) {
          control.poll();
          std::fill(tile.get(), tile.get() + height * width, 0.0f);
          for (size_t u = 0; u < a.units.size(); ++u) {
            if (a.units[u].group != static_cast<int>(group)) continue;
            const Term left(task.type, a.units[u], a.count, component);
            const Term right(task.type, b.units[u], b.count, component);
            add_term({left, row.first, row.size, right, col.first, col.size, tile.get()}, pool,
                     control);
          }
          if (on_diagonal) {
            for (int64_t r = 0; r < height; ++r)
              for (int64_t c = r + 1; c < width; ++c)
                tile.get()[r * width + c] = tile.get()[c * width + r];
          }
          const Placer placer(task, component, results[group]);
          placer.place(tile.get(), a.first + row.first, row.size, b.first + col.first, col.size,
                       false);
          if (task.symmetric && !on_diagonal)
            placer.place(tile.get(), a.first + row.first, row.size, b.first + col.first, col.size,
                         true);
        }
      }
    }
  });
}

}  // namespace at
