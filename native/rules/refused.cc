// Operators that are named and refused, each with what to do about it.
#include <algorithm>
#include <stdexcept>

#include "rules/support/quantised.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

class Refused final : public Rule {
 public:
  Refused(std::string why, std::string remedy) : why_(std::move(why)), remedy_(std::move(remedy)) {}
  std::unique_ptr<Refusal> refuse(const Node&, const Tape&) const override {
    return std::make_unique<Refusal>(Refusal{why_, remedy_});
  }
  void reverse(Call&) const override { throw std::logic_error("a refused node in reverse"); }
  void forward(TangentCall&) const override { throw std::logic_error("a refused node in forward"); }

 private:
  std::string why_, remedy_;
};

// Computes with quantised numbers. Its `scales` are no parameters of the network.
class Quantised final : public Rule {
 public:
  explicit Quantised(std::vector<int> scales) : scales_(std::move(scales)) {}
  const char* constant_role(const Node&, int k) const override {
    const bool scale = std::find(scales_.begin(), scales_.end(), k) != scales_.end();
    return scale ? "the scale of quantised numbers" : nullptr;
  }
  std::unique_ptr<Refusal> refuse(const Node&, const Tape&) const override {
    return quantised_refusal();
  }
  void reverse(Call&) const override { throw std::logic_error("a refused node in reverse"); }
  void forward(TangentCall&) const override { throw std::logic_error("a refused node in forward"); }

 private:
  std::vector<int> scales_;
};

Registration control_flow(const std::string& op) {
  return Registration(op, std::make_unique<Refused>(
                              "its body is a graph of its own, which is not differentiated",
                              "export the network without control flow (unroll the loop, trace "
                              "the branch)"));
}

Registration quantised(const std::string& op, std::vector<int> scales,
                       const std::string& domain = "") {
  return Registration(op, std::make_unique<Quantised>(std::move(scales)), domain);
}

Registration random(const std::string& op) {
  return Registration(op, std::make_unique<Refused>("it draws random numbers",
                                                    "export the network in evaluation mode"));
}

const Registration rows[] = {
    control_flow("If"),
    control_flow("Loop"),
    control_flow("Scan"),
    control_flow("SequenceMap"),
    quantised("QuantizeLinear", {1}),
    quantised("DynamicQuantizeLinear", {}),
    quantised("QLinearConv", {1, 4, 6}),
    quantised("QLinearMatMul", {1, 4, 6}),
    quantised("ConvInteger", {}),
    quantised("MatMulInteger", {}),
    quantised("MatMulNBits", {2}, "com.microsoft"),
    quantised("QuantizeLinear", {1}, "com.microsoft"),
    random("Bernoulli"),
    random("Multinomial"),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
