#include "forward/call.h"

#include <stdexcept>

namespace at {
inline namespace AT_PRECISION {

namespace {
const Activation kAbsent{};
}

NodeTangents::NodeTangents(const Tape& tape, const Frame& frame, const Node& node, int64_t tangents,
                           std::vector<Tangent> in, ParameterTangents& parameters, Pool& pool,
                           const Control& control)
    : tape_(tape),
      frame_(frame),
      node_(node),
      pool_(pool),
      control_(control),
      count_(tangents),
      in_(std::move(in)),
      parameters_(parameters),
      produced_(node.outputs.size()) {}

const Activation& NodeTangents::input(int k) const {
  return has_input(k) ? frame_.values[node_.inputs[k]] : kAbsent;
}

const Activation& NodeTangents::output(int j) const {
  const bool there = j < static_cast<int>(node_.outputs.size()) && node_.outputs[j] >= 0;
  return there ? frame_.values[node_.outputs[j]] : kAbsent;
}

bool NodeTangents::has_input(int k) const {
  return k < static_cast<int>(node_.inputs.size()) && node_.inputs[k] >= 0;
}

Real* NodeTangents::scratch(int64_t count) {
  scratch_.push_back(pool_.take<Real>(count));
  return scratch_.back().get();
}

const Real* NodeTangents::in(int k) const {
  return k < static_cast<int>(in_.size()) ? tangent(k).get() : nullptr;
}

const std::shared_ptr<Real>& NodeTangents::tangent(int k) const {
  const Tangent& in = in_[static_cast<size_t>(k)];
  return in.parameter < 0 ? in.values : parameters_.of(in.parameter);
}

bool NodeTangents::apply(int k, bool transposed, int64_t rows, const Real* x, Real alpha, Real beta,
                         Real* out) {
  if (k >= static_cast<int>(in_.size()) || in_[k].parameter < 0 || count_ != 1) return false;
  return parameters_.directions.apply(in_[k].parameter, transposed, rows, x, alpha, beta, out);
}

bool NodeTangents::wants(int j) const {
  if (j >= static_cast<int>(node_.outputs.size()) || node_.outputs[j] < 0) return false;
  return tape_.values[node_.outputs[j]].active;
}

Real* NodeTangents::out(int j) {
  produced_[j] = pool_.take<Real>(checked_mul(count_, output(j).size()));
  return produced_[j].get();
}

Real* NodeTangents::out_in_place(int k) {
  if (in_[k].values.use_count() != 1 || input(k).size() != output(0).size()) return out(0);
  produced_[0] = in_[k].values;
  return produced_[0].get();
}

void NodeTangents::pass(int k, int j) {
  if (input(k).size() != output(j).size()) throw std::logic_error("pass between unequal sizes");
  produced_[j] = tangent(k);
}

}  // namespace AT_PRECISION
}  // namespace at
