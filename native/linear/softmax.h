#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/control.h"
#include "device/stream.h"

namespace at::linear {

// Multinomial regression on a kernel: the α that minimises
//   Σ_i −Σ_o y_io log softmax(f0_i + u_i)_o + ridge/2 αᵀKα,  u = Kα,
// convex; rows are (sample, output). At the optimum ridge·α = y − softmax(f0 + u).
struct SoftmaxProblem {
  int64_t samples = 0, outputs = 0;
  std::vector<double> kernel;  // (n, n), n = samples · outputs
  std::vector<double> offset;  // f0 (n)
  std::vector<double> target;  // y (n), each sample's sum to 1
  double ridge = 1;
  int64_t iterations = 100;
};

struct SoftmaxFit {
  std::vector<double> alpha, fit;  // fit: u
  double loss = 0, objective = 0;
  // The decrease that the last Newton step promised, over the objective.
  double decrease = 0;
  int64_t iterations = 0;
  bool converged = false;
};

// By Newton's method with a line search. Of H = blockdiag(diag(p_i) − p_i p_iᵀ) = R Rᵀ only R,
// whose blocks are known in closed form, is used: the matrix that is factored is Rᵀ K R + ridge·I,
// which is well conditioned and of n rows (Rasmussen & Williams 2006, section 3.5, in the dual).
// What takes more than O(n) is done on the stream's device, where there is one.
SoftmaxFit softmax_fit(const SoftmaxProblem& problem, const Control& control = {},
                       std::shared_ptr<device::Stream> stream = nullptr);

}  // namespace at::linear
