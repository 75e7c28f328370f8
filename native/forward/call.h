#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "forward/pass.h"
#include "rules/rule.h"

namespace at {

// The parameters' tangents as the nodes of one pass share them. Each is held here too, so that
// nobody takes it for memory of its own.
struct ParameterTangents {
  Directions& directions;
  std::vector<std::shared_ptr<float>> formed;

  const std::shared_ptr<float>& of(int parameter) {
    auto& tangent = formed[static_cast<size_t>(parameter)];
    if (!tangent) {
      tangent =
          std::shared_ptr<float>(const_cast<float*>(directions.dense(parameter)), [](float*) {});
    }
    return tangent;
  }
};

// Of one input: its own numbers, or a parameter's.
struct Tangent {
  std::shared_ptr<float> values;
  int parameter = -1;
};

// A node's view of a forward pass: hands the rule what it reads and collects what it writes.
class NodeTangents final : public TangentCall {
 public:
  // `in` holds the tangents of the inputs (neither: zero).
  NodeTangents(const Tape& tape, const Frame& frame, const Node& node, int64_t tangents,
               std::vector<Tangent> in, ParameterTangents& parameters, Pool& pool,
               const Control& control);

  const Node& node() const override { return node_; }
  const Activation& input(int k) const override;
  const Activation& output(int j) const override;
  bool has_input(int k) const override;
  float* scratch(int64_t count) override;
  const Control& control() const override { return control_; }
  int64_t count() const override { return count_; }
  const float* in(int k) const override;
  bool wants(int j) const override;
  float* out(int j) override;
  float* out_in_place(int k) override;
  void pass(int k, int j) override;
  bool apply(int k, bool transposed, int64_t rows, const float* x, float alpha, float beta,
             float* out) override;

  // The tangents of the outputs.
  std::vector<std::shared_ptr<float>>& produced() { return produced_; }

 private:
  const Tape& tape_;
  const Frame& frame_;
  const Node& node_;
  Pool& pool_;
  const Control& control_;
  int64_t count_;
  const std::shared_ptr<float>& tangent(int k) const;
  std::vector<Tangent> in_;
  ParameterTangents& parameters_;
  std::vector<std::shared_ptr<float>> produced_;
  std::vector<std::shared_ptr<float>> scratch_;
};

}  // namespace at
