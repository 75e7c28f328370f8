#pragma once

#include <memory>

#include "jobs/gradient_job.h"
#include "jobs/jvp_job.h"

namespace at {
inline namespace AT_PRECISION {

// K·v = J(Jᵀv) without K: result (N, O, columns) for `vectors` (N, O, columns). First all blocks
// for Jᵀv, in reverse, then all blocks again for J times that, forward: `columns` cotangents and
// tangents, whatever the number of outputs.
class ProductJob final : public Job {
 public:
  // sizes[p] elements of parameter p.
  ProductJob(const Tape& tape, JobSettings settings, int64_t columns, const Real* vectors,
             const std::vector<int64_t>& sizes, Real* result);
  std::optional<Want> next() override;
  size_t peak_bytes() const override;

 protected:
  void compute(const Frame& frame) override;

 private:
  std::vector<std::shared_ptr<Real>> direction_;  // per parameter (columns, …shape)
  std::unique_ptr<GradientJob> gradient_;
  std::unique_ptr<JvpJob> forward_;
  size_t gradient_peak_ = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
