#include "kernels/picks.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "core/blas.h"

namespace at::kernels {

namespace {

// Floats that a strip of scratch may hold, so that it stays in the cache.
constexpr int64_t kStrip = int64_t{1} << 18;

struct Entry {
  int64_t column, sample, slot;  // sample counted from the tile's first
  bool operator<(const Entry& other) const {
    return std::tie(column, sample) < std::tie(other.column, other.sample);
  }
};

std::vector<Entry> entries_of(const Picked& picks, const Range& samples) {
  std::vector<Entry> entries;
  for (int64_t i = 0; i < samples.size; ++i)
    for (int64_t e = picks.starts[samples.first + i]; e < picks.starts[samples.first + i + 1]; ++e)
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
template <class Number>
class Common {
 public:
  Common(const TileTask<Number>& task, Pool& pool, const Control& control)
      : t_(task), a_(task.left), b_(task.right), pool_(pool), control_(control) {}

  void run() {
    const std::vector<Entry> left = entries_of(*a_.picks, t_.place.rows);
    const std::vector<Entry> right = entries_of(*b_.picks, t_.place.cols);
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
      Number* to = t_.out.data + rows.first->sample * C * t_.out.stride + cols.first->sample * C;
      blas::gemm(false, true, C, C, width, Number(1), row_of(a_, *rows.first), width,
                 row_of(b_, *cols.first), width, Number(1), to, t_.out.stride);
      return;
    }
    const int64_t nr = rows.size() * C, nc = cols.size() * C;
    const int64_t depth = std::min(width, std::max<int64_t>(16, kStrip / (nr + nc)));
    auto scratch = pool_.take<Number>(nr * nc + (nr + nc) * depth);
    Number *gram = scratch.get(), *pa = gram + nr * nc;
    for (int64_t p = 0; p < width; p += depth) {
      const int64_t d = std::min(depth, width - p);
      Number* pb = pa + nr * d;
      pack(a_, rows, p, d, pa);
      pack(b_, cols, p, d, pb);
      blas::gemm(false, true, nr, nc, d, Number(1), pa, d, pb, d, p == 0 ? Number(0) : Number(1),
                 gram, nc);
    }
    for (int64_t r = 0; r < nr; ++r) {
      Number* to = t_.out.data + (rows.first[r / C].sample * C + r % C) * t_.out.stride;
      for (int64_t j = 0; j < cols.size(); ++j)
        for (int64_t c = 0; c < C; ++c)
          to[cols.first[j].sample * C + c] += gram[r * nc + j * C + c];
    }
  }

  static const Number* row_of(const Side<Number>& term, const Entry& entry) {
    return term.picked + entry.slot * term.picked_place;
  }
  static void pack(const Side<Number>& term, const Run& run, int64_t p, int64_t depth, Number* to) {
    for (const Entry* entry = run.first; entry < run.last; ++entry)
      for (int64_t c = 0; c < term.C; ++c, to += depth)
        std::memcpy(to, row_of(term, *entry) + c * term.width + p,
                    static_cast<size_t>(depth) * sizeof(Number));
  }

  const TileTask<Number>& t_;
  const Side<Number>&a_, &b_;
  Pool& pool_;
  const Control& control_;
};

// Picked rows of `a` against the factors of `b`: of X_j, row v is Z_j[v] = Σ_t h_{j,t}[v] δ_{j,t}
// or, crosswise, Σ_t δ_{j,t}[v] h_{j,t}, and only the rows that a picks are needed.
template <class Number>
class Cross {
 public:
  // What belongs to sample i of a and j of b, components c and p, is added to
  // out[(i·C + c)·row_step + (j·C + p)·column_step].
  Cross(const Side<Number>& a, const Range& rows, const Side<Number>& b, const Range& cols,
        Number* out, int64_t row_step, int64_t column_step, Pool& pool, const Control& control)
      : a_(a),
        b_(b),
        entries_(entries_of(*a.picks, rows)),
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
      auto scratch = pool_.take<Number>(count * outputs_ * (depth_ + b_.T) + b_.C * b_.C);
      for (int64_t j = 0; j < cols_.size; ++j) {
        control_.poll();
        if (rows_of(cols_.first + j, columns, scratch.get()))
          add({entries_.data() + first, entries_.data() + at}, count, j, scratch.get());
      }
    }
  }

