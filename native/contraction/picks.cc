#include "contraction/picks.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "core/blas.h"
#include "core/parallel.h"

namespace at {
inline namespace AT_PRECISION {

std::shared_ptr<const Picks> merge_picks(const std::vector<MatrixUse>& uses, Pool& pool) {
  const MatrixUse& one = uses.at(0);
  const int64_t n = one.samples, C = one.count, m = one.dims.rows, row = C * m;
  struct Place {
    int64_t column, position;
    const Real* delta;
    bool operator<(const Place& other) const {
      return std::tie(column, position) < std::tie(other.column, other.position);
    }
  };
  auto picks = std::make_shared<Picks>();
  picks->rows = m;
  picks->starts.push_back(0);
  std::vector<std::vector<Place>> places(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    std::vector<Place>& here = places[i];
    for (const MatrixUse& use : uses) {
      const int64_t T = use.dims.positions;
      for (int64_t t = i * T; t < (i + 1) * T; ++t)
        here.push_back(
            {(*use.columns)[t], static_cast<int64_t>(here.size()), use.delta.get() + t * row});
    }
    std::sort(here.begin(), here.end());
    for (size_t e = 0; e < here.size(); ++e)
      if (e == 0 || here[e].column != here[e - 1].column) picks->columns.push_back(here[e].column);
    picks->starts.push_back(static_cast<int64_t>(picks->columns.size()));
  }
  picks->delta = pool.take<Real>(checked_mul(picks->starts.back(), row));
  const int64_t each = picks->starts.back() / std::max<int64_t>(1, n) + 1;
  parallel_for(n, grain_for(each * row), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      Real* to = picks->delta.get() + picks->starts[i] * row;
      const std::vector<Place>& here = places[i];
      for (size_t e = 0; e < here.size(); ++e) {
        if (e == 0 || here[e].column != here[e - 1].column) {
          if (e > 0) to += row;
          std::memcpy(to, here[e].delta, static_cast<size_t>(row) * sizeof(Real));
        } else {
          for (int64_t r = 0; r < row; ++r) to[r] += here[e].delta[r];
        }
      }
    }
  });
  return picks;
}

namespace {

// Floats that a strip of scratch may hold, so that it stays in the cache.
constexpr int64_t kStrip = int64_t{1} << 18;

struct Entry {
  int64_t column, sample, slot;  // sample counted from the tile's first
  bool operator<(const Entry& other) const {
    return std::tie(column, sample) < std::tie(other.column, other.sample);
  }
};

std::vector<Entry> entries_of(const Picks& picks, int64_t first, int64_t count) {
  std::vector<Entry> entries;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t e = picks.starts[first + i]; e < picks.starts[first + i + 1]; ++e)
      entries.push_back({picks.columns[e], i, e});
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The entries [first, last) of one column.
struct Run {
  const Entry* first;
  const Entry* last;
  int64_t size() const { return last - first; }
};
Run run_at(const std::vector<Entry>& entries, size_t at) {
  size_t end = at;
  while (end < entries.size() && entries[end].column == entries[at].column) ++end;
  return {entries.data() + at, entries.data() + end};
}

// Picked rows against picked rows: only equal columns meet.
class Common {
 public:
  Common(const Tile& tile, Pool& pool, const Control& control)
      : t_(tile), a_(tile.left), b_(tile.right), pool_(pool), control_(control) {}

  void run() {
    const std::vector<Entry> left = entries_of(*a_.picks, t_.row0, t_.rows);
    const std::vector<Entry> right = entries_of(*b_.picks, t_.col0, t_.cols);
    for (size_t l = 0, r = 0; l < left.size() && r < right.size();) {
      if (left[l].column != right[r].column) {
        left[l].column < right[r].column ? ++l : ++r;
        continue;
      }
      control_.poll();
      const Run rows = run_at(left, l), cols = run_at(right, r);
      add(rows, cols);
      l += rows.size();
      r += cols.size();
    }
  }

 private:
  void add(const Run& rows, const Run& cols) {
    const int64_t C = a_.C, width = a_.width;
    if (rows.size() == 1 && cols.size() == 1) {
      Real* to = t_.out + rows.first->sample * C * t_.columns() + cols.first->sample * C;
      blas::gemm(false, true, C, C, width, Real(1.0), row_of(a_, *rows.first), width,
                 row_of(b_, *cols.first), width, Real(1.0), to, t_.columns());
      return;
    }
    const int64_t nr = rows.size() * C, nc = cols.size() * C;
    const int64_t depth = std::min(width, std::max<int64_t>(16, kStrip / (nr + nc)));
    auto scratch = pool_.take<Real>(nr * nc + (nr + nc) * depth);
    Real *gram = scratch.get(), *pa = gram + nr * nc;
    for (int64_t p = 0; p < width; p += depth) {
      const int64_t d = std::min(depth, width - p);
      Real* pb = pa + nr * d;
      pack(a_, rows, p, d, pa);
      pack(b_, cols, p, d, pb);
      blas::gemm(false, true, nr, nc, d, Real(1.0), pa, d, pb, d, p == 0 ? Real(0.0) : Real(1.0),
                 gram, nc);
    }
    for (int64_t r = 0; r < nr; ++r) {
      Real* to = t_.out + (rows.first[r / C].sample * C + r % C) * t_.columns();
      for (int64_t j = 0; j < cols.size(); ++j)
        for (int64_t c = 0; c < C; ++c)
          to[cols.first[j].sample * C + c] += gram[r * nc + j * C + c];
    }
  }

