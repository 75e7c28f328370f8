#pragma once

#include <vector>

#include "core/buffer.h"
#include "reverse/sink.h"

namespace at {

// Sums features over the samples: for every parameter (C, …shape).
class GradientSink final : public FeatureSink {
 public:
  GradientSink(std::vector<int64_t> sizes, int64_t count, Pool& pool);
  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<float> features) override;

 private:
  friend class GradientSums;
  float* sum_of(int parameter);

  std::vector<int64_t> sizes_;
  int64_t count_;
  Pool& pool_;
  std::vector<std::shared_ptr<float>> sums_;
};

// What sinks of one block after another summed, added up in double.
class GradientSums {
 public:
  void add(const GradientSink& block);
  // results[p] (C, …shape).
  void write(const std::vector<float*>& results) const;

 private:
  std::vector<std::vector<double>> sums_;
};

}  // namespace at
