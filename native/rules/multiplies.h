#pragma once

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// What a Call may be in addition: one that asks whether factors would only be multiplied out.
class MultipliesOut {
 public:
  virtual ~MultipliesOut() = default;
  // As multiplied_out() below.
  virtual Real* multiplied(int k, const MatrixDims& dims) = 0;
};

// For per_sample(k): are factors of these dims multiplied out, and larger than what they make? Then
// the memory (n, count, shape…), uninitialised, where a rule writes the features in place of
// matrix(k, …), piece by piece from where the numbers are; otherwise null.
inline Real* multiplied_out(Call& call, int k, const MatrixDims& dims) {
  auto* own = dynamic_cast<MultipliesOut*>(&call);
  return own ? own->multiplied(k, dims) : nullptr;
}

}  // namespace AT_PRECISION
}  // namespace at
