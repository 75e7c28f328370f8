#pragma once

#include "jobs/job.h"
#include "jobs/path.h"

namespace at {
inline namespace AT_PRECISION {

// Jacobians: results[p] (N, O, …shape of parameter p), O the outputs wanted.
class JacobianJob final : public SweepJob {
 public:
  JacobianJob(const Tape& tape, JobSettings settings, std::vector<Real*> results);
  // Of every result: are its numbers known to be finite, so that nobody need look at them?
  std::vector<Record> report() const override;

 protected:
  void block(const Frame& frame) override;

 private:
  std::vector<Real*> results_;
  std::vector<int> uses_;
  std::vector<bool> finite_;
};

// Jacobians averaged over the nodes of a path, each block of samples at all of them in turn.
class AverageJacobianJob final : public Job {
 public:
  AverageJacobianJob(const Tape& tape, JobSettings settings, std::vector<Real*> results, Path path);
  std::optional<Want> next() override;

 protected:
  void compute(const Frame& frame) override;
  bool shrink(int64_t samples) override;

 private:
  void add(const Frame& frame);
  void add(const Frame& frame, const std::vector<int64_t>& outputs, int64_t first_output);

  std::vector<Real*> results_;
  Path path_;
  std::vector<int> uses_;
  PathChange change_;
  int64_t at_ = 0;
  size_t node_ = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
