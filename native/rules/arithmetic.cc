// Element-wise operators of two or more operands with NumPy broadcasting.
#include <cmath>

#include "rules/device/broadcasting.h"
#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

class Add final : public ElementWise {
 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    for (size_t k = 0; k < view.node().inputs.size(); ++k)
      if (wanted(static_cast<int>(k))) emit(static_cast<int>(k), nullptr, 1);
  }
};

class Sub final : public ElementWise {
 protected:
  void partials(NodeView&, const Wanted& wanted, const Emit& emit) const override {
    if (wanted(0)) emit(0, nullptr, 1);
    if (wanted(1)) emit(1, nullptr, -1);
  }
};

class Mean final : public ElementWise {
 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const int inputs = static_cast<int>(view.node().inputs.size());
    for (int k = 0; k < inputs; ++k)
      if (wanted(k)) emit(k, nullptr, Real(1.0) / static_cast<Real>(inputs));
  }
};

const Real* operand(NodeView& view, int k) {
  return broadcast_values(view, floats_of(view, view.input(k)), view.input(k).shape,
                          view.output(0).shape);
}

class Mul final : public ElementWise {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return needs_of_product(wanted);
  }

 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    if (wanted(0)) emit(0, operand(view, 1), 1);
    if (wanted(1)) emit(1, operand(view, 0), 1);
  }
};

class Div final : public ElementWise {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return {{1}, wanted[1] ? std::vector<int>{0} : std::vector<int>{}};
  }

 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const int64_t size = view.output(0).size();
    const Real* b = operand(view, 1);
    Real* d = view.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = 1 / b[e]; });
    if (wanted(0)) emit(0, d, 1);
    if (!wanted(1)) return;
    const Real* y = view.output(0).reals();
    each_element(size, [&](int64_t e) { d[e] *= -y[e]; });
    emit(1, d, 1);
  }
};

// y = a^b; the exponent may be an integer tensor. As in PyTorch d/da is 0 where b is 0, and d/db is
// 0 where a is 0 and b is not negative.
class Pow final : public ElementWise {
 public:
  const char* constant_role(const Node&, int k) const override {
    return k == 1 ? "an exponent" : nullptr;
  }
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return {{0, 1}, wanted[1] ? std::vector<int>{0} : std::vector<int>{}};
  }

 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const int64_t size = view.output(0).size();
    const Real* a = operand(view, 0);
    Real* d = view.scratch(size);
    if (wanted(0)) {
      if (view.input(1).size() == 1) {
        const Real b = floats_of(view, view.input(1))[0];
        if (b == 2) {
          each_element(size, [&](int64_t e) { d[e] = 2 * a[e]; });
        } else {
          each_element(size, [&](int64_t e) { d[e] = b == 0 ? 0 : b * std::pow(a[e], b - 1); });
        }
      } else {
        const Real* b = operand(view, 1);
        each_element(size,
                     [&](int64_t e) { d[e] = b[e] == 0 ? 0 : b[e] * std::pow(a[e], b[e] - 1); });
      }
      emit(0, d, 1);
    }
    if (!wanted(1)) return;
    const Real* b = operand(view, 1);
    const Real* y = view.output(0).reals();
    each_element(size,
                 [&](int64_t e) { d[e] = a[e] == 0 && b[e] >= 0 ? 0 : y[e] * std::log(a[e]); });
    emit(1, d, 1);
  }
};

// The remainder of a division; only with fmod = 1 does ONNX define it for floats.
class Mod final : public ElementWise {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return wanted[1] ? Needs{{0, 1}, {}} : Needs{};
  }

 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    if (wanted(0)) emit(0, nullptr, 1);
    if (!wanted(1)) return;
    const int64_t size = view.output(0).size();
    const Real* a = operand(view, 0);
    const Real* b = operand(view, 1);
    Real* d = view.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = -std::trunc(a[e] / b[e]); });
    emit(1, d, 1);
  }
};

// The greatest or least of several operands. Those that tie share the cotangent evenly.
class Extremum final : public ElementWise {
 public:
  Needs needs(const Node& node, const std::vector<bool>&) const override {
    Needs needs{{}, {0}};
    for (size_t k = 0; k < node.inputs.size(); ++k) needs.inputs.push_back(static_cast<int>(k));
    return needs;
  }

