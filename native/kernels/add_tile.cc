#include "kernels/add_tile.h"

#include <algorithm>
#include <utility>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/thin.h"
#include "core/wider.h"
#include "kernels/picks.h"

namespace at::kernels {

namespace {

// out += Σ over parts, each of which body(part, tile) adds to a tile of its own: for small tiles,
// which are likely to be the only ones. How they are cut is to depend on sizes alone.
template <class Number, class Body>
void add_parts(int64_t parts, int64_t height, int64_t width, const Tile<Number>& out, Pool& pool,
               const Body& body) {
  const int64_t size = height * width;
  auto sums = pool.take<Number>(parts * size);
  std::fill_n(sums.get(), parts * size, Number(0));
  parallel_for(parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) body(p, Tile<Number>{sums.get() + p * size, width});
  });
  for (int64_t p = 0; p < parts; ++p)
    for (int64_t e = 0; e < size; ++e)
      out.data[e / width * out.stride + e % width] += sums.get()[p * size + e];
}
constexpr int64_t kSmallTile = 4096;

// Of numbers [begin, end) of every row.
template <class Number>
void add_stretch(const TileTask<Number>& t, int64_t begin, int64_t end, const Tile<Number>& out,
                 const Control& control) {
  const Side<Number>&a = t.left, &b = t.right;
  // Cut where it would run for long without a look at the caller's wish to stop.
  const int64_t depth = std::max<int64_t>(512, 1'000'000'000 / (t.height() * t.width() + 1));
  // Rows (i, c) are evenly spaced: C fills the sample, or is 1.
  const int64_t lda = a.C == 1 ? a.x_sample : a.size, ldb = b.C == 1 ? b.x_sample : b.size;
  for (int64_t p = begin; p < end; p += depth) {
    control.poll();
    const int64_t inner = std::min(depth, end - p);
    const Number* left = a.x + t.place.rows.first * a.x_sample + p;
    if (t.place.diagonal) {
      blas::gram(t.width(), inner, Number(1), left, lda, Number(1), out.data, out.stride);
    } else {
      blas::gemm(false, true, t.height(), t.width(), inner, Number(1), left, lda,
                 b.x + t.place.cols.first * b.x_sample + p, ldb, Number(1), out.data, out.stride);
    }
  }
}

template <class Number>
void add_dense(const TileTask<Number>& t, Pool& pool, const Control& control) {
  constexpr int64_t kPart = 1 << 18;  // numbers of all rows, so many that a thread pays
  const int64_t size = t.left.size, numbers = size * t.height();
  const int64_t parts = std::min<int64_t>(8, numbers / kPart);
  if (parts < 2 || t.height() * t.width() > kSmallTile)
    return add_stretch(t, 0, size, t.out, control);
  add_parts(parts, t.height(), t.width(), t.out, pool, [&](int64_t p, const Tile<Number>& own) {
    add_stretch(t, size * p / parts, size * (p + 1) / parts, own, control);
  });
}

// One factor's vectors of a tile's rows or columns: `count` of them, `stride` from one to the next.
template <class Number>
struct Vectors {
  const Number* data;
  int64_t count, stride;
};

// A tile's inner products in two parts that belong together, of which one may be missing: what is
// known of them, and what was computed (rows × cols).
template <class Number>
struct Products {
  const Number* known = nullptr;
  int64_t stride = 0;
  const Number* own = nullptr;
  int64_t cols = 0;

  const Number* known_row(int64_t row) const { return known ? known + row * stride : nullptr; }
  const Number* own_row(int64_t row) const { return own ? own + row * cols : nullptr; }
};

// Of vectors with `depth` numbers each, computed in `scratch` (rows × columns).
template <class Number>
Products<Number> inner_products(const Vectors<Number>& rows, const Vectors<Number>& cols,
                                int64_t depth, const Triangle<Number>* known, const Place& place,
                                Number* scratch) {
  Products<Number> out;
  if (known) {
    const Tile<Number> from = known->at(place);
    out.known = from.data;
    out.stride = from.stride;
    if (depth == 0) return out;
  }
  out.own = scratch;
  out.cols = cols.count;
  if (place.diagonal) {
    blas::gram(rows.count, depth, Number(1), rows.data, rows.stride, Number(0), scratch,
               cols.count);
  } else {
    blas::gemm(false, true, rows.count, cols.count, depth, Number(1), rows.data, rows.stride,
               cols.data, cols.stride, Number(0), scratch, cols.count);
  }
  return out;
}

// to[j] += (a[j] + b[j]) · weights[j]; a or b may be missing.
template <class Number>
void add_weighted(int64_t count, const Number* a, const Number* b, const Number* weights,
                  Number* to) {
  if (!a) std::swap(a, b);
  wider([&] {
    if (b) {
      for (int64_t j = 0; j < count; ++j) to[j] += (a[j] + b[j]) * weights[j];
    } else {
      for (int64_t j = 0; j < count; ++j) to[j] += a[j] * weights[j];
    }
  });
}

// T = 1: (Gram of δ) ⊙ (Gram of h). What is known is read where it lies, once.
template <class Number>
void add_gram_product(const TileTask<Number>& t, Pool& pool) {
  const Side<Number>&a = t.left, &b = t.right;
  const int64_t row0 = t.place.rows.first, rows = t.place.rows.size;
  const int64_t col0 = t.place.cols.first, cols = t.place.cols.size;
  const int64_t height = t.height(), width = t.width();
  auto scratch = pool.take<Number>(height * width + rows * cols + cols + width);
  Number *gram = scratch.get(), *inner = gram + height * width, *sum = inner + rows * cols,
         *spread = sum + cols;
  const auto of_h = inner_products<Number>(
      {a.h + row0 * a.k, rows, a.k}, {b.h + col0 * b.k, cols, b.k}, a.k, a.known_h, t.place, inner);
  const auto of_delta = inner_products<Number>(
      {a.delta + row0 * a.delta_place, height, a.C == 1 ? a.delta_place : a.m},
      {b.delta + col0 * b.delta_place, width, b.C == 1 ? b.delta_place : b.m}, a.m, a.known_delta,
      t.place, gram);
  const bool lower = t.place.diagonal;
  for (int64_t i = 0; i < rows; ++i) {
    const Number *known_line = of_h.known_row(i), *line = of_h.own_row(i);
    const int64_t count = lower ? i + 1 : cols;
    if (line && known_line) {
      for (int64_t j = 0; j < count; ++j) sum[j] = known_line[j] + line[j];
      line = sum;
    } else if (known_line) {
      line = known_line;
    }
    if (b.C > 1) {
      for (int64_t j = 0; j < count; ++j) std::fill_n(spread + j * b.C, b.C, line[j]);
      line = spread;
    }
    for (int64_t c = 0; c < a.C; ++c) {
      const int64_t row = i * a.C + c;
      add_weighted(lower ? row + 1 : width, of_delta.known_row(row), of_delta.own_row(row), line,
                   t.out.data + row * t.out.stride);
    }
  }
}

// Few positions and components: Σ_t,t' (δ_{i,t,c}·δ_{j,t',p}) (h_{i,t}·h_{j,t'}) of both Gram
// matrices in full, a few samples at a time, so that they stay in the cache.
template <class Number>
class FullGram {
 public:
  // In multiply-adds C²T²m against CT²m + C²Tm the other way, in larger products.
  static bool pays(const Side<Number>& a, const Side<Number>& b) {
    const int64_t T = std::max(a.T, b.T), C = a.C;
    return !a.mixed && T <= 8 && 3 * C * T <= 4 * (C + T);
  }

  FullGram(const TileTask<Number>& task, Pool& pool, const Control& control)
      : t_(task), a_(task.left), b_(task.right), control_(control) {
    constexpr int64_t kVectors = 256;
    rows_ = std::clamp<int64_t>(kVectors / (a_.T * a_.C), 1, t_.place.rows.size);
    cols_ = std::clamp<int64_t>(kVectors / (b_.T * b_.C), 1, t_.place.cols.size);
    const int64_t inner = rows_ * a_.T * cols_ * b_.T;
    scratch_ = pool.take<Number>(inner * (1 + a_.C * b_.C));
    gram_ = scratch_.get() + inner;
  }

  void run() {
    for (int64_t i = 0; i < t_.place.rows.size; i += rows_) {
      control_.poll();
      for (int64_t j = 0; j < t_.place.cols.size; j += cols_)
        add(i, std::min(rows_, t_.place.rows.size - i), j, std::min(cols_, t_.place.cols.size - j));
    }
  }

 private:
  void add(int64_t i0, int64_t ni, int64_t j0, int64_t nj) {
    const int64_t row0 = (t_.place.rows.first + i0) * a_.T, rows = ni * a_.T;
    const int64_t col0 = (t_.place.cols.first + j0) * b_.T, cols = nj * b_.T, C = a_.C;
    // Vectors (i, t, c) are evenly spaced: C fills the position, or is 1.
    const int64_t lda = C == 1 ? a_.delta_place : a_.m, ldb = C == 1 ? b_.delta_place : b_.m;
    blas::gemm(false, true, rows, cols, a_.k, Number(1), a_.h + row0 * a_.k, a_.k,
               b_.h + col0 * b_.k, b_.k, Number(0), scratch_.get(), cols);
    blas::gemm(false, true, rows * C, cols * C, a_.m, Number(1), a_.delta + row0 * a_.delta_place,
               lda, b_.delta + col0 * b_.delta_place, ldb, Number(0), gram_, cols * C);
    for (int64_t r = 0; r < rows; ++r) {
      const Number* inner = scratch_.get() + r * cols;
      for (int64_t c = 0; c < C; ++c) {
        Number* to = t_.out.data + ((i0 + r / a_.T) * C + c) * t_.out.stride + j0 * C;
        weigh(inner, gram_ + (r * C + c) * cols * C, nj, to);
      }
    }
  }

  // to[j, p] += Σ_t' inner[j, t'] gram[j, t', p]
  void weigh(const Number* inner, const Number* gram, int64_t nj, Number* to) const {
    const int64_t T = b_.T, C = b_.C;
    for (int64_t j = 0; j < nj; ++j, to += C)
      for (int64_t t = 0; t < T; ++t, ++inner, gram += C)
        for (int64_t p = 0; p < C; ++p) to[p] += *inner * gram[p];
  }

  const TileTask<Number>& t_;
  const Side<Number>&a_, &b_;
  const Control& control_;
  int64_t rows_, cols_;  // samples at once
  std::shared_ptr<Number> scratch_;
  Number* gram_;
};

// Otherwise, T > 1: for rows (i, t) of the left side Z[(i,t), j] (C·m) = Σ_t' (h_{i,t}·h_{j,t'})
// δ_{j,t'} (structured), or the same as h_{i,t} X_jᵀ with X_j multiplied out (mixed); then K[(i,c),
// (j,p)] += Σ_t δ_{i,t,c} · Z[(i,t), j, p].
template <class Number>
class Positions {
 public:
  Positions(const TileTask<Number>& task, Pool& pool, const Control& control)
      : t_(task), a_(task.left), b_(task.right), pool_(pool), control_(control) {}

  void run() {
    const int64_t samples = t_.place.cols.size;
    // Columns so that the last product is not too narrow; on the diagonal few of all, so that
    // little is computed that stands above it.
    int64_t cols = std::clamp<int64_t>((96 + b_.C - 1) / b_.C, 1, samples);
    if (t_.place.diagonal) cols = std::min(cols, (samples + 3) / 4);
    for (int64_t j0 = 0; j0 < samples; j0 += cols) {
      const int64_t nj = std::min(cols, samples - j0);
      if (a_.mixed) expand(j0, nj);
      add(t_.place.diagonal ? j0 * a_.T : 0, j0, nj);
    }
  }

 private:
  // One thread's numbers.
  struct Work {
    std::shared_ptr<Number> z, inner;
    int64_t z_size = 0, inner_size = 0;
  };

  // The rows from `begin` on.
  void add(int64_t begin, int64_t j0, int64_t nj) {
    constexpr int64_t kPart = 64;
    const int64_t total = t_.place.rows.size * a_.T - begin, width = nj * b_.C;
    const int64_t part = std::max(kPart, (total + 7) / 8), parts = (total + part - 1) / part;
    const Tile<Number> out{t_.out.data + j0 * b_.C, t_.out.stride};
    if (t_.height() * width > kSmallTile || parts == 1)
      return add_rows(begin, begin + total, j0, nj, out);
    add_parts(parts, t_.height(), width, out, pool_, [&](int64_t p, const Tile<Number>& own) {
      add_rows(begin + p * part, begin + std::min(total, (p + 1) * part), j0, nj, own);
    });
  }

  // Rows [r0, end), a few at a time, so that Z stays in the cache.
  void add_rows(int64_t r0, int64_t end, int64_t j0, int64_t nj, const Tile<Number>& out) {
    const int64_t fit = std::max<int64_t>(16, (int64_t{1} << 18) / (nj * b_.C * b_.m));
    Work work;
    for (; r0 < end; r0 += fit) {
      control_.poll();
      const int64_t nr = std::min(fit, end - r0);
      compute_z(r0, nr, j0, nj, work);
      gather(r0, nr, nj, work.z.get(), out);
    }
  }

  Number* grow(std::shared_ptr<Number>& block, int64_t& have, int64_t want) {
    if (want > have) {
      block = pool_.take<Number>(want);
      have = want;
    }
    return block.get();
  }

  // X_j (C·m × k) of the columns' samples.
  void expand(int64_t j0, int64_t nj) {
    const int64_t stack = b_.C * b_.m;
    Number* x = grow(x_, x_size_, nj * stack * b_.k);
    for (int64_t j = 0; j < nj; ++j) {
      const int64_t at = (t_.place.cols.first + j0 + j) * b_.T;
      multiply_out(stack, b_.k, b_.T, b_.delta + at * b_.delta_place, b_.delta_place,
                   b_.h + at * b_.k, b_.k, x + j * stack * b_.k, b_.k);
    }
  }

  void compute_z(int64_t r0, int64_t nr, int64_t j0, int64_t nj, Work& work) {
    const int64_t stack = b_.C * b_.m, ldz = nj * stack;
    Number* z = grow(work.z, work.z_size, nr * ldz);
    const Number* left_h = a_.h + (t_.place.rows.first * a_.T + r0) * a_.k;
    if (a_.mixed) {
      blas::gemm(false, true, nr, ldz, a_.k, Number(1), left_h, a_.k, x_.get(), b_.k, Number(0), z,
                 ldz);
      return;
    }
    const int64_t width = nj * b_.T;
    Number* inner = grow(work.inner, work.inner_size, nr * width);
    const int64_t at = (t_.place.cols.first + j0) * b_.T;
    blas::gemm(false, true, nr, width, a_.k, Number(1), left_h, a_.k, b_.h + at * b_.k, b_.k,
               Number(0), inner, width);
    for (int64_t j = 0; j < nj; ++j) {
      blas::gemm(false, false, nr, stack, b_.T, Number(1), inner + j * b_.T, width,
                 b_.delta + (at + j * b_.T) * b_.delta_place, b_.delta_place, Number(0),
                 z + j * stack, ldz);
    }
  }

  void gather(int64_t r0, int64_t nr, int64_t nj, const Number* z, const Tile<Number>& out) const {
    const int64_t ldz = nj * b_.C * b_.m;
    for (int64_t r = 0; r < nr; ++r) {
      const int64_t i = (r0 + r) / a_.T;
      blas::gemm(false, true, a_.C, nj * b_.C, a_.m, Number(1),
                 a_.delta + (t_.place.rows.first * a_.T + r0 + r) * a_.delta_place, a_.m,
                 z + r * ldz, b_.m, Number(1), out.data + i * a_.C * out.stride, out.stride);
    }
  }

  const TileTask<Number>& t_;
  const Side<Number>&a_, &b_;
  Pool& pool_;
  const Control& control_;
  std::shared_ptr<Number> x_;
  int64_t x_size_ = 0;
};

}  // namespace

template <class Number>
void add_tile(const TileTask<Number>& task, Pool& pool, const Control& control) {
  const Side<Number>& left = task.left;
  if (left.x) return add_dense(task, pool, control);
  if (left.factored()) {
    if (left.T == 1 && task.right.T == 1 && !left.mixed) {
      add_gram_product(task, pool);
    } else if (FullGram<Number>::pays(left, task.right)) {
      FullGram<Number>(task, pool, control).run();
    } else {
      Positions<Number>(task, pool, control).run();
    }
  }
  if (left.picks) add_picked(task, pool, control);
}

template void add_tile(const TileTask<float>&, Pool&, const Control&);
template void add_tile(const TileTask<double>&, Pool&, const Control&);

}  // namespace at::kernels
