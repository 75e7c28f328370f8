#pragma once

#include "contraction/gradient.h"
#include "contraction/job.h"

namespace at {

// Jacobians: results[p] (N, O, …shape of parameter p), O the outputs wanted.
class JacobianJob final : public SweepJob {
 public:
  JacobianJob(const Tape& tape, JobSettings settings, std::vector<float*> results);

 protected:
  void block(const Frame& frame) override;

 private:
  std::vector<float*> results_;
};

// Jᵀu: results[p] (columns, …shape) = Σ_i Σ_o u[i,o,column] ∂f_o(x_i)/∂θ_p for `vectors`
// (N, O, columns). Sums over blocks in double.
class GradientJob final : public SweepJob {
 public:
  GradientJob(const Tape& tape, JobSettings settings, int64_t columns, const float* vectors,
              std::vector<float*> results);

 protected:
  void block(const Frame& frame) override;
  void finish() override;

 private:
  int64_t columns_;
  const float* vectors_;
  std::vector<float*> results_;
  GradientSums sums_;
};

}  // namespace at
