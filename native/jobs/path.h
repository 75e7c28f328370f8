#pragma once

#include <memory>
#include <vector>

#include "core/control.h"
#include "graph/tape.h"
#include "jobs/collect.h"

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

// Adds the node's part of F̄·Δθ for the samples [first, first + frame.samples) to path.change; the
// first node overwrites what was there.
void add_change(const Tape& tape, const Frame& frame, const Path& path, size_t node, int64_t first,
                const std::vector<int64_t>& outputs, Pool& pool, const Control& control);

// Adds up weighted features of several passes over the same samples, then hands the sums to a
// collector: factors as more positions of the same matrix, dense ones number for number.
class PathCollector final : public FeatureSink {
 public:
  // uses[p]: how many inputs of nodes parameter p is, nodes of the path together.
  PathCollector(const KernelTask& task, std::vector<int64_t> sizes, std::vector<int> uses,
                Pool& pool);

  void weigh(double weight) { weight_ = static_cast<Real>(weight); }
  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  // Consumes what was collected: call it once.
  Block finish(int64_t first, int64_t samples, int64_t count, std::vector<Method>& methods);

 private:
  BlockCollector collector_;
  std::vector<int64_t> sizes_;
  Pool& pool_;
  Real weight_ = 1;
  std::vector<std::shared_ptr<Real>> sums_;
};

}  // namespace AT_PRECISION
}  // namespace at
