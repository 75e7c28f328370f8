#include "contraction/slices.h"

#include <algorithm>
#include <vector>

#include "core/blas.h"
#include "core/parallel.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// Rows [first, first + rows) of m of cotangent `component` (-1: of every one) of a unit.
struct Slice {
  size_t unit;
  int64_t component, first, rows;
};

constexpr int64_t kSliceFloats = int64_t{1} << 20;    // of both sides: about a core's share of L3
constexpr int64_t kPartialFloats = int64_t{1} << 21;  // of all partial sums
constexpr int64_t kLanes = 8;

class Slices {
 public:
  Slices(const KernelTask& task, const Block& a, const Block& b, bool same, Pool& pool,
         const Control& control)
      : task_(task), a_(a), b_(b), same_(same), pool_(pool), control_(control) {
    const int64_t C = task.components();
    rows_ = a.samples * C;
    cols_ = b.samples * C;
  }

  void plan(int group, int64_t component) {
    const int64_t total = same_ ? rows_ : rows_ + cols_;
    for (size_t u = 0; u < a_.units.size(); ++u) {
      const Unit& unit = a_.units[u];
      if (unit.group != group || !is_lazy(unit)) continue;
      const int64_t most = std::max<int64_t>(1, kSliceFloats / (total * unit.cols));
      const int64_t pieces = (unit.rows + most - 1) / most;
      for (int64_t c = 0; c < (task_.type == KernelType::kTrace ? a_.count : 1); ++c) {
        const int64_t output = task_.type == KernelType::kFull    ? -1
                               : task_.type == KernelType::kTrace ? c
                                                                  : component;
        for (int64_t p = 0; p < pieces; ++p) {
          const int64_t first = unit.rows * p / pieces, last = unit.rows * (p + 1) / pieces;
          slices_.push_back({u, output, first, last - first});
          floats_ = std::max(floats_, total * (last - first) * unit.cols);
        }
      }
    }
  }

  // The slices are dealt to a number of partial sums that does not depend on the threads, so that
  // neither does the result; kernels too large for that are cut into tiles instead.
  void run(Real* sum) {
    const int64_t cells = rows_ * cols_;
    const auto count = static_cast<int64_t>(slices_.size());
    const int64_t lanes = std::min({kPartialFloats / cells, kLanes, count});
    if (lanes <= 1) {
      auto scratch = pool_.take<Real>(floats_);
      for (const Slice& slice : slices_) add_in_tiles(slice, scratch.get(), sum);
      return;
    }
    auto partial = pool_.take<Real>(lanes * cells);
    parallel_for(lanes, 1, [&](int64_t begin, int64_t end) {
      auto scratch = pool_.take<Real>(floats_);
      for (int64_t l = begin; l < end; ++l) {
        Real* own = partial.get() + l * cells;
        std::fill(own, own + cells, Real(0.0));
        for (int64_t s = count * l / lanes; s < count * (l + 1) / lanes; ++s)
          add(slices_[static_cast<size_t>(s)], scratch.get(), own);
      }
    });
    parallel_for(cells, grain_for(lanes), [&](int64_t first, int64_t last) {
      for (int64_t l = 0; l < lanes; ++l) {
        const Real* own = partial.get() + l * cells;
        for (int64_t e = first; e < last; ++e) sum[e] += own[e];
      }
    });
  }

 private:
  void add(const Slice& slice, Real* scratch, Real* sum) {
    const int64_t width = slice.rows * a_.units[slice.unit].cols;
    control_.poll();
    expand(a_, slice, 0, a_.samples, scratch);
    if (same_) {
      blas::gram(rows_, width, Real(1.0), scratch, width, Real(1.0), sum, cols_);
      return;
    }
    Real* right = scratch + rows_ * width;
    expand(b_, slice, 0, b_.samples, right);
    blas::gemm(false, true, rows_, cols_, width, Real(1.0), scratch, width, right, width, Real(1.0),
               sum, cols_);
  }

  void add_in_tiles(const Slice& slice, Real* scratch, Real* sum) {
    const int64_t width = slice.rows * a_.units[slice.unit].cols;
    const auto fill = [&](const Block& block, Real* to) {
      parallel_for(block.samples, 1, [&](int64_t first, int64_t last) {
        control_.poll();
        expand(block, slice, first, last, to);
      });
    };
    fill(a_, scratch);
    Real* right = same_ ? scratch : scratch + rows_ * width;
    if (!same_) fill(b_, right);
    constexpr int64_t kTile = 512;
    const int64_t down = (rows_ + kTile - 1) / kTile, across = (cols_ + kTile - 1) / kTile;
    parallel_for(down * across, 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const int64_t row = index / across * kTile, col = index % across * kTile;
        if (same_ && col > row) continue;
        control_.poll();
        const int64_t height = std::min(kTile, rows_ - row), span = std::min(kTile, cols_ - col);
        Real* to = sum + row * cols_ + col;
        if (same_ && row == col) {
          blas::gram(height, width, Real(1.0), scratch + row * width, width, Real(1.0), to, cols_);
        } else {
          blas::gemm(false, true, height, span, width, Real(1.0), scratch + row * width, width,
                     right + col * width, width, Real(1.0), to, cols_);
        }
      }
    });
  }

  // Columns of a slice for samples [first, last): row (i, c) at to + (i·C + c)·rows·k.
  void expand(const Block& block, const Slice& slice, int64_t first, int64_t last, Real* to) {
    const Unit& unit = block.units[slice.unit];
    const int64_t T = unit.positions, k = unit.cols, m = unit.rows, stride = block.count * m;
    const int64_t size = slice.rows * k;
    const int64_t begin = slice.component < 0 ? 0 : slice.component;
    const int64_t end = slice.component < 0 ? block.count : slice.component + 1;
    for (int64_t i = first; i < last; ++i) {
      const Real* h = unit.h.get() + i * T * k;
      Real* row = to + i * (end - begin) * size;
      if (end - begin > 1 && slice.rows == m) {
        blas::gemm(true, false, stride, k, T, Real(1.0), unit.delta.get() + i * T * stride, stride,
                   h, k, Real(0.0), row, k);
        continue;
      }
      for (int64_t c = begin; c < end; ++c, row += size)
        blas::gemm(true, false, slice.rows, k, T, Real(1.0),
                   unit.delta.get() + i * T * stride + c * m + slice.first, stride, h, k, Real(0.0),
                   row, k);
    }
  }

  const KernelTask& task_;
  const Block &a_, &b_;
  bool same_;
  Pool& pool_;
  const Control& control_;
  int64_t rows_ = 0, cols_ = 0;
  int64_t floats_ = 0;  // of the largest slice
  std::vector<Slice> slices_;
};

}  // namespace

bool is_lazy(const Unit& unit) { return unit.method == Method::kJacobian && unit.delta; }

void contract_slices(const KernelTask& task, int group, int64_t component, const Block& a,
                     const Block& b, bool same, Real* sum, Pool& pool, const Control& control) {
  Slices slices(task, a, b, same, pool, control);
  slices.plan(group, component);
  slices.run(sum);
}

}  // namespace AT_PRECISION
}  // namespace at
