// Activation functions. At kinks the derivative is PyTorch's.
#include <cmath>

#include "rules/support/gelu.h"
#include "rules/support/logistic.h"
#include "rules/support/unary.h"

namespace at {
namespace {

float number(const Node& node, const char* name, double otherwise) {
  return static_cast<float>(node.attributes.number(name, otherwise));
}

const Registration rows[] = {
    // What is no number goes through: it is not to vanish here.
    selecting("Relu", Reads::kOutput,
              [](const Node&) { return [](float y) { return y <= 0 ? 0.0f : 1.0f; }; }),
    unary("LeakyRelu", Reads::kInput,
          [](const Node& node) {
            const float slope = number(node, "alpha", 0.01);
            return [=](float x) { return x > 0 ? 1.0f : slope; };
          }),
    selecting("ThresholdedRelu", Reads::kInput,
              [](const Node& node) {
                const float threshold = number(node, "alpha", 1.0);
                return [=](float x) { return x > threshold ? 1.0f : 0.0f; };
              }),
    unary("Elu", Reads::kInput,
          [](const Node& node) {
            const float alpha = number(node, "alpha", 1.0);
            return [=](float x) { return x > 0 ? 1.0f : alpha * std::exp(x); };
          }),
    unary("Selu", Reads::kInput,
          [](const Node& node) {
            const float gamma = number(node, "gamma", 1.05070102214813232421875);
            const float alpha = gamma * number(node, "alpha", 1.67326319217681884765625);
            return [=](float x) { return x > 0 ? gamma : alpha * std::exp(x); };
          }),
    unary("Celu", Reads::kInput,
          [](const Node& node) {
            const float alpha = number(node, "alpha", 1.0);
            return [=](float x) { return x > 0 ? 1.0f : std::exp(x / alpha); };
          }),
    unary("Sigmoid", Reads::kInput, [](const Node&) { return logistic_slope; }),
    unary("Tanh", Reads::kInput, [](const Node&) { return tanh_slope; }),
    selecting("HardSigmoid", Reads::kOutput,
              [](const Node& node) {
                const float slope = number(node, "alpha", 0.2);
                return [=](float y) { return y > 0 && y < 1 ? slope : 0.0f; };
              }),
    selecting("HardSwish", Reads::kInput,
              [](const Node&) {
                return [](float x) { return x <= -3 ? 0.0f : x < 3 ? x / 3 + 0.5f : 1.0f; };
              }),
    // Also outer·softplus(inner·x), which Log(Sigmoid(x)) and its like are read as.
    unary("Softplus", Reads::kInput,
          [](const Node& node) {
            const float inner = number(node, "inner", 1), outer = number(node, "outer", 1);
            return [=](float x) { return inner * outer * logistic(inner * x); };
          }),
    unary("Softsign", Reads::kInput,
          [](const Node&) {
            return [](float x) {
              const float d = 1 + std::abs(x);
              return 1 / (d * d);
            };
          }),
    unary("Mish", Reads::kInput,
          [](const Node&) {
            return [](float x) {
              // tanh(log(1 + e)) = n/(n + 2), n = e(e + 2), e = exp(x).
              if (x > 20) return 1.0f;
              const float e = std::exp(x), n = e * (e + 2);
              const float t = n / (n + 2);
              return t + x * e / (1 + e) * (1 - t * t);
            };
          }),
    unary("Swish", Reads::kInput,
          [](const Node& node) {
            const float alpha = number(node, "alpha", 1.0);
            return [=](float x) { return swish_slope(x, alpha); };
          }),
    selecting("Shrink", Reads::kInput,
              [](const Node& node) {
                const float bound = number(node, "lambd", 0.5);
                return [=](float x) { return x < -bound || x > bound ? 1.0f : 0.0f; };
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
          const float alpha = number(node, "alpha", 1.702);
          return [=](float x) { return swish_slope(x, alpha); };
        },
        "com.microsoft"),
};

}  // namespace
}  // namespace at
