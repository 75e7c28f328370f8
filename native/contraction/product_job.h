#pragma once

#include <memory>

#include "contraction/jacobian_job.h"

namespace at {

// K·v = J(Jᵀv) without K: result (N, O, columns) for `vectors` (N, O, columns). First all blocks
// for Jᵀv, then all blocks again for J times that.
class ProductJob final : public Job {
 public:
  // sizes[p] elements of parameter p.
  ProductJob(const Tape& tape, JobSettings settings, int64_t columns, const float* vectors,
             std::vector<int64_t> sizes, float* result);
  std::optional<Want> next() override;

 protected:
  void compute(const Frame& frame) override;

 private:
  void apply(const Frame& frame);

  int64_t columns_;
  float* result_;
  std::vector<int64_t> sizes_;
  std::vector<std::shared_ptr<float>> direction_;  // per parameter (columns, …shape)
  std::unique_ptr<GradientJob> gradient_;
  int64_t at_ = 0;
};

}  // namespace at
