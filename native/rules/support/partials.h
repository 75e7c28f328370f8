#pragma once

#include <functional>

#include "rules/support/elementwise.h"

namespace at {
inline namespace AT_PRECISION {

// An element-wise operator with NumPy broadcasting, y = f(x_0, x_1, …): both of its rules follow
// from its partial derivatives.
class ElementWise : public Rule {
 public:
  bool sees_one(const Node&) const override { return true; }
  void reverse(Call& call) const override;
  void forward(TangentCall& call) const override;

 protected:
  // ∂y/∂x_k: d[e] at element e of the output, or `scale` everywhere when d is null.
  using Emit = std::function<void(int k, const Real* d, Real scale)>;
  using Wanted = std::function<bool(int k)>;
  // Emits the partial derivative of every input that is wanted, once. d is read before emit
  // returns.
  virtual void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const = 0;
  // Does a partial derivative of 0 mean that the operand was not selected?
  virtual bool selects() const { return false; }
};

// out (count, output's shape…) (+)= d ∘ in, in (count, from…) broadcast to the output's shape; d as
// in ElementWise::Emit. `add` tells whether out holds something already. in may be out.
void flow_forward(TangentCall& call, const Real* in, const Shape& from, const Shape& shape,
                  const Real* d, Real scale, bool add, Real* out, bool selects = false);

}  // namespace AT_PRECISION
}  // namespace at
