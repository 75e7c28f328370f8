#pragma once

#include "contraction/block.h"
#include "contraction/cost.h"
#include "contraction/job.h"
#include "contraction/schedule.h"

namespace at {

// The tangent kernel between X and X2, or of X with itself. results: one array per group, see
// contract().
class NtkJob final : public Job {
 public:
  NtkJob(const Tape& tape, JobSettings settings, KernelTask task, std::vector<float*> results);
  std::optional<Want> next() override;
  std::vector<std::string> methods() const override;

 protected:
  void compute(const Frame& frame) override;

 private:
  KernelTask task_;
  std::vector<float*> results_;
  Schedule schedule_;
  std::vector<Block> stored_;
  int64_t stored_bytes_ = 0;
  std::vector<int> uses_;
  std::vector<Method> methods_;
};

}  // namespace at
