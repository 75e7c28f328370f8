#include "core/blas.h"
#include "rules/support/pack.h"
#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Y (M × N) = alpha·op(A) (M × K)·op(B) (K × N) + beta·C, C broadcast to Y.
class Gemm final : public Rule {
 public:
  int factors(const Node&) const override { return 2; }
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return needs_of_product(wanted);
  }

  void reverse(Call& call) const override {
    const Product p(call);
    const bool bias = call.has_input(2) && call.wants(2);
    bool bias_done = false;
    for (int k = 0; k < 2; ++k) {
      if (!call.wants(k)) continue;
      if (!call.per_sample(k)) {
        plain(call, p, k);
        continue;
      }
      // With A unbatched the rows of Y are its features' rows; the samples lie along the columns.
      const Shape column = {p.m, 1}, row = {1, p.n}, flat = {p.n};
      const bool shared = bias && !bias_done && call.per_sample(2) && p.beta == 1 &&
                          (k == 0 ? call.input(2).shape == column
                                  : call.input(2).shape == row || call.input(2).shape == flat);
      factor(call, p, k, shared ? 2 : -1);
      bias_done = bias_done || shared;
    }
    if (!bias || bias_done) return;
    if (p.beta == 1) {
      call.reduce(0, 2, call.out(0));
      return;
    }
    const int64_t size = call.count() * p.m * p.n;
    Real* scaled = call.scratch(size);
    const Real* out = call.out(0);
    each_element(size, [&](int64_t e) { scaled[e] = p.beta * out[e]; });
    call.reduce(0, 2, scaled);
  }

  void forward(TangentCall& call) const override {
    const Product p(call);
    const int64_t count = call.count(), size = p.m * p.n;
    Real* out = call.out(0);
    Real beta = 0;
    if (const Real* bias = call.in(2)) {
      flow_forward(call, bias, call.input(2).shape, call.output(0).shape, nullptr, p.beta, false,
                   out);
      beta = 1;
    }
    const int64_t lda = p.trans_a ? p.m : p.k, ldb = p.trans_b ? p.k : p.n;
    if (const Real* a = call.in(0)) {
      const Real* b = call.input(1).reals();
      if (!p.trans_a) {
        // One product for all tangents: rows (d, M).
        blas::parallel_gemm(false, p.trans_b, count * p.m, p.n, p.k, p.alpha, a, lda, b, ldb, beta,
                            out, p.n);
      } else {
        for (int64_t d = 0; d < count; ++d)
          blas::parallel_gemm(true, p.trans_b, p.m, p.n, p.k, p.alpha, a + d * p.m * p.k, lda, b,
                              ldb, beta, out + d * size, p.n);
      }
      beta = 1;
    }
    const Real* whole = call.input(0).reals();
    const bool applied = !p.trans_a && call.apply(1, p.trans_b, p.m, whole, p.alpha, beta, out);
    if (const Real* b = applied ? nullptr : call.in(1)) {
      const Real* a = call.input(0).reals();
      for (int64_t d = 0; d < count; ++d)
        blas::parallel_gemm(p.trans_a, p.trans_b, p.m, p.n, p.k, p.alpha, a, lda, b + d * p.k * p.n,
                            ldb, beta, out + d * size, p.n);
    }
  }

 private:
  struct Product {
    int64_t m, n, k;
    bool trans_a, trans_b;
    Real alpha, beta;
    explicit Product(const NodeView& call) {
      const Attributes& attributes = call.node().attributes;
      trans_a = attributes.integer("transA", 0) != 0;
      trans_b = attributes.integer("transB", 0) != 0;
      alpha = static_cast<Real>(attributes.number("alpha", 1));
      beta = static_cast<Real>(attributes.number("beta", 1));
      m = call.output(0).shape[0];
      n = call.output(0).shape[1];
      k = call.input(0).shape[trans_a ? 0 : 1];
    }
  };

  static void plain(Call& call, const Product& p, int k) {
    const int64_t count = call.count();
    const Real* out = call.out(0);
    Real* in = call.in(k);
    const Real* other = call.input(1 - k).reals();
    if (k == 0 && !p.trans_a) {
      // One product for all cotangents: rows (c, M).
      blas::parallel_gemm(false, !p.trans_b, count * p.m, p.k, p.n, p.alpha, out, p.n, other,
                          p.trans_b ? p.k : p.n, 0, in, p.k);
      return;
    }
    parallel_for(count, grain_for(p.m * p.n * p.k / 32), [&](int64_t first, int64_t last) {
      for (int64_t c = first; c < last; ++c) {
        const Real* g = out + c * p.m * p.n;
        if (k == 0) {
          blas::gemm(p.trans_b, true, p.k, p.m, p.n, p.alpha, other, p.trans_b ? p.k : p.n, g, p.n,
                     0, in + c * p.m * p.k, p.m);
        } else if (p.trans_b) {
          blas::gemm(true, p.trans_a, p.n, p.k, p.m, p.alpha, g, p.n, other, p.trans_a ? p.m : p.k,
                     0, in + c * p.n * p.k, p.k);
        } else {
          blas::gemm(!p.trans_a, false, p.k, p.n, p.m, p.alpha, other, p.trans_a ? p.m : p.k, g,
                     p.n, 0, in + c * p.n * p.k, p.n);
        }
      }
    });
  }

  // Features of the unbatched operand k. alpha goes into h, which is the smaller one.
  static void factor(Call& call, const Product& p, int k, int bias) {
    const bool left = k == 0;
    const int64_t rows = left ? p.n : p.m;   // of the batched operand
    const int64_t width = left ? p.m : p.n;  // of a cotangent
    const int64_t samples = call.samples();
    const Activation& out = call.output(0);
    const int64_t step = left ? 1 : p.n;
    const Places places = place_rows(
        rows, 1, samples, [](int64_t) { return int64_t{0}; },
        [&](int64_t r) { return sample_of(out, r * step, samples); });
    MatrixDims dims;
    dims.positions = places.positions;
    dims.rows = width;
    dims.cols = p.k;
    dims.transposed = left ? p.trans_a : !p.trans_b;
    const MatrixFactor factor = call.matrix(k, dims, bias);
    pack_blocks(call.out(0), call.count(), 1, rows, width, left, places, factor.delta);
    // Are the batched operand's K numbers of one row next to each other?
    const bool columns = left ? !p.trans_b : p.trans_a;
    pack_blocks(call.input(1 - k).reals(), 1, 1, rows, p.k, columns, places, factor.h);
    if (p.alpha == 1) return;
    Real* h = factor.h;
    each_element(rows * p.k, [&](int64_t e) { h[e] *= p.alpha; });
  }
};

const Registration gemm("Gemm", std::make_unique<Gemm>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
