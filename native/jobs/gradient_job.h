#pragma once

#include "jobs/device_gradient.h"
#include "jobs/gradient.h"
#include "jobs/job.h"
#include "jobs/tangents.h"

namespace at {
inline namespace AT_PRECISION {

// results[p] (columns, …shape) = Σ_i Σ_o u[i,o,column] ∂f_o(x_i)/∂θ_p for weights u (N, O,
// columns). Sums over blocks in double.
class WeightedJob : public SweepJob {
 public:
  WeightedJob(const Tape& tape, JobSettings settings, int64_t columns, std::vector<Real*> results,
              Passes passes);

 protected:
  // Adds a block's samples, weighted by u (n, O, columns).
  void add(const Frame& frame, const Real* u);
  void finish() override;

  int64_t columns_;
  DeviceGradientSums there_;  // where a device computes

 private:
  std::vector<Real*> results_;
  GradientSums sums_;
};

// Jᵀu for u given as `vectors`.
class GradientJob final : public WeightedJob {
 public:
  // On a device without results: they stay there.
  GradientJob(const Tape& tape, JobSettings settings, int64_t columns, const Real* vectors,
              std::vector<Real*> results);
  std::vector<DeviceNumbers> on_device() const { return there_.rounded(*settings_.stream); }

 protected:
  void block(const Frame& frame) override;

 private:
  const Real* vectors_;
};

// Jᵀ(J·U), one run of each block.
class NormalJob final : public WeightedJob {
 public:
  NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
            std::vector<const Real*> directions, std::vector<Real*> results);

 protected:
  void block(const Frame& frame) override;

 private:
  TangentsOf tangents_;
};

}  // namespace AT_PRECISION
}  // namespace at
