#pragma once

#include "contraction/block.h"

namespace at {
inline namespace AT_PRECISION {

// What a kernel is to be computed of, for the choice of method.
struct KernelTask {
  KernelType type = KernelType::kFull;
  Method forced = Method::kAuto;
  bool symmetric = true;
  int64_t samples1 = 0;     // N1
  int64_t samples2 = 0;     // N2, equal to N1 when symmetric
  int64_t outputs = 0;      // O
  std::vector<int> groups;  // result index of every parameter
  // Rows of the kernel per sample (C).
  int64_t components() const { return type == KernelType::kFull ? outputs : 1; }
  int64_t pairs() const {
    return symmetric ? (samples1 * (samples1 + 1) + 1) / 2 : samples1 * samples2;
  }
};

// Estimated cost of a matrix parameter by one method, in seconds of one core of a machine with
// 100 GFLOP/s and 10 GB/s (only ratios matter). Formulas: METHOD.md section 2; G groups of
// X (m × k) = Σ_t δ hᵀ over T positions.
double cost_of(Method method, const KernelTask& task, const MatrixDims& dims);
// The method for a weight used as a matrix, as one whose rows are picked, or as both; null where it
// is not.
Method cheapest(const KernelTask& task, const MatrixDims* matrix, const MatrixDims* picks);

}  // namespace AT_PRECISION
}  // namespace at
