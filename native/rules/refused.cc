// Operators that are named and refused, each with what to do about it.
#include <stdexcept>

#include "rules/rule.h"

namespace at {
namespace {

class Refused final : public Rule {
 public:
  Refused(std::string why, std::string remedy) : why_(std::move(why)), remedy_(std::move(remedy)) {}
  std::unique_ptr<Refusal> refuse(const Node&, const Tape&) const override {
    return std::make_unique<Refusal>(Refusal{why_, remedy_});
  }
  void reverse(Call&) const override { throw std::logic_error("a refused node in reverse"); }

 private:
  std::string why_, remedy_;
};

Registration control_flow(const std::string& op) {
  return Registration(op, std::make_unique<Refused>(
                              "its body is a graph of its own, which is not differentiated",
                              "export the network without control flow (unroll the loop, trace "
                              "the branch)"));
}

Registration quantised(const std::string& op, const std::string& domain = "") {
  return Registration(
      op,
      std::make_unique<Refused>("it computes with quantised numbers, which have "
                                "no derivative",
                                "use the network as it was before quantisation, or choose "
                                "the float parameters that are wanted by parameters"),
      domain);
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
    quantised("QuantizeLinear"),
    quantised("DequantizeLinear"),
    quantised("DynamicQuantizeLinear"),
    quantised("QLinearConv"),
    quantised("QLinearMatMul"),
    quantised("ConvInteger"),
    quantised("MatMulInteger"),
    quantised("MatMulNBits", "com.microsoft"),
    quantised("QuantizeLinear", "com.microsoft"),
    quantised("DequantizeLinear", "com.microsoft"),
    random("Bernoulli"),
    random("Multinomial"),
};

}  // namespace
}  // namespace at