 protected:
  bool selects() const override { return true; }
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const int inputs = static_cast<int>(view.node().inputs.size());
    const int64_t size = view.output(0).size();
    const Real* y = view.output(0).reals();
    std::vector<const Real*> x;
    for (int k = 0; k < inputs; ++k) x.push_back(operand(view, k));
    Real* share = view.scratch(size);
    each_element(size, [&](int64_t e) {
      Real ties = 0;
      for (const Real* values : x) ties += values[e] == y[e] ? Real(1.0) : Real(0.0);
      share[e] = 1 / std::max(ties, Real(1.0));
    });
    Real* d = view.scratch(size);
    for (int k = 0; k < inputs; ++k) {
      if (!wanted(k)) continue;
      each_element(size, [&](int64_t e) { d[e] = x[k][e] == y[e] ? share[e] : Real(0.0); });
      emit(k, d, 1);
    }
  }
};

// max(x, 0) + slope·min(x, 0).
class PRelu final : public ElementWise {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return {wanted[0] ? std::vector<int>{0, 1} : std::vector<int>{0}, {}};
  }

 protected:
  bool selects() const override { return true; }
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const int64_t size = view.output(0).size();
    const Real* x = view.input(0).reals();
    Real* d = view.scratch(size);
    if (wanted(0)) {
      const Real* slope = operand(view, 1);
      each_element(size, [&](int64_t e) { d[e] = x[e] > 0 ? Real(1.0) : slope[e]; });
      emit(0, d, 1);
    }
    if (!wanted(1)) return;
    each_element(size, [&](int64_t e) { d[e] = x[e] > 0 ? Real(0.0) : x[e]; });
    emit(1, d, 1);
  }
};

class Where final : public ElementWise {
 public:
  bool differentiable(const Node&, int k) const override { return k > 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {}}; }

 protected:
  bool selects() const override { return true; }
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const int64_t size = view.output(0).size();
    const Real* chosen = operand(view, 0);
    if (wanted(1)) emit(1, chosen, 1);
    if (!wanted(2)) return;
    Real* d = view.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = 1 - chosen[e]; });
    emit(2, d, 1);
  }
};

// The inputs are min and max since opset 11, attributes before. Inside the bounds, they included,
// the derivative is 1 as torch.clamp's is; a bound that is computed gets what it cuts off.
class Clip final : public ElementWise {
 public:
  const char* constant_role(const Node&, int k) const override {
    return k > 0 ? "a clip bound" : nullptr;
  }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0, 1, 2}, {}}; }

 protected:
  bool selects() const override { return true; }
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    const Node& node = view.node();
    const auto bound = [&](int k, const char* name, double otherwise) {
      if (node.opset < 11) return static_cast<Real>(node.attributes.number(name, otherwise));
      return view.has_input(k) ? floats_of(view, view.input(k))[0] : static_cast<Real>(otherwise);
    };
    const Real low = bound(1, "min", -INFINITY), high = bound(2, "max", INFINITY);
    const int64_t size = view.output(0).size();
    const Real* x = view.input(0).reals();
    const auto bound_flow = [&](int k, auto cut) {
      if (node.opset < 11 || !view.has_input(k) || !wanted(k)) return;
      Real* d = view.scratch(size);
      each_element(size, [&](int64_t e) { d[e] = cut(x[e]) ? Real(1.0) : Real(0.0); });
      emit(k, d, 1);
    };
    bound_flow(1, [&](Real v) { return v < low && low < high; });
    bound_flow(2, [&](Real v) { return v > high || low > high; });
    if (!wanted(0)) return;
    Real* d = view.scratch(size);
    each_element(size,
                 [&](int64_t e) { d[e] = x[e] >= low && x[e] <= high ? Real(1.0) : Real(0.0); });
    emit(0, d, 1);
  }
};

using device::Kind;

template <class Either>
void flow_partial(Either& call, int k, Kind kind, const std::vector<int>& inputs,
                  bool with_output = false, bool selects = false) {
  std::vector<Operand> reads;
  for (int input : inputs) reads.push_back(operand(call, input));
  if (with_output) reads.push_back(result(call));
  flow(call, k, device::Partial<Real>{kind}, reads, selects);
}

