#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "forward/pass.h"
#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// The parameters' tangents as the nodes of one pass share them. Each is held here too, so that
// nobody takes it for memory of its own.
struct ParameterTangents {
  Directions& directions;
  std::vector<std::shared_ptr<Real>> formed;

  const std::shared_ptr<Real>& of(int parameter) {
    auto& tangent = formed[static_cast<size_t>(parameter)];
    if (!tangent) {
      tangent = std::shared_ptr<Real>(const_cast<Real*>(directions.dense(parameter)), [](Real*) {});
    }
    return tangent;
  }
};

// Of one input: its own numbers, or a parameter's.
struct Tangent {
  std::shared_ptr<Real> values;
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
  Real* scratch(int64_t count) override;
  const Control& control() const override { return control_; }
  int64_t count() const override { return count_; }
  const Real* in(int k) const override;
  bool wants(int j) const override;
  Real* out(int j) override;
  Real* out_in_place(int k) override;
  void pass(int k, int j) override;
  bool apply(int k, bool transposed, int64_t rows, const Real* x, Real alpha, Real beta,
             Real* out) override;

  // The tangents of the outputs.
  std::vector<std::shared_ptr<Real>>& produced() { return produced_; }

 private:
  const Tape& tape_;
  const Frame& frame_;
  const Node& node_;
  Pool& pool_;
  const Control& control_;
  int64_t count_;
  const std::shared_ptr<Real>& tangent(int k) const;
  std::vector<Tangent> in_;
  ParameterTangents& parameters_;
  std::vector<std::shared_ptr<Real>> produced_;
  std::vector<std::shared_ptr<Real>> scratch_;
};

// The tangents of a node's outputs (null where they are not wanted) from those of its inputs, by
// its rule on the host.
std::vector<std::shared_ptr<Real>> forward_node(const Tape& tape, const Frame& frame,
                                                const Node& node, int64_t count,
                                                std::vector<Tangent> in,
                                                ParameterTangents& parameters, Pool& pool,
                                                const Control& control);

}  // namespace AT_PRECISION
}  // namespace at
