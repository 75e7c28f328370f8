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
  // sums[p] (C, …shape) += what came in.
  void add_to(std::vector<std::vector<double>>& sums) const;

 private:
  float* sum_of(int parameter);

  std::vector<int64_t> sizes_;
  int64_t count_;
  Pool& pool_;
  std::vector<std::shared_ptr<float>> sums_;
};

}  // namespace at
