#pragma once

#include <vector>

#include "core/buffer.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// Sums features over the samples: for every parameter (C, …shape).
class GradientSink final : public FeatureSink {
 public:
  GradientSink(std::vector<int64_t> sizes, int64_t count, Pool& pool);
  // The same into memory of the caller's: targets[p], to be overwritten.
  GradientSink(std::vector<int64_t> sizes, int64_t count, Pool& pool,
               const std::vector<Real*>& targets);
  // The features of use.bias alone.
  void bias(const MatrixUse& use);
  // Of one parameter, or null when nothing arrived for it.
  const Real* sum(int parameter) const {
    return touched_[static_cast<size_t>(parameter)] ? sums_[static_cast<size_t>(parameter)].get()
                                                    : nullptr;
  }
  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  // Zeros where nothing arrived, in memory of the caller's.
  void clear_rest();

 private:
  friend class GradientSums;
  // Where to add, and by which factor what is there has to be multiplied: 0 the first time.
  Real* sum_of(int parameter, Real& beta);

  std::vector<int64_t> sizes_;
  int64_t count_;
  Pool& pool_;
  std::vector<std::shared_ptr<Real>> sums_;
  std::vector<bool> touched_;
};

// What sinks of one block after another summed, added up in double.
class GradientSums {
 public:
  void add(const GradientSink& block);
  // results[p] (C, …shape).
  void write(const std::vector<Real*>& results) const;

 private:
  std::vector<std::vector<double>> sums_;
};

}  // namespace AT_PRECISION
}  // namespace at
