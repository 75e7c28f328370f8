#include "reverse/call.h"

#include <stdexcept>

#include "reverse/reduce.h"

namespace at {
inline namespace AT_PRECISION {

namespace {
const Activation kAbsent{};
}

NodeCall::NodeCall(const Tape& tape, const Frame& frame, const Node& node, int64_t cotangents,
                   std::vector<std::shared_ptr<Real>> out, Pool& pool, const Control& control)
    : tape_(tape),
      frame_(frame),
      node_(node),
      pool_(pool),
      control_(control),
      batched_(false),
      out_(std::move(out)),
      produced_(node.inputs.size()) {
  for (int id : node.outputs) batched_ = batched_ || (id >= 0 && frame.values[id].batched());
  count_ = batched_ ? cotangents : cotangents * frame.samples;
  samples_ = batched_ ? frame.samples : 1;
}

const Activation& NodeCall::input(int k) const {
  return has_input(k) ? frame_.values[node_.inputs[k]] : kAbsent;
}

const Activation& NodeCall::output(int j) const {
  const bool there = j < static_cast<int>(node_.outputs.size()) && node_.outputs[j] >= 0;
  return there ? frame_.values[node_.outputs[j]] : kAbsent;
}

bool NodeCall::has_input(int k) const {
  return k < static_cast<int>(node_.inputs.size()) && node_.inputs[k] >= 0;
}

const Real* NodeCall::out(int j) const {
  return j < static_cast<int>(out_.size()) ? out_[j].get() : nullptr;
}

bool NodeCall::wants(int k) const {
  if (!has_input(k)) return false;
  const ValueInfo& value = tape_.values[node_.inputs[k]];
  return value.active && node_.rule->differentiable(node_, k);
}

bool NodeCall::per_sample(int k) const { return batched_ && has_input(k) && !input(k).batched(); }

int64_t NodeCall::in_count(int k) const {
  return checked_mul(checked_mul(count_, per_sample(k) ? samples_ : 1), input(k).size());
}

Real* NodeCall::in(int k) {
  produced_[k].cotangent = pool_.take<Real>(in_count(k));
  return produced_[k].cotangent.get();
}

Real* NodeCall::in_place(int k) {
  const bool same = input(k).shape == output(0).shape && !per_sample(k);
  if (!same || !out_[0] || out_[0].use_count() != 1) return in(k);
  produced_[k].cotangent = out_[0];
  return out_[0].get();
}

void NodeCall::pass(int j, int k) {
  if (per_sample(k) && samples_ > 1) throw std::logic_error("pass to a per-sample input");
  if (input(k).size() != output(j).size()) throw std::logic_error("pass between unequal sizes");
  produced_[k].cotangent = out_[j];
}

void NodeCall::reduce(int j, int k, const Real* g) {
  if (input(k).shape == output(j).shape && (!per_sample(k) || samples_ == 1)) {
    if (g == out(j)) return pass(j, k);
    for (const auto& block : scratch_) {
      if (block.get() != g) continue;
      produced_[k].cotangent = block;
      return;
    }
    throw std::logic_error("reduce of memory that is neither out() nor scratch()");
  }
  reduce_broadcast(output(j), input(k), count_, samples_, per_sample(k), g, in(k));
}

MatrixFactor NodeCall::matrix(int k, const MatrixDims& dims, int with_bias) {
  if (!per_sample(k)) throw std::logic_error("matrix features of a batched input");
  auto use = std::make_shared<MatrixUse>();
  use->dims = dims;
  use->samples = samples_;
  use->count = count_;
  const int64_t places = checked_mul(samples_, checked_mul(dims.groups, dims.positions));
  use->delta = pool_.take<Real>(checked_mul(places, checked_mul(count_, dims.rows)));
  use->h = pool_.take<Real>(checked_mul(places, dims.cols));
  produced_[k].matrix = use;
  if (with_bias >= 0 && wants(with_bias)) produced_[with_bias].bias_of = k;
  return {dims, use->delta.get(), use->h.get()};
}

Real* NodeCall::multiplied(int k, const MatrixDims& dims) {
  if (!asked_ || !wants(k) || !per_sample(k)) return nullptr;
  const int64_t rows = count_ * dims.rows;
  if (dims.positions * (rows + dims.cols) < rows * dims.cols || !asked_(k, dims)) return nullptr;
  produced_[k].multiplied = pool_.take<Real>(in_count(k));
  return produced_[k].multiplied.get();
}

Real* NodeCall::picks(int k, const MatrixDims& dims, std::vector<int64_t> columns) {
  if (input(k).batched()) throw std::logic_error("matrix features of a batched input");
  auto use = std::make_shared<MatrixUse>();
  use->dims = dims;
  use->samples = pass_samples();
  use->count = batched_ ? count_ : count_ / use->samples;
  const int64_t places = checked_mul(use->samples, dims.positions);
  if (static_cast<int64_t>(columns.size()) != places)
    throw std::logic_error("as many columns as positions are needed");
  use->delta = pool_.take<Real>(checked_mul(places, checked_mul(use->count, dims.rows)));
  use->columns = std::make_shared<const std::vector<int64_t>>(std::move(columns));
  produced_[k].matrix = use;
  return use->delta.get();
}

Real* NodeCall::scratch(int64_t count) {
  scratch_.push_back(pool_.take<Real>(count));
  return scratch_.back().get();
}

}  // namespace AT_PRECISION
}  // namespace at
