// Element-wise operators of two or more operands with NumPy broadcasting.
#include <cmath>

#include "rules/support/elementwise.h"

namespace at {
namespace {

// Cotangent of input k of a sum with weight 1.
void flow_one(Call& call, int k) {
  if (!call.per_sample(k) && call.input(k).shape == call.output(0).shape) {
    call.pass(0, k);
  } else {
    call.reduce(0, k, call.out(0));
  }
}

// Cotangent of input k of a sum with weight `scale`.
void flow_constant(Call& call, int k, float scale) {
  const int64_t samples = call.per_sample(k) ? call.samples() : 1;
  float* in = sum_to(call, 0, k, call.input(k).shape, call.out(0));
  each_element(call.count() * samples * call.input(k).size(), [&](int64_t e) { in[e] *= scale; });
}

class Add final : public Rule {
 public:
  void reverse(Call& call) const override {
    for (size_t k = 0; k < call.node().inputs.size(); ++k)
      if (call.wants(static_cast<int>(k))) flow_one(call, static_cast<int>(k));
  }
};

class Sub final : public Rule {
 public:
  void reverse(Call& call) const override {
    if (call.wants(0)) flow_one(call, 0);
    if (call.wants(1)) flow_constant(call, 1, -1);
  }
};

class Mean final : public Rule {
 public:
  void reverse(Call& call) const override {
    const int inputs = static_cast<int>(call.node().inputs.size());
    for (int k = 0; k < inputs; ++k)
      if (call.wants(k)) flow_constant(call, k, 1.0f / static_cast<float>(inputs));
  }
};

const float* operand(Call& call, int k) {
  return broadcast_values(call, floats_of(call, call.input(k)), call.input(k).shape,
                          call.output(0).shape);
}

class Mul final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    Needs needs;
    if (wanted[0]) needs.inputs.push_back(1);
    if (wanted[1]) needs.inputs.push_back(0);
    return needs;
  }
  void reverse(Call& call) const override {
    if (call.wants(0)) flow(call, 0, operand(call, 1), !call.wants(1));
    if (call.wants(1)) flow(call, 1, operand(call, 0), true);
  }
};

class Div final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return {{1}, wanted[1] ? std::vector<int>{0} : std::vector<int>{}};
  }
  void reverse(Call& call) const override {
    const int64_t size = call.output(0).size();
    const float* b = operand(call, 1);
    float* d = call.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = 1 / b[e]; });
    if (call.wants(0)) flow(call, 0, d, !call.wants(1));
    if (!call.wants(1)) return;
    const float* y = call.output(0).floats();
    each_element(size, [&](int64_t e) { d[e] *= -y[e]; });
    flow(call, 1, d, true);
  }
};

// y = a^b; the exponent may be an integer tensor. As in PyTorch d/da is 0 where b is 0, and d/db is
// 0 where a is 0 and b is not negative.
class Pow final : public Rule {
 public:
  bool constant_role(const Node&, int k) const override { return k == 1; }
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return {{0, 1}, wanted[1] ? std::vector<int>{0} : std::vector<int>{}};
  }
  void reverse(Call& call) const override {
    const int64_t size = call.output(0).size();
    const float* a = operand(call, 0);
    float* d = call.scratch(size);
    if (call.wants(0)) {
      if (call.input(1).size() == 1) {
        const float b = floats_of(call, call.input(1))[0];
        if (b == 2) {
          each_element(size, [&](int64_t e) { d[e] = 2 * a[e]; });
        } else {
          each_element(size, [&](int64_t e) { d[e] = b == 0 ? 0 : b * std::pow(a[e], b - 1); });
        }
      } else {
        const float* b = operand(call, 1);
        each_element(size,
                     [&](int64_t e) { d[e] = b[e] == 0 ? 0 : b[e] * std::pow(a[e], b[e] - 1); });
      }
      flow(call, 0, d, !call.wants(1));
    }
    if (!call.wants(1)) return;
    const float* b = operand(call, 1);
    const float* y = call.output(0).floats();
    each_element(size,
                 [&](int64_t e) { d[e] = a[e] == 0 && b[e] >= 0 ? 0 : y[e] * std::log(a[e]); });
    flow(call, 1, d, true);
  }
};

// The remainder of a division; only with fmod = 1 does ONNX define it for floats.
class Mod final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return wanted[1] ? Needs{{0, 1}, {}} : Needs{};
  }
  void reverse(Call& call) const override {
    if (call.wants(0)) flow_one(call, 0);
    if (!call.wants(1)) return;
    const int64_t size = call.output(0).size();
    const float* a = operand(call, 0);
    const float* b = operand(call, 1);
    float* d = call.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = -std::trunc(a[e] / b[e]); });
    flow(call, 1, d, true);
  }
};

