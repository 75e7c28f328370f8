#include "kernels/slices.h"

#include <algorithm>
#include <vector>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/thin.h"
#include "kernels/add_tile.h"

namespace at::kernels {

namespace {

// Rows [first, first + rows) of m and columns [column, column + cols) of k of cotangent `component`
// (-1: of every one) of a unit. Between what is expanded of two samples there is a gap where it is
// long: else all of them would fall into the same few places of the cache.
struct Slice {
  size_t unit;
  int64_t component, first, rows, column, cols;
  int64_t width() const { return rows * cols; }
  int64_t place() const { return width() < 2048 ? width() : (width() + 31) / 16 * 16; }
};

constexpr int64_t kSliceNumbers = int64_t{1} << 20;  // of both sides: about a core's share of L3
constexpr int64_t kSliceColumns = 144;
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
      // About square, so that little is read for what is made.
      const int64_t parts = (unit.cols + kSliceColumns - 1) / kSliceColumns;
      const int64_t cols = (unit.cols + parts - 1) / parts;
      const int64_t most = std::max<int64_t>(1, kSliceNumbers / (total * cols));
      const int64_t pieces = (unit.rows + most - 1) / most;
      for (int64_t c = 0; c < (task_.type == KernelType::kTrace ? a_.count : 1); ++c) {
        const int64_t output = task_.type == KernelType::kFull    ? -1
                               : task_.type == KernelType::kTrace ? c
                                                                  : component;
        for (int64_t p = 0; p < pieces; ++p) {
          const int64_t first = unit.rows * p / pieces, last = unit.rows * (p + 1) / pieces;
          for (int64_t q = 0; q < unit.cols; q += cols) {
            slices_.push_back({u, output, first, last - first, q, std::min(cols, unit.cols - q)});
            numbers_ = std::max(numbers_, total * slices_.back().place());
          }
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
    const int64_t width = slice.width(), place = slice.place();
    control_.poll();
    expand(a_, slice, 0, a_.samples, scratch);
    if (same_) {
      blas::gram(rows_, width, Number(1), scratch, place, Number(1), sum, cols_);
      return;
    }
    Number* right = scratch + rows_ * place;
    expand(b_, slice, 0, b_.samples, right);
    blas::gemm(false, true, rows_, cols_, width, Number(1), scratch, place, right, place, Number(1),
               sum, cols_);
  }

  void add_in_tiles(const Slice& slice, Number* scratch, Number* sum) {
    const auto fill = [&](const Block<Number>& block, Number* to) {
      parallel_for(block.samples, 1, [&](int64_t first, int64_t last) {
        control_.poll();
        expand(block, slice, first, last, to);
      });
    };
    fill(a_, scratch);
    Number* right = same_ ? scratch : scratch + rows_ * slice.place();
    if (!same_) fill(b_, right);
    constexpr int64_t kTile = 512;
    const auto side = [&](const Number* x) {
      auto made = Side<Number>::dense(x, 1, slice.width());
      made.x_sample = slice.place();
      return made;
    };
    const auto left = side(scratch), other = side(right);
    const Grid grid = same_ ? Grid::half(rows_, kTile) : Grid(rows_, cols_, kTile);
    grid.each([&](const Place& place) {
      Number* to = sum + place.rows.first * cols_ + place.cols.first;
      add_tile<Number>({left, other, place, {to, cols_}}, pool_, control_);
    });
  }

  // A slice of samples [first, last): row (i, c) at to + (i·C + c)·place.
  void expand(const Block<Number>& block, const Slice& slice, int64_t first, int64_t last,
              Number* to) {
    const Unit<Number>& unit = block.units[slice.unit];
    const int64_t T = unit.positions, k = unit.cols, m = unit.rows, stride = block.count * m;
    const int64_t begin = slice.component < 0 ? 0 : slice.component;
    const int64_t end = slice.component < 0 ? block.count : slice.component + 1;
    for (int64_t i = first; i < last; ++i) {
      const Number* h = unit.h.get() + i * T * k + slice.column;
      Number* row = to + i * (end - begin) * slice.place();
      if (slice.rows == m && slice.width() == m * k && slice.place() == m * k) {
        multiply_out((end - begin) * m, k, T, unit.delta.get() + i * T * stride + begin * m, stride,
                     h, k, row, k);
        continue;
      }
      for (int64_t c = begin; c < end; ++c, row += slice.place())
        multiply_out(slice.rows, slice.cols, T,
                     unit.delta.get() + i * T * stride + c * m + slice.first, stride, h, k, row,
                     slice.cols);
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
