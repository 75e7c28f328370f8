#include "contraction/tile.h"

#include <algorithm>

#include "contraction/slices.h"
#include "contraction/term.h"
#include "core/parallel.h"

namespace at {
inline namespace AT_PRECISION {

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
  Placer(const KernelTask& task, int64_t component, Real* result)
      : task_(task), component_(component), result_(result) {}

  void place(const Real* tile, int64_t row0, int64_t rows, int64_t col0, int64_t cols,
             bool transposed) const {
    const int64_t O = task_.outputs;
    const int64_t C = task_.components();
    const int64_t columns = task_.samples2 * C;
    const int64_t step = task_.type == KernelType::kDiagonal ? O : 1;
    const int64_t height = rows * C, width = cols * C;
    if (!transposed) {
      for (int64_t r = 0; r < height; ++r) {
        Real* to = result_ + ((row0 * C + r) * columns + col0 * C) * step + component_;
        const Real* from = tile + r * width;
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
  Real* result_;
};

// Both sides of a kernel cut into tiles; small kernels are cut finer, so that every thread has
// work.
struct Tiles {
  Tiles(const Block& a, const Block& b, int64_t C, bool same) {
    const int64_t aim = std::clamp<int64_t>(std::min(a.samples, b.samples) * C / 4, 32, 320);
    rows = split(a.samples, C, aim);
    cols = split(b.samples, C, aim);
    for (size_t r = 0; r < rows.size(); ++r)
      for (size_t c = 0; c < (same ? r + 1 : cols.size()); ++c) pairs.emplace_back(r, c);
  }
  // body(range of rows, range of columns, whether on the diagonal of a block with itself).
  template <class Body>
  void each(bool same, const Body& body) const {
    parallel_for(static_cast<int64_t>(pairs.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const auto [r, c] = pairs[static_cast<size_t>(index)];
        body(rows[r], cols[c], same && r == c);
      }
    });
  }
  std::vector<Range> rows, cols;
  std::vector<std::pair<size_t, size_t>> pairs;
};

// The units of one group in two blocks.
class Group {
 public:
  Group(const KernelTask& task, int index, const Block& a, const Block& b)
      : task_(task), a_(a), b_(b) {
    for (size_t u = 0; u < a.units.size(); ++u) {
      if (a.units[u].group != index) continue;
      if (is_lazy(a.units[u])) {
        lazy_ = true;
      } else {
        others_.push_back(u);
      }
    }
  }
  bool lazy() const { return lazy_; }
  bool only_lazy() const { return others_.empty(); }
  // Adds those that are not lazy to a tile.
  void add(int64_t component, Range row, Range col, bool lower, Real* tile, Pool& pool,
           const Control& control) const {
    for (size_t u : others_) {
      control.poll();
      const Term left(task_.type, a_.units[u], a_.count, component);
      const Term right(task_.type, b_.units[u], b_.count, component);
      add_term({left, row.first, row.size, right, col.first, col.size, lower, tile}, pool, control);
    }
  }

 private:
  const KernelTask& task_;
  const Block &a_, &b_;
  bool lazy_ = false;
  std::vector<size_t> others_;
};

}  // namespace

void contract(const KernelTask& task, const Block& a, const Block& b, bool same,
              const std::vector<Real*>& results, Pool& pool, const Control& control) {
  const int64_t C = task.components();
  const int64_t rows = a.samples * C, cols = b.samples * C;
  const int64_t kernels = task.type == KernelType::kDiagonal ? task.outputs : 1;
  const Tiles tiles(a, b, C, same);
  for (int group = 0; group < static_cast<int>(results.size()); ++group) {
    const Group units(task, group, a, b);
    std::shared_ptr<Real> sum;
    if (units.lazy()) sum = pool.take<Real>(rows * cols);
    for (int64_t component = 0; component < kernels; ++component) {
      if (sum) {
        std::fill(sum.get(), sum.get() + rows * cols, Real(0.0));
        contract_slices(task, group, component, a, b, same, sum.get(), pool, control);
      }
      const Placer placer(task, component, results[static_cast<size_t>(group)]);
      tiles.each(same, [&](Range row, Range col, bool on_diagonal) {
        const int64_t height = row.size * C, width = col.size * C;
        auto tile = pool.take<Real>(height * width);
        control.poll();
        if (sum) {
          const Real* from = sum.get() + row.first * C * cols + col.first * C;
          for (int64_t r = 0; r < height; ++r)
            std::copy(from + r * cols, from + r * cols + width, tile.get() + r * width);
        } else {
          std::fill(tile.get(), tile.get() + height * width, Real(0.0));
        }
        units.add(component, row, col, on_diagonal, tile.get(), pool, control);
        if (on_diagonal) {
          for (int64_t r = 0; r < height; ++r)
            for (int64_t c = r + 1; c < width; ++c)
              tile.get()[r * width + c] = tile.get()[c * width + r];
        }
        placer.place(tile.get(), a.first + row.first, row.size, b.first + col.first, col.size,
                     false);
        if (task.symmetric && !on_diagonal)
          placer.place(tile.get(), a.first + row.first, row.size, b.first + col.first, col.size,
                       true);
      });
    }
  }
}

void accumulate(const KernelTask& task, const Block& part, const std::vector<Real*>& results,
                Pool& pool, const Control& control) {
  const int64_t C = task.components();
  const int64_t size = part.samples * C;
  const Tiles tiles(part, part, C, true);
  for (int group = 0; group < static_cast<int>(results.size()); ++group) {
    Real* result = results[static_cast<size_t>(group)];
    const Group units(task, group, part, part);
    if (units.lazy()) contract_slices(task, group, 0, part, part, true, result, pool, control);
    if (units.only_lazy()) continue;
    tiles.each(true, [&](Range row, Range col, bool on_diagonal) {
      const int64_t height = row.size * C, width = col.size * C;
      auto tile = pool.take<Real>(height * width);
      std::fill(tile.get(), tile.get() + height * width, Real(0.0));
      units.add(0, row, col, on_diagonal, tile.get(), pool, control);
      for (int64_t r = 0; r < height; ++r) {
        Real* to = result + (row.first * C + r) * size + col.first * C;
        for (int64_t c = 0; c < width; ++c) to[c] += tile.get()[r * width + c];
      }
    });
  }
}

void mirror(const KernelTask& task, const std::vector<Real*>& results) {
  const int64_t size = task.samples1 * task.components();
  constexpr int64_t kStrip = 32;  // whole cache lines of both sides
  for (Real* result : results) {
    parallel_for((size + kStrip - 1) / kStrip, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c0 = begin * kStrip; c0 < std::min(size, end * kStrip); c0 += kStrip)
        for (int64_t r = c0; r < size; ++r)
          for (int64_t c = c0; c < std::min(r, c0 + kStrip); ++c)
            result[c * size + r] = result[r * size + c];
    });
  }
}

}  // namespace AT_PRECISION
}  // namespace at
