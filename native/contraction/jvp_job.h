#pragma once

#include "contraction/gradient.h"
#include "contraction/job.h"

namespace at {

// J·U: result (N, O, columns) for directions[p] (columns, …shape of parameter p), null where zero.
class JvpJob final : public SweepJob {
 public:
  JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
         std::vector<const float*> directions, float* result);

 protected:
  void block(const Frame& frame) override;

 private:
  int64_t columns_;
  std::vector<const float*> directions_;
  float* result_;
};

// Jᵀ(J·U), one run of each block: results[p] (columns, …shape). Sums over blocks in double.
class NormalJob final : public SweepJob {
 public:
  NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
            std::vector<const float*> directions, std::vector<float*> results);

 protected:
  void block(const Frame& frame) override;
  void finish() override;

 private:
  int64_t columns_;
  std::vector<const float*> directions_;
  std::vector<float*> results_;
  GradientSums sums_;
};

}  // namespace at
