// Operators whose outputs carry no derivative: shapes, indices, comparisons, and functions that are
// constant wherever they have one.
#include <stdexcept>

#include "rules/rule.h"

namespace at {
namespace {

class Cut final : public Rule {
 public:
  bool differentiable(const Node&, int) const override { return false; }
  void reverse(Call&) const override { throw std::logic_error("nothing flows here"); }
};

// What is made of constants alone. A derivative would flow only through inputs that are computed
// from parameters.
class Constants final : public Rule {
 public:
  // Derivatives are of inputs from `first` on; those before are integers or the like.
  explicit Constants(int first) : first_(first) {}
  bool differentiable(const Node&, int k) const override { return k >= first_; }
  bool constant_role(const Node&, int) const override { return true; }
  std::unique_ptr<Refusal> refuse(const Node&, const Tape&) const override {
    return std::make_unique<Refusal>(
        Refusal{"numbers that it takes as constants depend on parameters",
                "give it constants, or freeze what they are computed from"});
  }
  void reverse(Call&) const override { throw std::logic_error("a refused node in reverse"); }

 private:
  int first_;
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
    {"OneHot", std::make_unique<Constants>(2)},
    {"Range", std::make_unique<Constants>(0)},
    {"MelWeightMatrix", std::make_unique<Constants>(3)},
};

}  // namespace
}  // namespace at
