#include "reverse/expand.h"

#include <algorithm>
#include <limits>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/thin.h"
#include "rules/support/finite.h"
#include "rules/support/times.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// One position: an outer product for every cotangent; a BLAS call each would cost more.
void outer(const Real* delta, const Real* h, int64_t rows, int64_t cols, Real* result) {
  for (int64_t r = 0; r < rows; ++r) {
    const Real d = delta[r];
    Real* to = result + r * cols;
    for (int64_t c = 0; c < cols; ++c) to[c] = d * h[c];
  }
}

// Where h holds what is not finite: of one (i, g), number by number.
void expand_spoilt(const MatrixUse& use, const Real* delta, const Real* h, int64_t count_stride,
                   Real* to) {
  const int64_t T = use.dims.positions, m = use.dims.rows, k = use.dims.cols, C = use.count;
  const int64_t row_step = use.dims.transposed ? 1 : k, column_step = use.dims.transposed ? m : 1;
  for (int64_t c = 0; c < C; ++c) {
    Real* x = to + c * count_stride;
    std::fill(x, x + m * k, Real(0.0));
    for (int64_t t = 0; t < T; ++t)
      for (int64_t r = 0; r < m; ++r)
        for (int64_t q = 0; q < k; ++q)
          x[r * row_step + q * column_step] += times(h[t * k + q], delta[(t * C + c) * m + r]);
  }
}

}  // namespace

bool expands_to_finite(const MatrixUse& use) {
  if (use.dims.picks || use.spoilt) return false;
  const int64_t T = use.dims.positions, row = use.count * use.dims.rows, k = use.dims.cols;
  constexpr int64_t kFew = 4;
  if (kFew * T * (row + k) > row * k) return false;
  const int64_t places = use.samples * use.dims.groups * T;
  const double delta = largest(use.delta.get(), places * row);
  const double h = largest(use.h.get(), places * k);
  // Half of the range is for rounding in between.
  return static_cast<double>(T) * delta * h <
         static_cast<double>(std::numeric_limits<Real>::max()) / 2;
}

void add_picks(const MatrixUse& use, int64_t sample_stride, int64_t count_stride, Real* result) {
  const int64_t T = use.dims.positions, m = use.dims.rows, k = use.dims.cols, C = use.count;
  const int64_t row_step = use.dims.transposed ? 1 : k, column_step = use.dims.transposed ? m : 1;
  parallel_for(use.samples * C, grain_for(T * m), [&](int64_t first, int64_t last) {
    for (int64_t ic = first; ic < last; ++ic) {
      const int64_t i = ic / C, c = ic % C;
      Real* to = result + i * sample_stride + c * count_stride;
      for (int64_t t = 0; t < T; ++t) {
        const Real* delta = use.delta.get() + ((i * T + t) * C + c) * m;
        Real* at = to + (*use.columns)[i * T + t] * column_step;
        for (int64_t r = 0; r < m; ++r) at[r * row_step] += delta[r];
      }
    }
  });
}

void expand_matrix(const MatrixUse& use, int64_t sample_stride, int64_t count_stride,
                   Real* result) {
  if (use.dims.picks) {
    const int64_t size = use.dims.rows * use.dims.cols, C = use.count;
    parallel_for(use.samples * C, grain_for(size), [&](int64_t first, int64_t last) {
      for (int64_t ic = first; ic < last; ++ic) {
        Real* to = result + ic / C * sample_stride + ic % C * count_stride;
        std::fill(to, to + size, Real(0.0));
      }
    });
    return add_picks(use, sample_stride, count_stride, result);
  }
  const int64_t G = use.dims.groups, T = use.dims.positions;
  const int64_t m = use.dims.rows, k = use.dims.cols;
  const bool transposed = use.dims.transposed;
  const int64_t C = use.count;
  const int64_t cost = std::max<int64_t>(1, C * m * k * T);
  // More than caches hold.
  constexpr int64_t kLarge = int64_t{64} << 20;
  const bool past = use.samples * G * C * m * k * static_cast<int64_t>(sizeof(Real)) >= kLarge;
  const auto product = [&](int64_t rows, const Real* a, int64_t lda, int64_t cols, const Real* b,
                           int64_t ldb, Real* to) {
    // Of the transposed ones a is h.
    if (!transposed && multiply_thin(rows, cols, T, a, lda, b, ldb, to, cols)) return;
    if (past) return blas::gemm_past(true, rows, cols, T, a, lda, b, ldb, to, cols);
    blas::gemm(true, false, rows, cols, T, Real(1.0), a, lda, b, ldb, Real(0.0), to, cols);
  };
  parallel_for(use.samples * G, std::max<int64_t>(1, (1 << 20) / cost),
               [&](int64_t first, int64_t last) {
                 for (int64_t ig = first; ig < last; ++ig) {
                   use.control.poll();
                   const int64_t i = ig / G, g = ig % G;
                   const Real* delta = use.delta.get() + ig * T * C * m;  // (T, C, m)
                   const Real* h = use.h.get() + ig * T * k;              // (T, k)
                   Real* to = result + i * sample_stride + g * m * k;
                   if (use.spoilt) {
                     expand_spoilt(use, delta, h, count_stride, to);
                   } else if (T == 1 && !transposed) {
                     for (int64_t c = 0; c < C; ++c)
                       outer(delta + c * m, h, m, k, to + c * count_stride);
                   } else if (T == 1) {
                     for (int64_t c = 0; c < C; ++c)
                       outer(h, delta + c * m, k, m, to + c * count_stride);
                   } else if (!transposed && count_stride == m * k) {
                     product(C * m, delta, C * m, k, h, k, to);
                   } else if (!transposed) {
                     for (int64_t c = 0; c < C; ++c)
                       product(m, delta + c * m, C * m, k, h, k, to + c * count_stride);
                   } else {
                     for (int64_t c = 0; c < C; ++c)
                       product(k, h, k, m, delta + c * m, C * m, to + c * count_stride);
                   }
                 }
               });
}

void expand_bias(const MatrixUse& use, int64_t sample_stride, int64_t count_stride, Real* result) {
  const int64_t T = use.dims.positions, m = use.dims.rows, C = use.count;
  parallel_for(use.samples, grain_for(T * C * m), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      for (int64_t c = 0; c < C; ++c) {
        Real* to = result + i * sample_stride + c * count_stride;
        std::fill(to, to + m, Real(0.0));
        for (int64_t t = 0; t < T; ++t) {
          const Real* delta = use.delta.get() + ((i * T + t) * C + c) * m;
          for (int64_t r = 0; r < m; ++r) to[r] += delta[r];
        }
      }
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
