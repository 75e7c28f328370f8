#pragma once

#include <vector>

#include "core/buffer.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// Which rows of the features (N, O, …) a pass gives.
struct JacobianRows {
  int64_t first = 0;         // sample
  int64_t outputs = 0;       // O
  int64_t first_output = 0;  // of the pass's own
};

// Writes expanded features where they belong: the pass's rows of parameter p's (N, O, …shape) in
// results[p]. A later use of the same parameter is added.
class JacobianSink final : public MultipliedSink {
 public:
  JacobianSink(std::vector<Real*> results, std::vector<int64_t> sizes, JacobianRows rows,
               Pool& pool);
  void set_result(int parameter, Real* result) { results_[parameter] = result; }
  bool written(int parameter) const { return written_[parameter]; }
  // Were a parameter's numbers written, and so that none can be but finite?
  bool bounded(int parameter) const { return written_[parameter] && bounded_[parameter]; }
  // For what is written there by others: of a parameter, the pass's first row, and the distance of
  // two samples.
  Real* start(int p) const {
    return results_[p] + (rows_.first * rows_.outputs + rows_.first_output) * sizes_[p];
  }
  int64_t stride(int p) const { return rows_.outputs * sizes_[p]; }
  void settle(int parameter) {
    written_[parameter] = true;
    bounded_[parameter] = false;
  }

  void matrix(int parameter, MatrixUse use) override;
  bool multiplies_out(int, const MatrixDims&) const override { return true; }
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  void multiplied(int parameter, int64_t count, int64_t samples,
                  std::shared_ptr<Real> features) override;
  // Only the bias of a use.
  void bias(const MatrixUse& use);

 private:
  template <class Expand>
  void write(int parameter, const MatrixUse& use, const Expand& expand);
  // row_of(i, c) is where the features of sample i for cotangent c stand.
  template <class Row>
  void copy(int parameter, int64_t count, int64_t samples, const Row& row_of);

  std::vector<Real*> results_;
  std::vector<int64_t> sizes_;
  std::vector<bool> written_, bounded_;
  JacobianRows rows_;
  Pool& pool_;
};

}  // namespace AT_PRECISION
}  // namespace at
