// Activation functions. At kinks the derivative is PyTorch's.
#include <cmath>

#include "rules/support/gelu.h"
#include "rules/support/logistic.h"
#include "rules/support/unary.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

Real number(const Node& node, const char* name, double otherwise) {
  return static_cast<Real>(node.attributes.number(name, otherwise));
}

const Registration rows[] = {
    // What is no number goes through: it is not to vanish here.
    selecting("Relu", Reads::kOutput,
              [](const Node&) { return [](Real y) { return y <= 0 ? Real(0.0) : Real(1.0); }; }),
    unary("LeakyRelu", Reads::kInput,
          [](const Node& node) {
            const Real slope = number(node, "alpha", 0.01);
            return [=](Real x) { return x > 0 ? Real(1.0) : slope; };
          }),
    selecting("ThresholdedRelu", Reads::kInput,
              [](const Node& node) {
                const Real threshold = number(node, "alpha", 1.0);
                return [=](Real x) { return x > threshold ? Real(1.0) : Real(0.0); };
              }),
    unary("Elu", Reads::kInput,
          [](const Node& node) {
            const Real alpha = number(node, "alpha", 1.0);
            return [=](Real x) { return x > 0 ? Real(1.0) : alpha * std::exp(x); };
          }),
    unary("Selu", Reads::kInput,
          [](const Node& node) {
            const Real gamma = number(node, "gamma", 1.05070102214813232421875);
            const Real alpha = gamma * number(node, "alpha", 1.67326319217681884765625);
            return [=](Real x) { return x > 0 ? gamma : alpha * std::exp(x); };
          }),
    unary("Celu", Reads::kInput,
          [](const Node& node) {
            const Real alpha = number(node, "alpha", 1.0);
            return [=](Real x) { return x > 0 ? Real(1.0) : std::exp(x / alpha); };
          }),
    unary("Sigmoid", Reads::kInput, [](const Node&) { return logistic_slope; }),
    unary("Tanh", Reads::kInput, [](const Node&) { return tanh_slope; }),
    selecting("HardSigmoid", Reads::kOutput,
              [](const Node& node) {
                const Real slope = number(node, "alpha", 0.2);
                return [=](Real y) { return y > 0 && y < 1 ? slope : Real(0.0); };
              }),
    selecting("HardSwish", Reads::kInput,
              [](const Node&) {
                return [](Real x) {
                  return x <= -3 ? Real(0.0) : x < 3 ? x / 3 + Real(0.5) : Real(1.0);
                };
              }),
    // Also outer·softplus(inner·x), which Log(Sigmoid(x)) and its like are read as.
    unary("Softplus", Reads::kInput,
          [](const Node& node) {
            const Real inner = number(node, "inner", 1), outer = number(node, "outer", 1);
            return [=](Real x) { return inner * outer * logistic(inner * x); };
          }),
    unary("Softsign", Reads::kInput,
          [](const Node&) {
            return [](Real x) {
              const Real d = 1 + std::abs(x);
              return 1 / (d * d);
            };
          }),
    unary("Mish", Reads::kInput,
          [](const Node&) {
            return [](Real x) {
              // tanh(log(1 + e)) = n/(n + 2), n = e(e + 2), e = exp(x).
              if (x > 20) return Real(1.0);
              const Real e = std::exp(x), n = e * (e + 2);
              const Real t = n / (n + 2);
              return t + x * e / (1 + e) * (1 - t * t);
            };
          }),
    unary("Swish", Reads::kInput,
          [](const Node& node) {
            const Real alpha = number(node, "alpha", 1.0);
            return [=](Real x) { return swish_slope(x, alpha); };
          }),
    selecting("Shrink", Reads::kInput,
              [](const Node& node) {
                const Real bound = number(node, "lambd", 0.5);
                return [=](Real x) { return x < -bound || x > bound ? Real(1.0) : Real(0.0); };
              }),
    unary("Gelu", Reads::kInput,
          [](const Node& node) {
            return node.attributes.text("approximate", "none") == "tanh" ? gelu_tanh_derivative
                                                                         : gelu_derivative;
          }),
    unary(
        "Gelu", Reads::kInput, [](const Node&) { return gelu_derivative; }, "com.microsoft"),
    unary(
        "QuickGelu", Reads::kInput,
        [](const Node& node) {
          const Real alpha = number(node, "alpha", 1.702);
          return [=](Real x) { return swish_slope(x, alpha); };
        },
        "com.microsoft"),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
