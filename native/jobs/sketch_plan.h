#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/matrix.h"
#include "core/real.h"
#include "kernels/sketch_map.h"
#include "kernels/split_map.h"

namespace at {
inline namespace AT_PRECISION {

// What the caller asks of a sketch.
struct SketchRequest {
  // 'sparse': a sparse map of the whole gradient. 'factored': P_left X P_rightᵀ of as many numbers
  // as the sketch has. 'combined': a larger factored stage where that saves work, then a sparse
  // map; of products at one position a map that adds up before it multiplies. 'mask': some of the
  // numbers, chosen at random.
  std::string kind;
  int64_t size = 0;
  uint64_t seed = 0;
  std::vector<int> groups;    // of each parameter: the result that it adds to
  std::vector<int64_t> keys;  // of each parameter: the stream of its random words
  // Of each parameter the sizes of its stage and the run of its split map, (left, right, run);
  // empty: chosen here.
  std::vector<int64_t> stages;
};

// How a parameter is mapped; a stage of no size, or a run of none, is not there.
struct Stage {
  int64_t left = 0, right = 0, run = 0;
  int64_t independent = 0;  // of a split map
};

// The map of one parameter, stored as rows × cols: S(P_left X P_rightᵀ), where a side without a map
// is as it is.
struct ParameterMap {
  int64_t rows = 0, cols = 0;  // of X as it is stored; 0: not known as a matrix
  std::shared_ptr<kernels::SparseMap> left, right;
  std::shared_ptr<kernels::SparseMap> last;
  std::shared_ptr<kernels::SplitMap> split;  // of δhᵀ, in place of all of these
  bool factored() const { return left || right; }
};

// A number of the gradient that a mask keeps.
struct Kept {
  int64_t place = 0;    // in the sketch
  int64_t element = 0;  // of the parameter as it is stored
};

// The maps of all parameters: a function of the request and of the parameters' shapes and uses
// alone.
class SketchPlan {
 public:
  SketchPlan(SketchRequest request, std::vector<int64_t> sizes, std::vector<int> uses, Pool& pool);

  const SketchRequest& request() const { return request_; }
  bool masks() const { return request_.kind == "mask"; }
  // Of a parameter that is used as this matrix, made when it is first asked for.
  const ParameterMap& of(int parameter, const MatrixDims& dims);
  // Of one that is not, or that is the bias of another.
  const ParameterMap& of(int parameter);
  const std::vector<Kept>& kept(int parameter) const {
    return kept_[static_cast<size_t>(parameter)];
  }
  int64_t elements(int parameter) const { return sizes_[static_cast<size_t>(parameter)]; }
  // By which a mask multiplies what it keeps of this parameter.
  Real weight(int parameter) const { return weights_[static_cast<size_t>(parameter)]; }
  Stage stage(int parameter) const;

 private:
  void make_masks();
  kernels::Philox words(int parameter, uint32_t purpose) const;
  Stage chosen(int parameter, const MatrixDims& dims) const;
  int64_t chosen_run(const MatrixDims& dims) const;
  const ParameterMap& make(int parameter, int64_t rows, int64_t cols, int64_t left, int64_t right);
  const ParameterMap& make_split(int parameter, const MatrixDims& dims, int64_t run);

  SketchRequest request_;
  std::vector<int64_t> sizes_;
  std::vector<int> uses_;
  Pool& pool_;
  std::vector<std::optional<ParameterMap>> maps_;
  std::vector<std::vector<Kept>> kept_;
  std::vector<Real> weights_;
};

}  // namespace AT_PRECISION
}  // namespace at
