#pragma once

#include <vector>

#include "core/buffer.h"
#include "reverse/sink.h"

namespace at {

// Writes expanded features where they belong: parameter p's (N, O, …shape) to results[p], the
// pass's first sample being `first`. A later use of the same parameter is added.
class JacobianSink final : public FeatureSink {
 public:
  JacobianSink(std::vector<float*> results, std::vector<int64_t> sizes, int64_t first, Pool& pool);
  void set_result(int parameter, float* result) { results_[parameter] = result; }
  bool written(int parameter) const { return written_[parameter]; }

  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<float> features) override;
  // Only the bias of a use.
  void bias(const MatrixUse& use);

 private:
  template <class Expand>
  void write(int parameter, const MatrixUse& use, const Expand& expand);

  std::vector<float*> results_;
  std::vector<int64_t> sizes_;
  std::vector<bool> written_;
  int64_t first_;
  Pool& pool_;
};

}  // namespace at
