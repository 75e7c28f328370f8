#include "contraction/term.h"

#include <algorithm>

#include "contraction/picks.h"
#include "core/blas.h"

namespace at {
inline namespace AT_PRECISION {

Term::Term(KernelType type, const Unit& unit, int64_t count, int64_t component)
    : method(unit.method), C(type == KernelType::kFull ? count : 1) {
  stacked = type == KernelType::kTrace ? count : 1;
  const int64_t skipped = type == KernelType::kDiagonal ? component : 0;
  if (unit.x) {
    x = unit.x.get() + skipped * unit.size;
    x_sample = count * unit.size;
    size = stacked * unit.size;
    return;
  }
  if (unit.delta) {
    delta = unit.delta.get() + skipped * unit.rows;
    delta_place = count * unit.rows;
    h = unit.h.get();
    T = unit.positions;
    m = stacked * unit.rows;
    k = unit.cols;
  }
  if (unit.picks) {
    picks = unit.picks.get();
    picked = picks->delta.get() + skipped * picks->rows;
    picked_place = count * picks->rows;
    width = stacked * picks->rows;
    crosswise = unit.crosswise;
  }
}

namespace {

void add_dense(const Tile& t, const Control& control) {
  const Term &a = t.left, &b = t.right;
  // Cut where it would run for long without a look at the caller's wish to stop.
  const int64_t depth = std::max<int64_t>(512, 1'000'000'000 / (t.rows * a.C * t.columns() + 1));
  // Rows (i, c) are evenly spaced: C fills the sample, or is 1.
  const int64_t lda = a.C == 1 ? a.x_sample : a.size, ldb = b.C == 1 ? b.x_sample : b.size;
  for (int64_t p = 0; p < a.size; p += depth) {
    control.poll();
    const int64_t inner = std::min(depth, a.size - p);
    const Real* left = a.x + t.row0 * a.x_sample + p;
    if (t.lower) {
      blas::gram(t.columns(), inner, Real(1.0), left, lda, Real(1.0), t.out, t.columns());
    } else {
      blas::gemm(false, true, t.rows * a.C, t.columns(), inner, Real(1.0), left, lda,
                 b.x + t.col0 * b.x_sample + p, ldb, Real(1.0), t.out, t.columns());
    }
  }
}

// T = 1: (Gram of δ) ⊙ (Gram of h).
void add_gram_product(const Tile& t, Pool& pool) {
  const Term &a = t.left, &b = t.right;
  const int64_t width = t.columns();
  auto gram = pool.take<Real>(t.rows * a.C * width);
  auto inner = pool.take<Real>(t.rows * t.cols + width);
  Real* line = inner.get() + t.rows * t.cols;
  const int64_t lda = a.C == 1 ? a.delta_place : a.m, ldb = b.C == 1 ? b.delta_place : b.m;
  const Real *h = a.h + t.row0 * a.k, *delta = a.delta + t.row0 * a.delta_place;
  if (t.lower) {
    blas::gram(t.rows, a.k, Real(1.0), h, a.k, Real(0.0), inner.get(), t.cols);
    blas::gram(width, a.m, Real(1.0), delta, lda, Real(0.0), gram.get(), width);
  } else {
    blas::gemm(false, true, t.rows, t.cols, a.k, Real(1.0), h, a.k, b.h + t.col0 * b.k, b.k,
               Real(0.0), inner.get(), t.cols);
    blas::gemm(false, true, t.rows * a.C, width, a.m, Real(1.0), delta, lda,
               b.delta + t.col0 * b.delta_place, ldb, Real(0.0), gram.get(), width);
  }
  for (int64_t i = 0; i < t.rows; ++i) {
    const Real* hh = inner.get() + i * t.cols;
    if (b.C == 1) {
      line = const_cast<Real*>(hh);
    } else {
      const int64_t known = t.lower ? i + 1 : t.cols;
      for (int64_t j = 0; j < known; ++j) std::fill(line + j * b.C, line + (j + 1) * b.C, hh[j]);
    }
    for (int64_t c = 0; c < a.C; ++c) {
      const int64_t known = t.lower ? i * a.C + c + 1 : width;
      const Real* from = gram.get() + (i * a.C + c) * width;
      Real* to = t.out + (i * a.C + c) * width;
      for (int64_t j = 0; j < known; ++j) to[j] += from[j] * line[j];
    }
  }
}

// T > 1. For rows (i, t) of the left side Z[(i,t), j] (C·m) = Σ_t' (h_{i,t}·h_{j,t'}) δ_{j,t'}
// (structured), or the same as h_{i,t} X_jᵀ with X_j expanded (products); then
// K[(i,c), (j,p)] += Σ_t δ_{i,t,c} · Z[(i,t), j, p].
class Positions {
 public:
  Positions(const Tile& tile, Pool& pool, const Control& control)
      : t_(tile), a_(tile.left), b_(tile.right), pool_(pool), control_(control) {}

  void run() {
    const int64_t stack = b_.C * b_.m;
    // Columns so that the last product is not too narrow, rows so that Z stays in the cache.
    const int64_t cols = std::clamp<int64_t>((96 + b_.C - 1) / b_.C, 1, t_.cols);
    for (int64_t j0 = 0; j0 < t_.cols; j0 += cols) {
      const int64_t nj = std::min(cols, t_.cols - j0);
      if (a_.method == Method::kProducts) expand(j0, nj);
      const int64_t total = t_.rows * a_.T;
      const int64_t fit = std::max<int64_t>(16, (int64_t{1} << 18) / (nj * stack));
      const int64_t chunk = std::min(total, fit);
      for (int64_t r0 = 0; r0 < total; r0 += chunk) {
        control_.poll();
        const int64_t nr = std::min(chunk, total - r0);
        compute_z(r0, nr, j0, nj);
        gather(r0, nr, j0, nj);
      }
    }
  }

 private:
  Real* grow(std::shared_ptr<Real>& block, int64_t& have, int64_t want) {
    if (want > have) {
      block = pool_.take<Real>(want);
      have = want;
    }
    return block.get();
  }

  // X_j (C·m × k) of the columns' samples.
  void expand(int64_t j0, int64_t nj) {
    const int64_t stack = b_.C * b_.m;
    Real* x = grow(x_, x_size_, nj * stack * b_.k);
    for (int64_t j = 0; j < nj; ++j) {
      const int64_t place = (t_.col0 + j0 + j) * b_.T;
      blas::gemm(true, false, stack, b_.k, b_.T, Real(1.0), b_.delta + place * b_.delta_place,
                 b_.delta_place, b_.h + place * b_.k, b_.k, Real(0.0), x + j * stack * b_.k, b_.k);
    }
  }

  void compute_z(int64_t r0, int64_t nr, int64_t j0, int64_t nj) {
    const int64_t stack = b_.C * b_.m, ldz = nj * stack;
    Real* z = grow(z_, z_size_, nr * ldz);
    const Real* left_h = a_.h + (t_.row0 * a_.T + r0) * a_.k;
    if (a_.method == Method::kProducts) {
      blas::gemm(false, true, nr, ldz, a_.k, Real(1.0), left_h, a_.k, x_.get(), b_.k, Real(0.0), z,
                 ldz);
      return;
    }
    const int64_t width = nj * b_.T;
    Real* inner = grow(inner_, inner_size_, nr * width);
    const int64_t place = (t_.col0 + j0) * b_.T;
    blas::gemm(false, true, nr, width, a_.k, Real(1.0), left_h, a_.k, b_.h + place * b_.k, b_.k,
               Real(0.0), inner, width);
    for (int64_t j = 0; j < nj; ++j) {
      blas::gemm(false, false, nr, stack, b_.T, Real(1.0), inner + j * b_.T, width,
                 b_.delta + (place + j * b_.T) * b_.delta_place, b_.delta_place, Real(0.0),
                 z + j * stack, ldz);
    }
  }

  void gather(int64_t r0, int64_t nr, int64_t j0, int64_t nj) {
    const int64_t ldz = nj * b_.C * b_.m;
    for (int64_t r = 0; r < nr; ++r) {
      const int64_t i = (r0 + r) / a_.T;
      blas::gemm(false, true, a_.C, nj * b_.C, a_.m, Real(1.0),
                 a_.delta + (t_.row0 * a_.T + r0 + r) * a_.delta_place, a_.m, z_.get() + r * ldz,
                 b_.m, Real(1.0), t_.out + i * a_.C * t_.columns() + j0 * b_.C, t_.columns());
    }
  }

  const Tile& t_;
  const Term &a_, &b_;
  Pool& pool_;
  const Control& control_;
  std::shared_ptr<Real> x_, z_, inner_;
  int64_t x_size_ = 0, z_size_ = 0, inner_size_ = 0;
};

}  // namespace

void add_term(const Tile& tile, Pool& pool, const Control& control) {
  const Term& left = tile.left;
  if (left.x) return add_dense(tile, control);
  if (left.delta) {
    if (left.T == 1 && left.method == Method::kStructured) {
      add_gram_product(tile, pool);
    } else {
      Positions(tile, pool, control).run();
    }
  }
  if (left.picks) add_picked(tile, pool, control);
}

}  // namespace AT_PRECISION
}  // namespace at
