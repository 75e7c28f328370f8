#include "reverse/product.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace at {
inline namespace AT_PRECISION {

ProductParts::ProductParts(const Frame& frame, const Node& node, Pool& pool)
    : frame_(frame), node_(node), pool_(pool) {
  const int factors = node.rule->factors(node);
  for (int k = 0; k < factors; ++k) {
    const Activation& value = frame.values[node.inputs[k]];
    const bool read = value.type == DataType::kFloat && value.data;
    if (read && !all_finite(value.reals(), value.size())) spoilt_.push_back(k);
  }
}

template <class F>
void ProductParts::put(Frame& frame, int k, const F& f) {
  Activation& value = frame.values[node_.inputs[k]];
  if (!value.data) return;
  const Real* from = frame_.values[node_.inputs[k]].reals();
  held_.push_back(pool_.take<Real>(value.size()));
  Real* to = held_.back().get();
  for (int64_t e = 0; e < value.size(); ++e) to[e] = f(from[e]);
  value.data = to;
}

Frame ProductParts::sound() {
  Frame frame = frame_;
  for (int k : spoilt_) put(frame, k, [](Real v) { return std::isfinite(v) ? v : Real(0.0); });
  return frame;
}

Frame ProductParts::reach(int q) {
  Frame frame = frame_;
  const int factors = node_.rule->factors(node_);
  for (int k = 0; k < factors; ++k)
    if (k != q) put(frame, k, [](Real v) { return v == 0 ? Real(0.0) : Real(1.0); });
  put(frame, q, [](Real v) { return std::isfinite(v) ? Real(0.0) : Real(1.0); });
  return frame;
}

std::shared_ptr<Real> ProductParts::indicator(const Real* values, int64_t count) {
  auto result = pool_.take<Real>(count);
  Real* to = result.get();
  for (int64_t e = 0; e < count; ++e) to[e] = values[e] == 0 ? Real(0.0) : Real(1.0);
  return result;
}

void spoil(const Real* reached, const Real* plain, int64_t count, Real* to) {
  for (int64_t e = 0; e < count; ++e)
    if (reached[e] != 0)
      to[e] = std::isinf(plain[e]) ? plain[e] : std::numeric_limits<Real>::quiet_NaN();
}

void reverse_product(const Tape& tape, const Frame& frame, const Node& node, int64_t count,
                     const std::vector<std::shared_ptr<Real>>& out, Pool& pool,
                     const Control& control, NodeCall& call) {
  ProductParts parts(frame, node, pool);
  node.rule->reverse(call);
  if (parts.spoilt().empty()) return;
  const Frame sound = parts.sound();
  NodeCall base(tape, sound, node, count, out, pool, control);
  node.rule->reverse(base);
  const int factors = node.rule->factors(node);
  const auto size_of = [&](int k) {
    return call.count() * (call.per_sample(k) ? call.samples() : 1) * call.input(k).size();
  };
  // Factors stay as they are: settle_factors() sees to them.
  const auto counts = [&](int k) {
    return call.wants(k) && call.produced()[k].cotangent && !call.produced()[k].matrix;
  };
  for (int q : parts.spoilt()) {
    control.poll();
    const Frame reach = parts.reach(q);
    std::vector<std::shared_ptr<Real>> met;
    for (size_t j = 0; j < out.size(); ++j)
      met.push_back(out[j] ? parts.indicator(out[j].get(),
                                             call.count() * call.output(static_cast<int>(j)).size())
                           : nullptr);
    NodeCall run(tape, reach, node, count, std::move(met), pool, control);
    node.rule->reverse(run);
    for (int k = 0; k < factors; ++k)
      if (k != q && counts(k))
        spoil(run.produced()[k].cotangent.get(), call.produced()[k].cotangent.get(), size_of(k),
              base.produced()[k].cotangent.get());
  }
  for (int k = 0; k < factors; ++k)
    if (counts(k)) call.produced()[k].cotangent = base.produced()[k].cotangent;
}

void settle_factors(MatrixUse& use) {
  const MatrixDims& dims = use.dims;
  if (dims.picks) return;
  const int64_t rows = use.samples * dims.groups * dims.positions, row = use.count * dims.rows;
  if (all_finite(use.h.get(), rows * dims.cols)) return;
  for (int64_t r = 0; r < rows; ++r) {
    Real* h = use.h.get() + r * dims.cols;
    if (std::all_of(h, h + dims.cols, [](Real v) { return std::isfinite(v); })) continue;
    const Real* delta = use.delta.get() + r * row;
    if (std::all_of(delta, delta + row, [](Real v) { return v == 0; })) {
      std::fill(h, h + dims.cols, Real(0.0));
    } else {
      use.spoilt = true;
    }
  }
}

}  // namespace AT_PRECISION
}  // namespace at
