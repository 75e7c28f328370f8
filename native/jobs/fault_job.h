#pragma once

#include <optional>
#include <string>

#include "jobs/job.h"

namespace at {
inline namespace AT_PRECISION {

// Where a derivative is not finite.
struct Fault {
  int64_t sample = 0;
  int64_t output = 0;  // flat index
  int parameter = 0;
  Real value = 0;
  // The first node in reverse whose cotangents are finite while what it makes of them is not.
  std::string node, op;
};

// Looks for the first sample with a derivative that is not finite: block by block, then in a run of
// that sample alone.
class FaultJob final : public Job {
 public:
  FaultJob(const Tape& tape, JobSettings settings);
  std::optional<Want> next() override;
  // One record, or none where all is finite.
  std::vector<Record> report() const override;

 protected:
  void compute(const Frame& frame) override;
  bool shrink(int64_t samples) override;

 private:
  int64_t at_ = 0;
  bool alone_ = false;  // only sample at_
  std::optional<Fault> fault_;
};

}  // namespace AT_PRECISION
}  // namespace at
