#pragma once

#include <memory>
#include <vector>

#include "core/control.h"
#include "device/stream.h"
#include "linear/softmax.h"

namespace at::linear {

// The kernel of a SoftmaxProblem, where it lies: what of Newton's method takes more than O(n).
class SoftmaxKernel {
 public:
  using Vector = std::vector<double>;
  virtual ~SoftmaxKernel() = default;

  // K x
  virtual Vector times(const Vector& x) const = 0;
  // (Rᵀ K R + ridge·I)⁻¹ b, with R of the probabilities p and their roots s: of one sample R x is
  // s ∘ x − p (s·x), Rᵀ x is s ∘ (x − p·x). Throws Error("NUMERICAL") where it is not definite.
  virtual Vector solved(const Vector& p, const Vector& s, const Vector& b,
                        const Control& control) const = 0;
};

// Rᵀ x of one sample after another, of `outputs` rows each.
void gather(const std::vector<double>& p, const std::vector<double>& s, int64_t outputs, double* x);

// On the stream's device, or where there is none on the processor, which reads the problem's.
std::unique_ptr<SoftmaxKernel> softmax_kernel(const SoftmaxProblem& problem,
                                              std::shared_ptr<device::Stream> stream);

}  // namespace at::linear
