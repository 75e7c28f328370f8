#pragma once

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// What a Call or who takes its features may be in addition: somebody who would do nothing with
// factors of some dims but multiply them out. `index` is a node's input where a Call is asked, a
// parameter where who takes its features is.
class MultipliesOut {
 public:
  virtual ~MultipliesOut() = default;
  virtual bool multiplies_out(int index, const MatrixDims& dims) const = 0;
};

// For per_sample(k): are factors of these dims multiplied out, and larger than what they make? Then
// a rule may write in(k) in place of matrix(k, …), piece by piece from where the numbers are.
inline bool multiplied_out(const Call& call, int k, const MatrixDims& dims) {
  const auto* own = dynamic_cast<const MultipliesOut*>(&call);
  return own && own->multiplies_out(k, dims);
}

}  // namespace AT_PRECISION
}  // namespace at
