#pragma once

#include "core/matrix.h"
#include "kernels/block.h"

namespace at::kernels {

// Estimated cost of a matrix parameter by one method, in seconds of one core of a machine with
// 100 GFLOP/s and 10 GB/s (only ratios matter). Formulas: METHOD.md section 2; G groups of
// X (m × k) = Σ_t δ hᵀ over T positions.
double cost_of(Method method, const KernelTask& task, const MatrixDims& dims);
// The method for a weight used as a matrix, as one whose rows are picked, or as both; null where it
// is not.
Method cheapest(const KernelTask& task, const MatrixDims* matrix, const MatrixDims* picks);

}  // namespace at::kernels
