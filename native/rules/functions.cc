// Elementary functions of one variable.
#include <cmath>

#include "rules/support/unary.h"

namespace at {
namespace {

// A function without attributes.
template <class F>
auto plain(F f) {
  return [f](const Node&) { return f; };
}

constexpr auto kInput = Reads::kInput;
constexpr auto kOutput = Reads::kOutput;

const Registration rows[] = {
    unary("Exp", kOutput, plain([](float y) { return y; })),
    unary("Log", kInput, plain([](float x) { return 1 / x; })),
    unary("Sqrt", kOutput, plain([](float y) { return 0.5f / y; })),
    unary("Reciprocal", kOutput, plain([](float y) { return -y * y; })),
    unary("Neg", kOutput, plain([](float) { return -1.0f; })),
    unary("Abs", kInput, plain([](float x) { return x > 0   ? 1.0f
                                                    : x < 0 ? -1.0f
                                                            : 0.0f; })),
    unary("Erf", kInput, plain([](float x) { return 1.1283791670955126f * std::exp(-x * x); })),
    unary("Sin", kInput, plain([](float x) { return std::cos(x); })),
    unary("Cos", kInput, plain([](float x) { return -std::sin(x); })),
    unary("Tan", kOutput, plain([](float y) { return 1 + y * y; })),
    unary("Asin", kInput, plain([](float x) { return 1 / std::sqrt(1 - x * x); })),
    unary("Acos", kInput, plain([](float x) { return -1 / std::sqrt(1 - x * x); })),
    unary("Atan", kInput, plain([](float x) { return 1 / (1 + x * x); })),
    unary("Sinh", kInput, plain([](float x) { return std::cosh(x); })),
    unary("Cosh", kInput, plain([](float x) { return std::sinh(x); })),
    unary("Asinh", kInput, plain([](float x) { return 1 / std::sqrt(x * x + 1); })),
    unary("Acosh", kInput, plain([](float x) { return 1 / std::sqrt(x * x - 1); })),
    unary("Atanh", kInput, plain([](float x) { return 1 / (1 - x * x); })),
};

}  // namespace
}  // namespace at
