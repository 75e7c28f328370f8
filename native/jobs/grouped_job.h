#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/block.h"
#include "jobs/job.h"
#include "jobs/kernel_job.h"

namespace at {
inline namespace AT_PRECISION {

// The kernels of groups of samples, each with itself: samples [g·n, (g + 1)·n) of X are group g.
// Several groups share a forward run and a pass back; where not even one fits into a pass, each is
// a kernel of its own.
class GroupedJob final : public Job {
 public:
  // The task and the results' parts are those of one group.
  GroupedJob(const Tape& tape, JobSettings settings, KernelTask task, std::vector<Real*> results);
  std::optional<Want> next() override;
  std::vector<std::string> methods() const override;
  size_t peak_bytes() const override { return std::max(pool_.peak_bytes(), apart_peak_); }

 protected:
  void compute(const Frame& frame) override;
  bool shrink(int64_t samples) override;

 private:
  int64_t groups() const { return settings_.samples / task_.samples1; }
  // Where the kernels of a group lie.
  std::vector<Real*> results_of(int64_t group) const;
  void begin_apart();
  Block collect(const Frame& frame, int64_t count);

  KernelTask task_;
  std::vector<Real*> results_;
  std::vector<int> uses_;
  int64_t done_ = 0;                // groups
  int64_t together_ = 0;            // groups in a pass; 0: each is apart
  std::unique_ptr<KernelJob> own_;  // of the group whose turn it is, where they are apart
  size_t apart_peak_ = 0;
  std::vector<Method> methods_;
  std::vector<std::string> names_;
};

}  // namespace AT_PRECISION
}  // namespace at
