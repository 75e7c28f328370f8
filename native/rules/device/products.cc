// Gemm and MatMul of samples with one matrix on the right: dense layers.
#include "device/functions/arrange.h"
#include "rules/device/rule.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Y (rows × n) = alpha·X (rows × k)·op(W) + bias, the rows of a sample together, in its order.
struct Dense {
  int64_t rows = 0, n = 0, k = 0;
  bool trans_w = false;
  Real alpha = 1;
  int bias = -1;  // an input (n) with beta = 1
};

// Do the samples lie one after another along the rows?
bool in_order(const Activation& out, int64_t samples) {
  return out.batch_stride * samples == out.size();
}

bool dense_gemm(const Call& view, Dense& d) {
  const Attributes& attributes = view.node().attributes;
  if (attributes.integer("transA", 0) != 0) return false;
  d.trans_w = attributes.integer("transB", 0) != 0;
  d.alpha = static_cast<Real>(attributes.number("alpha", 1));
  d.rows = view.output(0).shape[0];
  d.n = view.output(0).shape[1];
  d.k = view.input(0).shape[1];
  if (!view.has_input(2) || !view.wants(2)) return true;
  const Shape row = {1, d.n}, flat = {d.n};
  d.bias = 2;
  return view.per_sample(2) && attributes.number("beta", 1) == 1 &&
         (view.input(2).shape == row || view.input(2).shape == flat);
}

bool dense_matmul(const Call& view, Dense& d) {
  const Shape &x = view.input(0).shape, &w = view.input(1).shape;
  if (x.size() < 2 || w.size() != 2) return false;
  d.k = w[0];
  d.n = w[1];
  d.rows = view.output(0).size() / std::max<int64_t>(1, d.n);
  return true;
}

template <bool (*describe)(const Call&, Dense&)>
class DenseLayer final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    Dense d;
    if (!describe(view, d) || view.per_sample(0)) return false;
    if (!view.input(0).batched() || view.input(1).batched()) return false;
    if (!in_order(view.output(0), view.samples()) || view.samples() > d.rows) return false;
    // The bias goes with the weight's features, or is as many numbers as its cotangent has.
    return d.bias < 0 || view.wants(1) || d.rows == view.samples();
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    Dense d;
    describe(view, d);
    if (view.wants(1)) factor(call, d);
    if (d.bias >= 0 && !view.wants(1)) call.put(d.bias, call.out(0));
    if (!view.wants(0)) return;
    device::Product<Real> p;
    p.m = view.count() * d.rows;
    p.n = d.k;
    p.k = d.n;
    p.a = call.out(0).at();
    p.lda = d.n;
    const DeviceNumbers weight = call.input(1);
    p.trans_b = !d.trans_w;
    p.b = weight.at();
    p.ldb = d.trans_w ? d.k : d.n;
    p.c = call.in(0);
    p.ldc = d.k;
    p.alpha = d.alpha;
    call.stream().multiply(p);
  }

 private:
  static void factor(DeviceCall& call, const Dense& d) {
    const Call& view = call.view();
    const int64_t count = view.count();
    MatrixDims dims;
    dims.positions = d.rows / view.samples();
    dims.rows = d.n;
    dims.cols = d.k;
    dims.transposed = !d.trans_w;
    device::Stream& stream = call.stream();
    DeviceNumbers delta = call.out(0);
    if (count > 1 && d.rows > 1) {
      delta = stream.take<Real>(count * d.rows * d.n);
      device::for_rows(stream, count * d.rows, d.n,
                       device::SwapAxes<Real>{call.out(0).at(), delta.at(), count, d.rows, d.n});
    }
    DeviceNumbers h = call.input(0);
    if (d.alpha != 1) {
      const DeviceNumbers scaled = stream.take<Real>(d.rows * d.k);
      device::for_rows(stream, d.rows, d.k, device::Times<Real>{h.at(), scaled.at(), d.k, d.alpha});
      h = scaled;
    }
    call.matrix(1, dims, std::move(delta), std::move(h), d.bias);
  }
};

const DeviceRegistration gemm("Gemm", std::make_unique<DenseLayer<dense_gemm>>());
const DeviceRegistration matmul("MatMul", std::make_unique<DenseLayer<dense_matmul>>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
