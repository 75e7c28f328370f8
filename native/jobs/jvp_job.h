#pragma once

#include "jobs/gradient.h"
#include "jobs/job.h"

namespace at {
inline namespace AT_PRECISION {

// J·U: result (N, O, columns) for directions[p] (columns, …shape of parameter p), null where zero.
class JvpJob final : public SweepJob {
 public:
  JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
         std::vector<const Real*> directions, Real* result);

 protected:
  void block(const Frame& frame) override;

 private:
  int64_t columns_;
  std::vector<const Real*> directions_;
  Real* result_;
};

// Jᵀ(J·U), one run of each block: results[p] (columns, …shape). Sums over blocks in double.
class NormalJob final : public SweepJob {
 public:
  NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
            std::vector<const Real*> directions, std::vector<Real*> results);

 protected:
  void block(const Frame& frame) override;
  void finish() override;

 private:
  int64_t columns_;
  std::vector<const Real*> directions_;
  std::vector<Real*> results_;
  GradientSums sums_;
};

}  // namespace AT_PRECISION
}  // namespace at
