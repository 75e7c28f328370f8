// Elementary functions of one variable.
#include <cmath>

#include "rules/support/exponential.h"
#include "rules/support/unary.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// A function without attributes.
template <class F>
auto plain(F f) {
  return [f](const Node&) { return f; };
}

constexpr auto kInput = Reads::kInput;
constexpr auto kOutput = Reads::kOutput;

const Registration rows[] = {
    unary("Exp", kOutput, plain([](Real y) { return y; })),
    unary("Log", kInput, plain([](Real x) { return 1 / x; })),
    unary("Sqrt", kOutput, plain([](Real y) { return Real(0.5) / y; })),
    unary("Reciprocal", kOutput, plain([](Real y) { return -y * y; })),
    unary("Neg", kOutput, plain([](Real) { return -Real(1.0); })),
    unary("Abs", kInput, plain([](Real x) {
            return x > 0 ? Real(1.0) : x < 0 ? -Real(1.0) : Real(0.0);
          })),
    unary("Erf", kInput,
          plain([](Real x) { return Real(1.1283791670955126) * exponential(-x * x); })),
    unary("Sin", kInput, plain([](Real x) { return std::cos(x); })),
    unary("Cos", kInput, plain([](Real x) { return -std::sin(x); })),
    unary("Tan", kOutput, plain([](Real y) { return 1 + y * y; })),
    unary("Asin", kInput, plain([](Real x) { return 1 / std::sqrt(1 - x * x); })),
    unary("Acos", kInput, plain([](Real x) { return -1 / std::sqrt(1 - x * x); })),
    unary("Atan", kInput, plain([](Real x) { return 1 / (1 + x * x); })),
    unary("Sinh", kInput, plain([](Real x) { return std::cosh(x); })),
    unary("Cosh", kInput, plain([](Real x) { return std::sinh(x); })),
    unary("Asinh", kInput, plain([](Real x) { return 1 / std::sqrt(x * x + 1); })),
    unary("Acosh", kInput, plain([](Real x) { return 1 / std::sqrt(x * x - 1); })),
    unary("Atanh", kInput, plain([](Real x) { return 1 / (1 - x * x); })),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
