#pragma once

#include "contraction/job.h"

namespace at {

// J·U: result (N, O, columns) for directions[p] (columns, …shape of parameter p), null where zero.
class JvpJob final : public Job {
 public:
  JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
         std::vector<const float*> directions, float* result);
  std::optional<Want> next() override;

 protected:
  void compute(const Frame& frame) override;

 private:
  int64_t columns_;
  std::vector<const float*> directions_;
  float* result_;
  int64_t at_ = 0;
};

// Jᵀ(J·U), one run of each block: results[p] (columns, …shape). Sums over blocks in double.
class NormalJob final : public Job {
 public:
  NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
            std::vector<const float*> directions, std::vector<float*> results);
  std::optional<Want> next() override;

 protected:
  void compute(const Frame& frame) override;

 private:
  int64_t columns_;
  std::vector<const float*> directions_;
  std::vector<float*> results_;
  std::vector<std::vector<double>> sums_;
  int64_t at_ = 0;
};

}  // namespace at
