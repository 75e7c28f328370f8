#include "core/blas.h"
#include "rules/device/flow.h"
#include "rules/device/packed.h"
#include "rules/support/pack.h"
#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

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

// Features of the unbatched operand k.
struct Factors {
  bool left;
  int64_t rows;  // of the batched operand
  Places places;
  MatrixDims dims;
  bool columns;  // are the batched operand's K numbers of one row apart?

  Factors(const Call& call, const Product& p, int k)
      : left(k == 0), rows(left ? p.n : p.m), columns(left ? !p.trans_b : p.trans_a) {
    const Activation& out = call.output(0);
    const int64_t step = left ? 1 : p.n, samples = call.samples();
    places = place_rows(
        rows, 1, samples, [](int64_t) { return int64_t{0}; },
        [&](int64_t r) { return sample_of(out, r * step, samples); });
    dims.positions = places.positions;
    dims.rows = left ? p.m : p.n;  // of a cotangent
    dims.cols = p.k;
    dims.transposed = left ? p.trans_a : !p.trans_b;
  }
};

// Is the bias's cotangent the sum of δ for the weight k, so that both have factors in common? With
// A unbatched the rows of Y are its features' rows; the samples lie along the columns.
bool shares_bias(const Call& call, const Product& p, int k) {
  const Shape column = {p.m, 1}, row = {1, p.n}, flat = {p.n};
  const Shape& shape = call.input(2).shape;
  return call.per_sample(2) && p.beta == 1 &&
         (k == 0 ? shape == column : shape == row || shape == flat);
}

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
      const bool shared = bias && !bias_done && shares_bias(call, p, k);
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

  // alpha goes into h, which is the smaller one.
  static void factor(Call& call, const Product& p, int k, int bias) {
    const Factors f(call, p, k);
    const MatrixFactor factor = call.matrix(k, f.dims, bias);
    pack_blocks(call.out(0), call.count(), 1, f.rows, f.dims.rows, f.left, f.places, factor.delta);
    pack_blocks(call.input(1 - k).reals(), 1, 1, f.rows, p.k, f.columns, f.places, factor.h);
    if (p.alpha == 1) return;
    Real* h = factor.h;
    each_element(f.rows * p.k, [&](int64_t e) { h[e] *= p.alpha; });
  }
};

