#pragma once

#include <memory>
#include <vector>

#include "jobs/tangents.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// A path through the parameters on which features are averaged: one forward run per node.
struct Path {
  std::vector<double> weights;  // of the nodes' features
  // For the change that the features explain, Σ change_weights[k]·J(θ_k)·directions[segment[k]]:
  std::vector<double> change_weights;
  std::vector<int> segments;
  std::vector<std::vector<const Real*>> directions;  // per segment and parameter; null: zero
  Real* change = nullptr;                            // (N, O)
};

// F̄·Δθ of a path, node by node, on the job's device.
class PathChange {
 public:
  // Adds the node's part for the samples [first, first + frame.samples) to path.change; the first
  // node overwrites what was there.
  void add(const Tape& tape, const Frame& frame, const Path& path, size_t node, int64_t first,
           const JobSettings& settings, Pool& pool);

 private:
  int segment_ = -1;
  std::unique_ptr<TangentsOf> tangents_;  // along that segment
};

// Adds up weighted features of several passes over the same samples, then hands the sums to a
// collector: factors as more positions of the same matrix, dense ones number for number.
class PathCollector final : public FeatureSink {
 public:
  // The collector expects as many uses of each parameter as all nodes of the path have together.
  PathCollector(FeatureSink& collector, std::vector<int64_t> sizes, Pool& pool);

  void weigh(double weight) { weight_ = static_cast<Real>(weight); }
  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  // Gives the collector what it does not have yet: call it once.
  void finish(int64_t samples, int64_t count);

 private:
  FeatureSink& collector_;
  std::vector<int64_t> sizes_;
  Pool& pool_;
  Real weight_ = 1;
  std::vector<std::shared_ptr<Real>> sums_;
};

}  // namespace AT_PRECISION
}  // namespace at
