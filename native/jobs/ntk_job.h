#pragma once

#include <memory>
#include <optional>

#include "jobs/block.h"
#include "jobs/device_path.h"
#include "jobs/job.h"
#include "jobs/path.h"
#include "jobs/schedule.h"

namespace at {
inline namespace AT_PRECISION {

// The tangent kernel between X and X2, or of X with itself. results: one array per group, see
// contract(). With a path the features are averaged along it: every block is asked for at each
// node, one after another.
class NtkJob final : public Job {
 public:
  // other: the outputs of X2's samples, as many as of X's, where they are others.
  NtkJob(const Tape& tape, JobSettings settings, const Pool& pool, KernelTask task,
         std::vector<Real*> results, std::optional<Path> path, std::vector<int64_t> other);
  std::optional<Want> next() override;
  std::vector<std::string> methods() const override;
  // For a job that is made of several of these; like feed(), within its threads.
  void compute(const Frame& frame) override;
  bool shrink(int64_t samples) override;

 private:
  // Does a block of all samples keep no features?
  bool streams() const;
  // The most samples of which that block fits.
  int64_t whole_block() const;
  void compute_whole(const Frame& frame);
  Block collect(const Frame& frame, const Want& want);
  Block collect_along(const Frame& frame, const Want& want);
  void begin_along();
  void use(Block block, const Want& want);
  const std::vector<int64_t>& outputs_of(const Want& want) const {
    return want.side == 0 || other_.empty() ? settings_.outputs : other_;
  }
  KernelTask task_;
  std::vector<Real*> results_;
  Schedule schedule_;
  std::vector<Block> stored_;
  int64_t stored_bytes_ = 0;
  std::vector<int> uses_;
  std::vector<Method> methods_;
  std::optional<Path> path_;
  // Of the block that is being run along a path.
  std::unique_ptr<BlockCollector> blocks_;
  std::unique_ptr<PathCollector> collector_;
  std::unique_ptr<DevicePathCollector> there_;  // in place of both where a device computes
  PathChange change_;
  int node_ = 0;
  std::vector<int64_t> other_;
};

}  // namespace AT_PRECISION
}  // namespace at
