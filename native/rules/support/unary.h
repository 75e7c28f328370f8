#pragma once

#include <memory>
#include <utility>

#include "core/wider.h"
#include "rules/support/elementwise.h"

namespace at {
inline namespace AT_PRECISION {

// What an element-wise function's derivative is written in.
enum class Reads { kInput, kOutput };

// Does a derivative bring a loop over many numbers, all(x, n, to)?
template <class F>
constexpr auto has_all(int) -> decltype(&F::all, true) {
  return true;
}
template <class F>
constexpr bool has_all(...) {
  return false;
}

// y = f(x) element by element. `make(node)` gives the function v ↦ dy/dx, where v is x or y;
// `selecting`: a derivative of 0 means that x was not selected.
template <class Make, bool selecting>
class Unary final : public Rule {
 public:
  Unary(Reads reads, Make make) : reads_(reads), make_(std::move(make)) {}

  Needs needs(const Node&, const std::vector<bool>&) const override {
    return reads_ == Reads::kInput ? Needs{{0}, {}} : Needs{{}, {0}};
  }
  bool differentiable(const Node&, int k) const override { return k == 0; }

  void reverse(Call& call) const override {
    scale(call, call.count(), call.out(0), call.in_place(0));
  }
  void forward(TangentCall& call) const override {
    scale(call, call.count(), call.in(0), call.out_in_place(0));
  }

  bool sees_one(const Node&) const override { return true; }
  bool selects(const Node&) const override { return selecting; }
  void slopes(const NodeView& view, Real* to) const override {
    const auto derivatives = derivatives_of(view);
    parallel_for(values(view).size(), 1 << 14, [&](int64_t first, int64_t last) {
      derivatives(first, last - first, to + first);
    });
  }

 private:
  const Activation& values(const NodeView& view) const {
    return reads_ == Reads::kInput ? view.input(0) : view.output(0);
  }
  // (start, n, d): n derivatives from number `start` on.
  auto derivatives_of(const NodeView& view) const {
    return [derivative = make_(view.node()), from = values(view).reals()](int64_t start, int64_t n,
                                                                          Real* d) {
      wider([&] {
        if constexpr (has_all<decltype(derivative)>(0)) {
          derivative.all(from + start, n, d);
        } else {
          for (int64_t e = 0; e < n; ++e) d[e] = derivative(from[start + e]);
        }
      });
    };
  }
  void scale(const NodeView& view, int64_t count, const Real* from, Real* to) const {
    scale_elements<selecting>(count, values(view).size(), from, to, derivatives_of(view));
  }

  Reads reads_;
  Make make_;
};

}  // namespace AT_PRECISION
}  // namespace at
