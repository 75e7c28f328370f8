#pragma once

#include <memory>
#include <vector>

#include "jobs/job.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// The tangent features of one parameter for all N samples and O outputs, kept in the smaller of two
// forms: x (N, O, …shape), or in factors X[i,o] (m × k) = Σ_t δ[i,o,t,:] ⊗ h[i,t,:] with
// δ (N, O, T, m) and h (N, T, k); the parameter is stored m × k, or k × m when transposed.
struct ParameterFeatures {
  std::shared_ptr<Memory> x;
  std::shared_ptr<Memory> delta;
  std::shared_ptr<Memory> h;
  // In place of h where h[i,t,:] holds a single 1: where, int32 (N, T).
  std::shared_ptr<Memory> columns;
  int64_t positions = 0;  // T
  int64_t rows = 0;       // m, of a dense one too where all its uses are one matrix's; else ≤ 0
  int64_t cols = 0;       // k
  bool transposed = false;
  int bias = -1;  // parameter with the features Σ_t δ[i,o,t,:]
};

class FeaturesJob final : public SweepJob {
 public:
  // With `factored` those that can be are in factors even where these are larger.
  FeaturesJob(const Tape& tape, JobSettings settings, bool factored = false);
  // One record per parameter.
  std::vector<Record> report() const override;

 protected:
  void block(const Frame& frame) override;

 private:
  class Sink;
  class OnDevice;
  std::shared_ptr<Memory> allocate(int64_t floats);

  std::vector<ParameterFeatures> features_;
  std::vector<int> uses_;
  bool factored_;
  int64_t allocated_ = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
