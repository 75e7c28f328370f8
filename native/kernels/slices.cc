#include "kernels/slices.h"

#include <algorithm>
#include <vector>

#include "core/blas.h"
#include "core/parallel.h"
#include "kernels/add_tile.h"

namespace at::kernels {

namespace {

// Rows [first, first + rows) of m of cotangent `component` (-1: of every one) of a unit.
struct Slice {
  size_t unit;
  int64_t component, first, rows;
};

constexpr int64_t kSliceNumbers = int64_t{1} << 20;    // of both sides: about a core's share of L3
constexpr int64_t kPartialNumbers = int64_t{1} << 21;  // of all partial sums
constexpr int64_t kLanes = 8;

template <class Number>
class Slices {
 public:
  Slices(const KernelTask& task, const Block<Number>& a, const Block<Number>& b, bool same,
         Pool& pool, const Control& control)
      : task_(task), a_(a), b_(b), same_(same), pool_(pool), control_(control) {
    const int64_t C = task.components();
    rows_ = a.samples * C;
    cols_ = b.samples * C;
  }

  void plan(int group, int64_t component) {
    const int64_t total = same_ ? rows_ : rows_ + cols_;
    for (size_t u = 0; u < a_.units.size(); ++u) {
      const Unit<Number>& unit = a_.units[u];
      if (unit.group != group || !unit.lazy()) continue;
      const int64_t most = std::max<int64_t>(1, kSliceNumbers / (total * unit.cols));
      const int64_t pieces = (unit.rows + most - 1) / most;
      for (int64_t c = 0; c < (task_.type == KernelType::kTrace ? a_.count : 1); ++c) {
        const int64_t output = task_.type == KernelType::kFull    ? -1
                               : task_.type == KernelType::kTrace ? c
                                                                  : component;
        for (int64_t p = 0; p < pieces; ++p) {
          const int64_t first = unit.rows * p / pieces, last = unit.rows * (p + 1) / pieces;
          slices_.push_back({u, output, first, last - first});
          numbers_ = std::max(numbers_, total * (last - first) * unit.cols);
        }
      }
    }
  }

  // The slices are dealt to a number of partial sums that does not depend on the threads, so that
  // neither does the result; kernels too large for that are cut into tiles instead.
  void run(Number* sum) {
    const int64_t cells = rows_ * cols_;
    const auto count = static_cast<int64_t>(slices_.size());
    const int64_t lanes = std::min({kPartialNumbers / cells, kLanes, count});
    if (lanes <= 1) {
      auto scratch = pool_.take<Number>(numbers_);
      for (const Slice& slice : slices_) add_in_tiles(slice, scratch.get(), sum);
      return;
    }
    auto partial = pool_.take<Number>(lanes * cells);
    parallel_for(lanes, 1, [&](int64_t begin, int64_t end) {
      auto scratch = pool_.take<Number>(numbers_);
      for (int64_t l = begin; l < end; ++l) {
        Number* own = partial.get() + l * cells;
        std::fill(own, own + cells, Number(0));
        for (int64_t s = count * l / lanes; s < count * (l + 1) / lanes; ++s)
          add(slices_[static_cast<size_t>(s)], scratch.get(), own);
      }
    });
    parallel_for(cells, grain_for(lanes), [&](int64_t first, int64_t last) {
      for (int64_t l = 0; l < lanes; ++l) {
        const Number* own = partial.get() + l * cells;
        for (int64_t e = first; e < last; ++e) sum[e] += own[e];
      }
    });
  }

 private:
  void add(const Slice& slice, Number* scratch, Number* sum) {
    const int64_t width = slice.rows * a_.units[slice.unit].cols;
    control_.poll();
    expand(a_, slice, 0, a_.samples, scratch);
    if (same_) {
      blas::gram(rows_, width, Number(1), scratch, width, Number(1), sum, cols_);
      return;
    }
    Number* right = scratch + rows_ * width;
    expand(b_, slice, 0, b_.samples, right);
    blas::gemm(false, true, rows_, cols_, width, Number(1), scratch, width, right, width, Number(1),
               sum, cols_);
  }

  void add_in_tiles(const Slice& slice, Number* scratch, Number* sum) {
    const int64_t width = slice.rows * a_.units[slice.unit].cols;
    const auto fill = [&](const Block<Number>& block, Number* to) {
      parallel_for(block.samples, 1, [&](int64_t first, int64_t last) {
        control_.poll();
        expand(block, slice, first, last, to);
      });
    };
    fill(a_, scratch);
    Number* right = same_ ? scratch : scratch + rows_ * width;
    if (!same_) fill(b_, right);
    constexpr int64_t kTile = 512;
    const auto left = Side<Number>::dense(scratch, 1, width);
    const auto other = Side<Number>::dense(right, 1, width);
    const Grid grid = same_ ? Grid::half(rows_, kTile) : Grid(rows_, cols_, kTile);
    grid.each([&](const Place& place) {
      Number* to = sum + place.rows.first * cols_ + place.cols.first;
      add_tile<Number>({left, other, place, {to, cols_}}, pool_, control_);
    });
  }

  // Columns of a slice for samples [first, last): row (i, c) at to + (i·C + c)·rows·k.
  void expand(const Block<Number>& block, const Slice& slice, int64_t first, int64_t last,
              Number* to) {
    const Unit<Number>& unit = block.units[slice.unit];
    const int64_t T = unit.positions, k = unit.cols, m = unit.rows, stride = block.count * m;
    const int64_t size = slice.rows * k;
    const int64_t begin = slice.component < 0 ? 0 : slice.component;
    const int64_t end = slice.component < 0 ? block.count : slice.component + 1;
    for (int64_t i = first; i < last; ++i) {
      const Number* h = unit.h.get() + i * T * k;
      Number* row = to + i * (end - begin) * size;
      if (end - begin > 1 && slice.rows == m) {
        blas::gemm(true, false, stride, k, T, Number(1), unit.delta.get() + i * T * stride, stride,
                   h, k, Number(0), row, k);
        continue;
      }
      for (int64_t c = begin; c < end; ++c, row += size)
        blas::gemm(true, false, slice.rows, k, T, Number(1),
                   unit.delta.get() + i * T * stride + c * m + slice.first, stride, h, k, Number(0),
                   row, k);
    }
  }

  const KernelTask& task_;
  const Block<Number>&a_, &b_;
  bool same_;
  Pool& pool_;
  const Control& control_;
  int64_t rows_ = 0, cols_ = 0;
  int64_t numbers_ = 0;  // of the largest slice
  std::vector<Slice> slices_;
};

}  // namespace

template <class Number>
void contract_slices(const KernelTask& task, int group, int64_t component, const Block<Number>& a,
                     const Block<Number>& b, bool same, Number* sum, Pool& pool,
                     const Control& control) {
  Slices<Number> slices(task, a, b, same, pool, control);
  slices.plan(group, component);
  slices.run(sum);
}

template void contract_slices(const KernelTask&, int, int64_t, const Block<float>&,
                              const Block<float>&, bool, float*, Pool&, const Control&);
template void contract_slices(const KernelTask&, int, int64_t, const Block<double>&,
                              const Block<double>&, bool, double*, Pool&, const Control&);

}  // namespace at::kernels
