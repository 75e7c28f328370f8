#pragma once

#include <memory>
#include <string>
#include <utility>

#include "rules/support/elementwise.h"

namespace at {

// What an element-wise function's derivative is written in.
enum class Reads { kInput, kOutput };

// y = f(x) element by element. `make(node)` gives the function v ↦ dy/dx, where v is x or y.
template <class Make>
class Unary final : public Rule {
 public:
  Unary(Reads reads, Make make) : reads_(reads), make_(std::move(make)) {}

  Needs needs(const Node&, const std::vector<bool>&) const override {
    return reads_ == Reads::kInput ? Needs{{0}, {}} : Needs{{}, {0}};
  }
  bool differentiable(const Node&, int k) const override { return k == 0; }

  void reverse(Call& call) const override {
    const Activation& v = reads_ == Reads::kInput ? call.input(0) : call.output(0);
    const auto derivative = make_(call.node());
    const float* values = v.floats();
    scale_elements(call.count(), v.size(), call.out(0), call.in_place(0),
                   [&](int64_t from, int64_t n, float* d) {
                     for (int64_t e = 0; e < n; ++e) d[e] = derivative(values[from + e]);
                   });
  }

 private:
  Reads reads_;
  Make make_;
};

// A row of a family's table: `const Registration rows[] = {unary("Exp", Reads::kOutput, …), …};`
template <class Make>
Registration unary(const std::string& op, Reads reads, Make make, const std::string& domain = "") {
  return Registration(op, std::make_unique<Unary<Make>>(reads, std::move(make)), domain);
}

}  // namespace at