 private:
  // Z (columns, outputs, depth) or, crosswise, (outputs, columns, depth), at the start of
  // `scratch`. False where all is zero.
  bool rows_of(int64_t j, const std::vector<int64_t>& columns, Number* scratch) const {
    const auto count = static_cast<int64_t>(columns.size());
    const int64_t T = b_.T, lines = a_.crosswise ? outputs_ : 1;
    Number *z = scratch, *picked = scratch + count * outputs_ * depth_;  // (T, lines, columns)
    const int64_t length = a_.crosswise ? b_.m / b_.stacked : b_.k;
    bool any = false;
    for (int64_t t = 0; t < T; ++t) {
      const int64_t place = j * T + t;
      const Number* from = a_.crosswise ? b_.delta + place * b_.delta_place : b_.h + place * b_.k;
      for (int64_t q = 0; q < lines; ++q, from += length) {
        Number* to = picked + (t * lines + q) * count;
        for (int64_t v = 0; v < count; ++v) {
          to[v] = from[columns[v]];
          any = any || to[v] != 0;
        }
      }
    }
    if (!any) return false;
    const Number* other = a_.crosswise ? b_.h + j * T * b_.k : b_.delta + j * T * b_.delta_place;
    const int64_t across = a_.crosswise ? b_.k : outputs_ * depth_;
    blas::gemm(true, false, lines * count, across, T, Number(1), picked, lines * count, other,
               a_.crosswise ? b_.k : b_.delta_place, Number(0), z, across);
    return true;
  }

  void add(const Run& entries, int64_t count, int64_t j, Number* scratch) const {
    const int64_t column_stride = a_.crosswise ? depth_ : outputs_ * depth_;
    const int64_t output_stride = a_.crosswise ? count * depth_ : depth_;
    Number* gram = scratch + count * outputs_ * (depth_ + b_.T);
    const int64_t C = a_.C;
    int64_t v = 0;
    for (const Entry* entry = entries.first; entry < entries.last; ++entry) {
      if (entry > entries.first && entry->column != entry[-1].column) ++v;
      const Number* delta = a_.picked + entry->slot * a_.picked_place;
      const Number* z = scratch + v * column_stride;
      for (int64_t s = 0; s < a_.stacked; ++s)
        blas::gemm(false, true, C, C, depth_, Number(1), delta + s * depth_, depth_,
                   z + s * output_stride, output_stride, s == 0 ? Number(0) : Number(1), gram, C);
      for (int64_t c = 0; c < C; ++c)
        for (int64_t p = 0; p < C; ++p)
          out_[(entry->sample * C + c) * row_step_ + (j * C + p) * column_step_] += gram[c * C + p];
    }
  }

  const Side<Number>&a_, &b_;
  const std::vector<Entry> entries_;
  Range cols_;
  Number* out_;
  int64_t row_step_, column_step_;
  Pool& pool_;
  const Control& control_;
  int64_t outputs_;  // at once
  int64_t depth_;    // numbers in a picked row of one output
};

}  // namespace

template <class Number>
void add_picked(const TileTask<Number>& t, Pool& pool, const Control& control) {
  Common<Number>(t, pool, control).run();
  if (!t.left.delta) return;
  const Range &rows = t.place.rows, &cols = t.place.cols;
  Cross<Number>(t.left, rows, t.right, cols, t.out.data, t.out.stride, 1, pool, control).run();
  Cross<Number>(t.right, cols, t.left, rows, t.out.data, 1, t.out.stride, pool, control).run();
}

template void add_picked(const TileTask<float>&, Pool&, const Control&);
template void add_picked(const TileTask<double>&, Pool&, const Control&);

}  // namespace at::kernels
