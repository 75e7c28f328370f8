#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "rules/rule.h"

namespace at {

// A node's view of a forward pass: hands the rule what it reads and collects what it writes.
class NodeTangents final : public TangentCall {
 public:
  // `in` holds the tangents of the inputs (null: zero).
  NodeTangents(const Tape& tape, const Frame& frame, const Node& node, int64_t tangents,
               std::vector<std::shared_ptr<float>> in, Pool& pool, const Control& control);

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

  // The tangents of the outputs.
  std::vector<std::shared_ptr<float>>& produced() { return produced_; }

 private:
  const Tape& tape_;
  const Frame& frame_;
  const Node& node_;
  Pool& pool_;
  const Control& control_;
  int64_t count_;
  std::vector<std::shared_ptr<float>> in_;
  std::vector<std::shared_ptr<float>> produced_;
  std::vector<std::shared_ptr<float>> scratch_;
};

}  // namespace at