// The same on a device.
class DeviceGemm final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    return few(view) && (!view.has_input(2) || !view.wants(2) || can_flow(view, 2));
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Product p(view);
    bool bias = view.has_input(2) && view.wants(2);
    for (int k = 0; k < 2; ++k) {
      if (!view.wants(k)) continue;
      if (!view.per_sample(k)) {
        plain(call, p, k);
        continue;
      }
      const bool shared = bias && shares_bias(view, p, k);
      factor(call, p, k, shared ? 2 : -1);
      bias = bias && !shared;
    }
    if (bias) flow_constant(call, 2, p.beta);
  }

  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!few(view)) return false;
    const Product p(view);
    if (call.has_in(2)) flow_constant(call, 2, p.beta);
    for (int k = 0; k < 2; ++k)
      if (call.has_in(k)) tangent(call, p, k);
    return true;
  }

 private:
  static bool few(const NodeView& view) {
    if (view.output(0).size() == 0 || view.input(0).size() == 0) return false;
    for (const Activation* value : {&view.output(0), &view.input(0), &view.input(1)})
      if (value->size() >= INT32_MAX) return false;
    return true;
  }

  // The product with operand k replaced by its tangent.
  static void tangent(DeviceTangentCall& call, const Product& p, int k) {
    const int64_t count = call.view().count();
    const DeviceNumbers a = k == 0 ? call.in(0) : call.input(0);
    const DeviceNumbers b = k == 1 ? call.in(1) : call.input(1);
    const auto [to, adds] = call.sum(0);
    device::Product<Real> q;
    q.alpha = p.alpha;
    q.beta = adds ? 1 : 0;
    q.m = p.m, q.n = p.n, q.k = p.k;
    q.a = a.at(), q.trans_a = p.trans_a, q.lda = p.trans_a ? p.m : p.k;
    q.b = b.at(), q.trans_b = p.trans_b, q.ldb = p.trans_b ? p.k : p.n;
    q.c = to, q.ldc = p.n;
    if (k == 0 && !p.trans_a) {
      // One product for all tangents: rows (d, M).
      q.m = count * p.m;
      return call.stream().multiply(q);
    }
    q.batch = count;
    (k == 0 ? q.step_a : q.step_b) = k == 0 ? p.m * p.k : p.k * p.n;
    q.step_c = p.m * p.n;
    call.stream().multiply(q);
  }

  static void plain(DeviceCall& call, const Product& p, int k) {
    const int64_t count = call.view().count();
    const DeviceNumbers other = call.input(1 - k);
    device::Product<Real> q;
    q.alpha = p.alpha;
    q.c = call.in(k);
    const auto shape = [&](int64_t m, int64_t n, int64_t inner) {
      q.m = m, q.n = n, q.k = inner, q.ldc = n;
    };
    const auto left = [&](const DeviceNumbers& from, bool trans, int64_t ld, int64_t step) {
      q.a = from.at(), q.trans_a = trans, q.lda = ld, q.step_a = step;
    };
    const auto right = [&](const DeviceNumbers& from, bool trans, int64_t ld, int64_t step) {
      q.b = from.at(), q.trans_b = trans, q.ldb = ld, q.step_b = step;
    };
    const int64_t lda = p.trans_a ? p.m : p.k, ldb = p.trans_b ? p.k : p.n, size = p.m * p.n;
    if (k == 0 && !p.trans_a) {
      // One product for all cotangents: rows (c, M).
      shape(count * p.m, p.k, p.n);
      left(call.out(0), false, p.n, 0);
      right(other, !p.trans_b, ldb, 0);
      return call.stream().multiply(q);
    }
    q.batch = count;
    if (k == 0) {
      shape(p.k, p.m, p.n);
      left(other, p.trans_b, ldb, 0);
      right(call.out(0), true, p.n, size);
    } else if (p.trans_b) {
      shape(p.n, p.k, p.m);
      left(call.out(0), true, p.n, size);
      right(other, p.trans_a, lda, 0);
    } else {
      shape(p.k, p.n, p.m);
      left(other, !p.trans_a, lda, 0);
      right(call.out(0), false, p.n, size);
    }
    q.step_c = q.m * q.n;
    call.stream().multiply(q);
  }

  static void factor(DeviceCall& call, const Product& p, int k, int bias) {
    const Factors f(call.view(), p, k);
    RowPlaces delta, h;
    delta.begin.resize(f.places.slot.size());
    h.begin.resize(f.places.slot.size());
    delta.stride = f.left ? p.n : 1;
    h.stride = f.columns ? f.rows : 1;
    for (int64_t r = 0; r < f.rows; ++r) {
      const auto slot = static_cast<size_t>(f.places.slot[static_cast<size_t>(r)]);
      delta.begin[slot] = static_cast<int32_t>(r * (f.left ? 1 : p.n));
      h.begin[slot] = static_cast<int32_t>(r * (f.columns ? 1 : p.k));
    }
    DeviceNumbers numbers = packed(call, call.input(1 - k), 1, f.rows * p.k, p.k, h);
    if (p.alpha != 1) {
      const DeviceNumbers scaled = call.stream().take<Real>(f.rows * p.k);
      device::for_rows(call.stream(), f.rows, p.k,
                       device::Times<Real>{numbers.at(), scaled.at(), p.k, p.alpha});
      numbers = scaled;
    }
    call.matrix(k, f.dims,
                packed(call, call.out(0), call.view().count(), p.m * p.n, f.dims.rows, delta),
                std::move(numbers), bias);
  }
};

const Registration gemm("Gemm", std::make_unique<Gemm>(), std::make_shared<DeviceGemm>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
