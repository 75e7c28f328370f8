#pragma once

#include "jobs/job.h"
#include "jobs/tangents.h"

namespace at {
inline namespace AT_PRECISION {

// J·U: result (N, O, columns) for directions[p] (columns, …shape of parameter p), null where zero.
class JvpJob final : public SweepJob {
 public:
  JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
         std::vector<const Real*> directions, Real* result);
  // On a device the directions may be there already.
  void follow(std::vector<DeviceNumbers> directions);

 protected:
  void block(const Frame& frame) override;

 private:
  int64_t columns_;
  TangentsOf tangents_;
  Real* result_;
};

}  // namespace AT_PRECISION
}  // namespace at