  static const Real* row_of(const Term& term, const Entry& entry) {
    return term.picked + entry.slot * term.picked_place;
  }
  static void pack(const Term& term, const Run& run, int64_t p, int64_t depth, Real* to) {
    for (const Entry* entry = run.first; entry < run.last; ++entry)
      for (int64_t c = 0; c < term.C; ++c, to += depth)
        std::memcpy(to, row_of(term, *entry) + c * term.width + p,
                    static_cast<size_t>(depth) * sizeof(Real));
  }

  const Tile& t_;
  const Term &a_, &b_;
  Pool& pool_;
  const Control& control_;
};

// Picked rows of `a` against the factors of `b`: of X_j, row v is Z_j[v] = Σ_t h_{j,t}[v] δ_{j,t}
// or, crosswise, Σ_t δ_{j,t}[v] h_{j,t}, and only the rows that a picks are needed.
class Cross {
 public:
  // What belongs to sample i of a and j of b, components c and p, is added to
  // out[(i·C + c)·row_step + (j·C + p)·column_step].
  Cross(const Term& a, int64_t row0, int64_t rows, const Term& b, int64_t col0, int64_t cols,
        Real* out, int64_t row_step, int64_t column_step, Pool& pool, const Control& control)
      : a_(a),
        b_(b),
        entries_(entries_of(*a.picks, row0, rows)),
        col0_(col0),
        cols_(cols),
        out_(out),
        row_step_(row_step),
        column_step_(column_step),
        pool_(pool),
        control_(control),
        outputs_(a.C * a.stacked),
        depth_(a.width / a.stacked) {}

  void run() {
    const int64_t most = std::max<int64_t>(1, kStrip / (outputs_ * (depth_ + b_.T)));
    for (size_t at = 0; at < entries_.size();) {
      // Whole runs, so that no column is needed twice.
      std::vector<int64_t> columns;
      const size_t first = at;
      while (at < entries_.size() && static_cast<int64_t>(columns.size()) < most) {
        columns.push_back(entries_[at].column);
        at += run_at(entries_, at).size();
      }
      const auto count = static_cast<int64_t>(columns.size());
      auto scratch = pool_.take<Real>(count * outputs_ * (depth_ + b_.T) + b_.C * b_.C);
      for (int64_t j = 0; j < cols_; ++j) {
        control_.poll();
        if (rows_of(col0_ + j, columns, scratch.get()))
          add({entries_.data() + first, entries_.data() + at}, count, j, scratch.get());
      }
    }
  }

 private:
  // Z (columns, outputs, depth) or, crosswise, (outputs, columns, depth), at the start of
  // `scratch`. False where all is zero.
  bool rows_of(int64_t j, const std::vector<int64_t>& columns, Real* scratch) const {
    const auto count = static_cast<int64_t>(columns.size());
    const int64_t T = b_.T, lines = a_.crosswise ? outputs_ : 1;
    Real *z = scratch, *picked = scratch + count * outputs_ * depth_;  // (T, lines, columns)
    const int64_t length = a_.crosswise ? b_.m / b_.stacked : b_.k;
    bool any = false;
    for (int64_t t = 0; t < T; ++t) {
      const int64_t place = j * T + t;
      const Real* from = a_.crosswise ? b_.delta + place * b_.delta_place : b_.h + place * b_.k;
      for (int64_t q = 0; q < lines; ++q, from += length) {
        Real* to = picked + (t * lines + q) * count;
        for (int64_t v = 0; v < count; ++v) {
          to[v] = from[columns[v]];
          any = any || to[v] != 0;
        }
      }
    }
    if (!any) return false;
    const Real* other = a_.crosswise ? b_.h + j * T * b_.k : b_.delta + j * T * b_.delta_place;
    const int64_t across = a_.crosswise ? b_.k : outputs_ * depth_;
    blas::gemm(true, false, lines * count, across, T, Real(1.0), picked, lines * count, other,
               a_.crosswise ? b_.k : b_.delta_place, Real(0.0), z, across);
    return true;
  }

  void add(const Run& entries, int64_t count, int64_t j, Real* scratch) const {
    const int64_t column_stride = a_.crosswise ? depth_ : outputs_ * depth_;
    const int64_t output_stride = a_.crosswise ? count * depth_ : depth_;
    Real* gram = scratch + count * outputs_ * (depth_ + b_.T);
    const int64_t C = a_.C;
    int64_t v = 0;
    for (const Entry* entry = entries.first; entry < entries.last; ++entry) {
      if (entry > entries.first && entry->column != entry[-1].column) ++v;
      const Real* delta = a_.picked + entry->slot * a_.picked_place;
      const Real* z = scratch + v * column_stride;
      for (int64_t s = 0; s < a_.stacked; ++s)
        blas::gemm(false, true, C, C, depth_, Real(1.0), delta + s * depth_, depth_,
                   z + s * output_stride, output_stride, s == 0 ? Real(0.0) : Real(1.0), gram, C);
      for (int64_t c = 0; c < C; ++c)
        for (int64_t p = 0; p < C; ++p)
          out_[(entry->sample * C + c) * row_step_ + (j * C + p) * column_step_] += gram[c * C + p];
    }
  }

  const Term &a_, &b_;
  const std::vector<Entry> entries_;
  int64_t col0_, cols_;
  Real* out_;
  int64_t row_step_, column_step_;
  Pool& pool_;
  const Control& control_;
  int64_t outputs_;  // at once
  int64_t depth_;    // numbers in a picked row of one output
};

}  // namespace

void add_picked(const Tile& t, Pool& pool, const Control& control) {
  Common(t, pool, control).run();
  if (!t.left.delta) return;
  Cross(t.left, t.row0, t.rows, t.right, t.col0, t.cols, t.out, t.columns(), 1, pool, control)
      .run();
  Cross(t.right, t.col0, t.cols, t.left, t.row0, t.rows, t.out, 1, t.columns(), pool, control)
      .run();
}

}  // namespace AT_PRECISION
}  // namespace at
