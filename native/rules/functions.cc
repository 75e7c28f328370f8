// Elementary functions of one variable, for the host and for devices. The derivatives are in
// device/functions/elementary.h.
#include "device/functions/elementary.h"
#include "rules/device/unary.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

using device::Function;

constexpr auto kInput = Reads::kInput;
constexpr auto kOutput = Reads::kOutput;

template <Function f>
Registration row(const std::string& op, Reads reads) {
  const auto host = [](const Node&) {
    return [](Real v) { return device::elementary_slope<f>(v); };
  };
  const auto there = [](const Node&) { return device::Elementary<Real>{f}; };
  return {op, std::make_unique<Unary<decltype(host), false>>(reads, host),
          std::make_shared<DeviceUnary<decltype(there), false>>(reads, there)};
}

const Registration rows[] = {
    row<Function::kExp>("Exp", kOutput),    row<Function::kLog>("Log", kInput),
    row<Function::kSqrt>("Sqrt", kOutput),  row<Function::kReciprocal>("Reciprocal", kOutput),
    row<Function::kNeg>("Neg", kOutput),    row<Function::kAbs>("Abs", kInput),
    row<Function::kErf>("Erf", kInput),     row<Function::kSin>("Sin", kInput),
    row<Function::kCos>("Cos", kInput),     row<Function::kTan>("Tan", kOutput),
    row<Function::kAsin>("Asin", kInput),   row<Function::kAcos>("Acos", kInput),
    row<Function::kAtan>("Atan", kInput),   row<Function::kSinh>("Sinh", kInput),
    row<Function::kCosh>("Cosh", kInput),   row<Function::kAsinh>("Asinh", kInput),
    row<Function::kAcosh>("Acosh", kInput), row<Function::kAtanh>("Atanh", kInput),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
