#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "graph/tape.h"
#include "reverse/call.h"
#include "rules/support/finite.h"

namespace at {
inline namespace AT_PRECISION {

// A node that is a product of operands (Rule::factors) which are not all finite. Every number that
// its rule makes is a sum of products of a cotangent (or tangent) and operands, and nothing flows
// where the cotangent is 0. So the rule runs on operands with 0 in place of what is not finite; and
// on indicators, which tell where such a number is met by something that is not 0.
class ProductParts {
 public:
  ProductParts(const Frame& frame, const Node& node, Pool& pool);

  // Operands with numbers that are not finite.
  const std::vector<int>& spoilt() const { return spoilt_; }
  // The frame with 0 in place of what is not finite.
  Frame sound();
  // The frame with 1 where operand `q` is not finite and where other operands are not 0, else 0.
  Frame reach(int q);
  // 1 where values are not 0.
  std::shared_ptr<Real> indicator(const Real* values, int64_t count);

 private:
  template <class F>
  void put(Frame& frame, int k, const F& f);

  const Frame& frame_;
  const Node& node_;
  Pool& pool_;
  std::vector<int> spoilt_;
  std::vector<std::shared_ptr<Real>> held_;
};

// to[e] where reached[e] is not 0: what the plain run gave, NaN where that left no infinity.
void spoil(const Real* reached, const Real* plain, int64_t count, Real* to);

// The rule of such a node in reverse, in place of rule->reverse(call): what it made is in
// call.produced() afterwards.
void reverse_product(const Tape& tape, const Frame& frame, const Node& node, int64_t count,
                     const std::vector<std::shared_ptr<Real>>& out, Pool& pool,
                     const Control& control, NodeCall& call);

// Factors that hold numbers which are not finite: rows of h that meet no cotangent become 0, and
// use.spoilt tells whether others are left.
void settle_factors(MatrixUse& use);

}  // namespace AT_PRECISION
}  // namespace at