// On a device: between input k and the output, in either direction.
constexpr auto add_there = [](auto& call, int k) { flow_constant(call, k, 1); };
constexpr auto sub_there = [](auto& call, int k) { flow_constant(call, k, k == 0 ? 1 : -1); };
constexpr auto mean_there = [](auto& call, int k) {
  flow_constant(call, k, Real(1.0) / static_cast<Real>(call.view().node().inputs.size()));
};
constexpr auto mul_there = [](auto& call, int k) {
  flow(call, k, device::Factor<Real>{}, {operand(call, 1 - k)});
};
constexpr auto div_there = [](auto& call, int k) {
  k == 0 ? flow_partial(call, k, Kind::kQuotient, {1})
         : flow_partial(call, k, Kind::kDivisor, {1}, true);
};
constexpr auto pow_there = [](auto& call, int k) {
  k == 0 ? flow_partial(call, k, Kind::kBase, {0, 1})
         : flow_partial(call, k, Kind::kExponent, {0, 1}, true);
};
constexpr auto mod_there = [](auto& call, int k) {
  k == 0 ? flow_constant(call, k, 1) : flow_partial(call, k, Kind::kModulus, {0, 1});
};
constexpr auto prelu_there = [](auto& call, int k) {
  k == 0 ? flow_partial(call, k, Kind::kAbove, {0, 1}, false, true)
         : flow_partial(call, k, Kind::kBelow, {0}, false, true);
};
constexpr auto where_there = [](auto& call, int k) {
  k == 1 ? flow(call, k, device::Factor<Real>{}, {operand(call, 0)}, true)
         : flow_partial(call, k, Kind::kOtherwise, {0}, false, true);
};
constexpr auto extremum_there = [](auto& call, int k) {
  const Shape& shape = call.view().output(0).shape;
  const DeviceNumbers ties = call.stream().template take<Real>(element_count(shape));
  for (int q = 0; q < static_cast<int>(call.view().node().inputs.size()); ++q)
    compute(call, 1, shape, {}, device::Partial<Real>{Kind::kEqual},
            {operand(call, q), result(call)}, ties.at(), false, q > 0);
  flow(call, k, device::Partial<Real>{Kind::kTie}, {operand(call, k), result(call), {ties, shape}},
       true);
};
constexpr auto clip_there = [](auto& call, int k) {
  const NodeView& view = call.view();
  const Node& node = view.node();
  const auto bound = [&](int q, const char* name, double otherwise) {
    if (node.opset < 11) return static_cast<Real>(node.attributes.number(name, otherwise));
    if (!view.has_input(q)) return static_cast<Real>(otherwise);
    const Activation& value = view.input(q);
    return value.type == DataType::kFloat ? value.reals()[0]
                                          : static_cast<Real>(integers_of(value)[0]);
  };
  const Real low = bound(1, "min", -INFINITY), high = bound(2, "max", INFINITY);
  const Kind kind = k == 0 ? Kind::kWithin : k == 1 ? Kind::kUnder : Kind::kOver;
  flow(call, k, device::Partial<Real>{kind, low, high}, {operand(call, 0)}, true);
};

const Registration rows[] = {
    {"Add", std::make_unique<Add>(), broadcasting(add_there)},
    {"Sub", std::make_unique<Sub>(), broadcasting(sub_there)},
    {"Mul", std::make_unique<Mul>(), broadcasting(mul_there)},
    {"Div", std::make_unique<Div>(), broadcasting(div_there)},
    {"Pow", std::make_unique<Pow>(), broadcasting(pow_there)},
    {"Mod", std::make_unique<Mod>(), broadcasting(mod_there)},
    {"Sum", std::make_unique<Add>(), broadcasting(add_there)},
    {"Mean", std::make_unique<Mean>(), broadcasting(mean_there)},
    {"Max", std::make_unique<Extremum>(), broadcasting(extremum_there)},
    {"Min", std::make_unique<Extremum>(), broadcasting(extremum_there)},
    {"PRelu", std::make_unique<PRelu>(), broadcasting(prelu_there)},
    {"Where", std::make_unique<Where>(), broadcasting(where_there)},
    {"Clip", std::make_unique<Clip>(), broadcasting(clip_there)},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
