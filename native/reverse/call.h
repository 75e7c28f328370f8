#pragma once

#include <functional>
#include <vector>

#include "core/buffer.h"
#include "reverse/sink.h"
#include "rules/multiplies.h"

namespace at {
inline namespace AT_PRECISION {

// A node's view of a reverse pass: hands the rule what it reads and collects what it writes.
class NodeCall final : public Call, public MultipliesOut {
 public:
  // What the rule made of one input's cotangent.
  struct Produced {
    std::shared_ptr<Real> cotangent;
    std::shared_ptr<MatrixUse> matrix;
    std::shared_ptr<Real> multiplied;  // features (n, count, shape…)
    int bias_of = -1;                  // this input is served by the matrix factor of that input
  };

  // `out` holds the cotangents of the outputs (null: nothing flows back).
  NodeCall(const Tape& tape, const Frame& frame, const Node& node, int64_t cotangents,
           std::vector<std::shared_ptr<Real>> out, Pool& pool, const Control& control);

  const Node& node() const override { return node_; }
  int64_t count() const override { return count_; }
  int64_t samples() const override { return samples_; }
  const Activation& input(int k) const override;
  const Activation& output(int j) const override;
  bool has_input(int k) const override;
  const Real* out(int j) const override;
  bool wants(int k) const override;
  bool per_sample(int k) const override;
  Real* in(int k) override;
  Real* in_place(int k) override;
  const Real* slopes() const override { return slopes_.get(); }
  void set_slopes(std::shared_ptr<Real> slopes) { slopes_ = std::move(slopes); }
  void pass(int j, int k) override;
  void reduce(int j, int k, const Real* g) override;
  MatrixFactor matrix(int k, const MatrixDims& dims, int with_bias) override;
  Real* multiplied(int k, const MatrixDims& dims) override;
  // Whether the features of an input are multiplied out anyway; without it none are.
  using Asked = std::function<bool(int k, const MatrixDims& dims)>;
  void ask(Asked asked) { asked_ = std::move(asked); }
  int64_t pass_samples() const override { return frame_.samples; }
  Real* picks(int k, const MatrixDims& dims, std::vector<int64_t> columns) override;
  Real* scratch(int64_t count) override;
  const Control& control() const override { return control_; }

  std::vector<Produced>& produced() { return produced_; }

 private:
  int64_t in_count(int k) const;

  const Tape& tape_;
  const Frame& frame_;
  const Node& node_;
  Pool& pool_;
  const Control& control_;
  bool batched_;
  int64_t count_;
  int64_t samples_;
  Asked asked_;
  std::shared_ptr<Real> slopes_;
  std::vector<std::shared_ptr<Real>> out_;
  std::vector<Produced> produced_;
  std::vector<std::shared_ptr<Real>> scratch_;
};

}  // namespace AT_PRECISION
}  // namespace at
