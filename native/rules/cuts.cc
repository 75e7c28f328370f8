// Operators whose outputs carry no derivative: shapes, indices, comparisons, and functions that are
// constant wherever they have one.
#include <stdexcept>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

class Cut final : public Rule {
 public:
  bool differentiable(const Node&, int) const override { return false; }
  void reverse(Call&) const override { throw std::logic_error("nothing flows here"); }
  void forward(TangentCall&) const override { throw std::logic_error("nothing flows here"); }
};

Registration cut(const std::string& op) { return Registration(op, std::make_unique<Cut>()); }

const Registration rows[] = {
    cut("Shape"),
    cut("Size"),
    cut("ConstantOfShape"),
    cut("Constant"),
    cut("EyeLike"),
    cut("NonZero"),
    cut("Equal"),
    cut("Greater"),
    cut("GreaterOrEqual"),
    cut("Less"),
    cut("LessOrEqual"),
    cut("Not"),
    cut("And"),
    cut("Or"),
    cut("Xor"),
    cut("IsNaN"),
    cut("IsInf"),
    cut("ArgMax"),
    cut("ArgMin"),
    cut("Hardmax"),
    cut("Floor"),
    cut("Ceil"),
    cut("Round"),
    cut("Sign"),
    cut("NonMaxSuppression"),
    cut("RandomNormal"),
    cut("RandomNormalLike"),
    cut("RandomUniform"),
    cut("RandomUniformLike"),
    cut("BitShift"),
    cut("BitwiseAnd"),
    cut("BitwiseNot"),
    cut("BitwiseOr"),
    cut("BitwiseXor"),
    cut("HannWindow"),
    cut("HammingWindow"),
    cut("BlackmanWindow"),
    cut("MelWeightMatrix"),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