// The greatest or least of several operands. Those that tie share the cotangent evenly.
class Extremum final : public Rule {
 public:
  Needs needs(const Node& node, const std::vector<bool>&) const override {
    Needs needs{{}, {0}};
    for (size_t k = 0; k < node.inputs.size(); ++k) needs.inputs.push_back(static_cast<int>(k));
    return needs;
  }
  void reverse(Call& call) const override {
    const int inputs = static_cast<int>(call.node().inputs.size());
    const int64_t size = call.output(0).size();
    const float* y = call.output(0).floats();
    std::vector<const float*> x;
    int last = -1;
    for (int k = 0; k < inputs; ++k) {
      x.push_back(operand(call, k));
      if (call.wants(k)) last = k;
    }
    float* share = call.scratch(size);
    each_element(size, [&](int64_t e) {
      float ties = 0;
      for (const float* values : x) ties += values[e] == y[e] ? 1.0f : 0.0f;
      share[e] = 1 / std::max(ties, 1.0f);
    });
    float* d = call.scratch(size);
    for (int k = 0; k < inputs; ++k) {
      if (!call.wants(k)) continue;
      each_element(size, [&](int64_t e) { d[e] = x[k][e] == y[e] ? share[e] : 0.0f; });
      flow(call, k, d, k == last);
    }
  }
};

// max(x, 0) + slope·min(x, 0).
class PRelu final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return {wanted[0] ? std::vector<int>{0, 1} : std::vector<int>{0}, {}};
  }
  void reverse(Call& call) const override {
    const int64_t size = call.output(0).size();
    const float* x = call.input(0).floats();
    float* d = call.scratch(size);
    if (call.wants(0)) {
      const float* slope = operand(call, 1);
      each_element(size, [&](int64_t e) { d[e] = x[e] > 0 ? 1.0f : slope[e]; });
      flow(call, 0, d, !call.wants(1));
    }
    if (!call.wants(1)) return;
    each_element(size, [&](int64_t e) { d[e] = x[e] > 0 ? 0.0f : x[e]; });
    flow(call, 1, d, true);
  }
};

class Where final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k > 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {}}; }
  void reverse(Call& call) const override {
    const int64_t size = call.output(0).size();
    const float* chosen = operand(call, 0);
    if (call.wants(1)) flow(call, 1, chosen, !call.wants(2));
    if (!call.wants(2)) return;
    float* d = call.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = 1 - chosen[e]; });
    flow(call, 2, d, true);
  }
};

// The inputs are min and max since opset 11, attributes before. Inside the bounds, they included,
// the derivative is 1 as torch.clamp's is; a bound that is computed gets what it cuts off.
class Clip final : public Rule {
 public:
  bool constant_role(const Node&, int k) const override { return k > 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0, 1, 2}, {}}; }
  void reverse(Call& call) const override {
    const Node& node = call.node();
    const auto bound = [&](int k, const char* name, double otherwise) {
      if (node.opset < 11) return static_cast<float>(node.attributes.number(name, otherwise));
      return call.has_input(k) ? floats_of(call, call.input(k))[0] : static_cast<float>(otherwise);
    };
    const float low = bound(1, "min", -INFINITY), high = bound(2, "max", INFINITY);
    const int64_t size = call.output(0).size();
    const float* x = call.input(0).floats();
    const auto bound_flow = [&](int k, auto cut) {
      if (node.opset < 11 || !call.has_input(k) || !call.wants(k)) return;
      float* d = call.scratch(size);
      each_element(size, [&](int64_t e) { d[e] = cut(x[e]) ? 1.0f : 0.0f; });
      flow(call, k, d, false);
    };
    bound_flow(1, [&](float v) { return v < low && low < high; });
    bound_flow(2, [&](float v) { return v > high || low > high; });
    if (!call.wants(0)) return;
    scale_elements(call.count(), size, call.out(0), call.in_place(0),
                   [&](int64_t from, int64_t n, float* d) {
                     for (int64_t e = 0; e < n; ++e) {
                       const float v = x[from + e];
                       d[e] = v >= low && v <= high ? 1.0f : 0.0f;
                     }
                   });
  }
};

const Registration rows[] = {
    {"Add", std::make_unique<Add>()},      {"Sub", std::make_unique<Sub>()},
    {"Mul", std::make_unique<Mul>()},      {"Div", std::make_unique<Div>()},
    {"Pow", std::make_unique<Pow>()},      {"Mod", std::make_unique<Mod>()},
    {"Sum", std::make_unique<Add>()},      {"Mean", std::make_unique<Mean>()},
    {"Max", std::make_unique<Extremum>()}, {"Min", std::make_unique<Extremum>()},
    {"PRelu", std::make_unique<PRelu>()},  {"Where", std::make_unique<Where>()},
    {"Clip", std::make_unique<Clip>()},
};

}  // namespace
}  // namespace at
