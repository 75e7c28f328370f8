// Activation functions, for the host and for devices. The derivatives are in
// device/functions/slopes.h.
#include "rules/device/unary.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

Real number(const Node& node, const char* name, double otherwise) {
  return static_cast<Real>(node.attributes.number(name, otherwise));
}

const Registration rows[] = {
    selecting_activation("Relu", Reads::kOutput, [](const Node&) { return device::Relu<Real>{}; }),
    activation(
        "LeakyRelu", Reads::kInput,
        [](const Node& node) { return device::LeakyRelu<Real>{number(node, "alpha", 0.01)}; }),
    selecting_activation(
        "ThresholdedRelu", Reads::kInput,
        [](const Node& node) { return device::ThresholdedRelu<Real>{number(node, "alpha", 1.0)}; }),
    activation("Elu", Reads::kInput,
               [](const Node& node) {
                 return device::Exponential<Real>{1, number(node, "alpha", 1.0), 1};
               }),
    activation("Selu", Reads::kInput,
               [](const Node& node) {
                 const Real gamma = number(node, "gamma", 1.05070102214813232421875);
                 const Real alpha = gamma * number(node, "alpha", 1.67326319217681884765625);
                 return device::Exponential<Real>{gamma, alpha, 1};
               }),
    activation("Celu", Reads::kInput,
               [](const Node& node) {
                 return device::Exponential<Real>{1, 1, number(node, "alpha", 1.0)};
               }),
    activation("Sigmoid", Reads::kInput, [](const Node&) { return device::Sigmoid<Real>{}; }),
    activation("Tanh", Reads::kInput, [](const Node&) { return device::Tanh<Real>{}; }),
    selecting_activation(
        "HardSigmoid", Reads::kOutput,
        [](const Node& node) { return device::HardSigmoid<Real>{number(node, "alpha", 0.2)}; }),
    selecting_activation("HardSwish", Reads::kInput,
                         [](const Node&) { return device::HardSwish<Real>{}; }),
    // Also outer·softplus(inner·x), which Log(Sigmoid(x)) and its like are read as.
    activation("Softplus", Reads::kInput,
               [](const Node& node) {
                 return device::Softplus<Real>{number(node, "inner", 1), number(node, "outer", 1)};
               }),
    activation("Softsign", Reads::kInput, [](const Node&) { return device::Softsign<Real>{}; }),
    activation("Mish", Reads::kInput, [](const Node&) { return device::Mish<Real>{}; }),
    activation("Swish", Reads::kInput,
               [](const Node& node) { return device::Swish<Real>{number(node, "alpha", 1.0)}; }),
    selecting_activation(
        "Shrink", Reads::kInput,
        [](const Node& node) { return device::Shrink<Real>{number(node, "lambd", 0.5)}; }),
    activation("Gelu", Reads::kInput,
               [](const Node& node) {
                 return device::Gelu<Real>{node.attributes.text("approximate", "none") == "tanh"};
               }),
    activation(
        "Gelu", Reads::kInput, [](const Node&) { return device::Gelu<Real>{false}; },
        "com.microsoft"),
    activation(
        "QuickGelu", Reads::kInput,
        [](const Node& node) { return device::Swish<Real>{number(node, "alpha", 1.702)}; },
        "com.microsoft"),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
