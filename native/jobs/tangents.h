#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "forward/on_device.h"
#include "jobs/job.h"

namespace at {
inline namespace AT_PRECISION {

// Tangents of the output along directions that stay the same, on the job's device.
class TangentsOf {
 public:
  // given[p] (count, …shape of parameter p), null where zero.
  TangentsOf(const Tape& tape, int64_t count, std::vector<const Real*> given)
      : tape_(tape), count_(count), given_(std::move(given)) {}
  void follow(std::unique_ptr<DeviceDirections> directions) { there_ = std::move(directions); }
  // (n, outputs, count)
  void read(const Frame& frame, const JobSettings& settings, Pool& pool, Real* result);
  // The same, which is there when the job's device was waited for (Job::settle_device()).
  void bring(const Frame& frame, const JobSettings& settings, Pool& pool, Real* result);

 private:
  OutputTangent pass(const Frame& frame, const JobSettings& settings, Pool& pool);

  const Tape& tape_;
  int64_t count_;
  std::vector<const Real*> given_;
  std::unique_ptr<DeviceDirections> there_;  // made when it is first needed
};

}  // namespace AT_PRECISION
}  // namespace at
