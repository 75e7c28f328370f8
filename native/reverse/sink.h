#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/control.h"
#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// One use of a parameter as a matrix, in factors, for n samples and C cotangents:
// X[i,c,g] (m × k) = Σ_t δ[i,g,t,c,:] ⊗ h[i,g,t,:].
struct MatrixUse {
  MatrixDims dims;
  int64_t samples = 0;          // n
  int64_t count = 0;            // C
  std::shared_ptr<Real> delta;  // (n, G, T, C, m)
  std::shared_ptr<Real> h;      // (n, G, T, k); null where dims.picks
  // Where dims.picks: h[i,t,:] is 1 at columns[i,t] and 0 elsewhere, (n, T).
  std::shared_ptr<const std::vector<int64_t>> columns;
  bool spoilt = false;  // does h hold what is not finite, where δ is not 0?
  int bias = -1;        // parameter whose features are Σ_t δ[i,0,t,c,:]
  Control control;      // asked while the features are expanded
};

// Takes the features of every parameter out of a reverse pass. A parameter that is used several
// times arrives several times: its features are the sum.
class FeatureSink {
 public:
  virtual ~FeatureSink() = default;
  virtual void matrix(int parameter, MatrixUse use) = 0;
  // features (C, n, P); P is the parameter's size.
  virtual void dense(int parameter, int64_t count, int64_t samples,
                     std::shared_ptr<Real> features) = 0;
};

// One that would do nothing with factors of some dims but multiply them out: rules do that for it.
class MultipliedSink : public FeatureSink {
 public:
  virtual bool multiplies_out(int parameter, const MatrixDims& dims) const = 0;
  // features (n, C, P) of one use, in the order that they are stored in.
  virtual void multiplied(int parameter, int64_t count, int64_t samples,
                          std::shared_ptr<Real> features) = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
