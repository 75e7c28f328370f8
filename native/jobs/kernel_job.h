#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "jobs/jobs.h"
#include "jobs/ntk_job.h"

namespace at {
inline namespace AT_PRECISION {

// The tangent kernel, with the outputs in blocks where those of one sample are too many for a pass
// within the budget: a job for every block (of a full kernel for every pair of blocks), whose
// kernel is put where it belongs in the results, or added to them. Otherwise one job for all.
class KernelJob final : public Job {
 public:
  KernelJob(const Tape& tape, JobSettings settings, KernelTask task, std::vector<Real*> results,
            std::optional<Path> path);
  std::optional<Want> next() override;
  std::vector<std::string> methods() const override { return methods_; }

 protected:
  void compute(const Frame& frame) override;
  bool shrink(int64_t samples) override;

 private:
  // Outputs [row, row + count) of X's samples and [col, col + count) of X2's.
  struct Piece {
    int64_t row, col, count;
    bool square() const { return row == col; }
  };
  int64_t chosen_size() const;
  void cut(const Piece& piece, int64_t size);
  void begin();
  // The present piece is done: its kernel goes to the results, the next one begins.
  void settle();
  void place(const Real* part, Real* result) const;
  void place_change() const;
  int64_t part_size(int64_t count) const;
  int64_t pairs_of(const Piece& piece) const;

  KernelTask task_;
  std::vector<Real*> results_;
  std::optional<Path> path_;
  std::vector<Piece> pieces_;  // still to come, the next one last
  Piece piece_{0, 0, 0};
  std::unique_ptr<NtkJob> inner_;
  std::vector<std::shared_ptr<Real>> parts_;  // results of the present piece, unless it is all
  std::shared_ptr<Real> change_;
  bool added_ = false;  // something stands in the results of a trace kernel
  std::vector<std::string> methods_;
};

// What a request asks of a kernel.
KernelTask task_of(const JobRequest& request);
// The results of a request for kernels, of so many numbers each.
std::vector<Real*> results_of(const JobRequest& request, const KernelTask& task, int64_t numbers);

}  // namespace AT_PRECISION
}  // namespace at
