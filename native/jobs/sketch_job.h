#pragma once

#include <memory>
#include <string>
#include <vector>

#include "jobs/device_sketch.h"
#include "jobs/job.h"
#include "jobs/sketch_plan.h"

namespace at {
inline namespace AT_PRECISION {

// Sketches of tangent features: result g (N, rows, size), where a row is an output or a head and
// every parameter adds to the result of its group. The gradient is never stored: a weight's
// features go from their factors straight into the sketch, by a few rows at a time where they are
// formed.
class SketchJob final : public SweepJob {
 public:
  // `heads` (N, O, columns) or null: one row for every output.
  SketchJob(const Tape& tape, JobSettings settings, SketchRequest request, int64_t columns,
            const Real* heads, std::vector<Real*> results);
  // How each parameter is mapped: the sizes of its factored stage, 0 where there is none.
  std::vector<Record> report() const override;

 protected:
  void block(const Frame& frame) override;

 private:
  class Sink;
  void pass(const Frame& frame, int64_t count, int64_t first, std::shared_ptr<Real> seed);

  SketchPlan plan_;
  int64_t columns_;
  const Real* heads_;
  std::vector<Real*> results_;
  std::unique_ptr<DeviceMaps> maps_;  // where a device computes
};

}  // namespace AT_PRECISION
}  // namespace at
