#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "reverse/call.h"
#include "reverse/expand.h"
#include "reverse/pass.h"
#include "reverse/product.h"

namespace at {
inline namespace AT_PRECISION {

// A reverse pass on the host, whose steps one on a device takes in its own way.
class Pass {
 public:
  Pass(const Tape& tape, const Frame& frame, int64_t count, Pool& pool, const Control& control,
       FeatureSink& sink, PassWitness* witness)
      : tape_(tape),
        frame_(frame),
        count_(count),
        pool_(pool),
        control_(control),
        sink_(sink),
        multiplies_(dynamic_cast<MultipliedSink*>(&sink)),
        witness_(witness),
        cotangents_(tape.values.size()),
        uses_(tape.values.size(), 0),
        shares_(tape.values.size(), 0),
        finite_(tape.values.size(), -1),
        producers_(tape.values.size(), nullptr) {
    for (const Node& node : tape.nodes) {
      for (int id : node.inputs)
        if (id >= 0) ++uses_[id];
      for (int id : node.outputs)
        if (id >= 0) producers_[id] = &node;
    }
    total_uses_ = uses_;
  }

  virtual ~Pass() = default;

  void run(std::shared_ptr<Real> seed) {
    cotangents_[tape_.output] = std::move(seed);
    shares_[tape_.output] = 1;
    if (uses_[tape_.output] == 0) deliver(tape_.output);
    for (size_t index = tape_.nodes.size(); index-- > 0;) {
      control_.poll();
      visit(tape_.nodes[index]);
    }
  }

 protected:
  virtual void visit(const Node& node) {
    const auto taken = std::find(multiplied_by_.begin(), multiplied_by_.end(), &node);
    if (taken != multiplied_by_.end()) {
      multiplied_by_.erase(taken);
      share_out(node, 0);
      add(node.inputs[0], std::move(cotangents_[node.outputs[0]]));
      return used(node.inputs[0]);
    }
    std::vector<std::shared_ptr<Real>> out;
    bool any = false;
    for (int id : node.outputs) {
      out.push_back(id >= 0 ? std::move(cotangents_[id]) : nullptr);
      any = any || out.back();
    }
    if (any) {
      if (witness_) watch(node, out);
      if (node.rule->factors(node) > 0) {
        run_product(node, out);
      } else {
        multiplied_.clear();
        NodeCall call(tape_, frame_, node, count_, std::move(out), pool_, control_);
        if (const Node* before = function_before(node)) {
          NodeCall view(tape_, frame_, *before, count_, {}, pool_, control_);
          auto slopes = pool_.take<Real>(view.output(0).size());
          before->rule->slopes(view, slopes.get());
          call.set_slopes(std::move(slopes));
          multiplied_by_.push_back(before);
        }
        node.rule->reverse(call);
        collect(node, call);
      }
    }
    for (int id : node.inputs)
      if (id >= 0) used(id);
  }

  // The function whose slopes a rule takes along (Rule::takes_slopes): null where there is none, or
  // where its output has other uses. Its own turn then only hands the cotangent on.
  const Node* function_before(const Node& node) const {
    if (!node.rule->takes_slopes(node) || witness_ || !folds_) return nullptr;
    const int id = node.inputs[0];
    const Node* before = producers_[id];
    if (!before || total_uses_[id] != 1 || id == tape_.output) return nullptr;
    if (!frame_.values[id].batched() || !before->rule->selects(*before)) return nullptr;
    return tape_.values[before->inputs[0]].active ? before : nullptr;
  }

  void used(int id) {
    if (--uses_[id] == 0) deliver(id);
  }

  // A product of operands that may not be finite.
  void run_product(const Node& node, const std::vector<std::shared_ptr<Real>>& out) {
    NodeCall call(tape_, frame_, node, count_, out, pool_, control_);
    multiplied_.clear();
    call.ask(asked(node));
    const int64_t made = plain_size(node, call), read = made > 0 ? factor_size(node) : 0;
    // What is smaller is looked at: the operands before, or what the rule makes of them.
    const bool before = read <= made;
    if (made > 0 && before && !sound_factors(node)) {
      reverse_product(tape_, frame_, node, count_, out, pool_, control_, call);
      return collect(node, call);
    }
    node.rule->reverse(call);
    if (made == 0 || before || sound_results(node, call)) return collect(node, call);
    NodeCall again(tape_, frame_, node, count_, out, pool_, control_);
    again.ask(asked(node));
    reverse_product(tape_, frame_, node, count_, out, pool_, control_, again);
    collect(node, again);
  }

  // What NodeCall::ask() is to know. Features are multiplied out in every block or in none: where
  // the operands are not finite the factors are, here.
  NodeCall::Asked asked(const Node& node) {
    return [this, &node](int k, const MatrixDims& dims) {
      const int parameter = tape_.values[node.inputs[k]].parameter;
      MatrixDims own = dims;
      own.share = share_of(node);
      if (!multiplies_ || parameter < 0 || !multiplies_->multiplies_out(parameter, own))
        return false;
      multiplied_.push_back(node.inputs[k]);
      return sound_factors(node);
    };
  }

  // Of the numbers of a node's cotangents those that may be other than 0.
  double share_of(const Node& node) const {
    double most = 0;
    for (int id : node.outputs)
      if (id >= 0) most = std::max(most, shares_[id]);
    // What comes from a device is not told.
    return most > 0 ? most : 1;
  }

  // The same of what it adds to that of input k; however many samples there are.
  void share_out(const Node& node, size_t k) {
    const auto numbers_of_one = [&](int id) {
      const Activation& value = frame_.values[id];
      return static_cast<double>(value.batched() ? value.size() / frame_.samples : value.size());
    };
    double seen = 0;
    for (int id : node.outputs)
      if (id >= 0) seen += numbers_of_one(id);
    const int id = node.inputs[k];
    const double ratio = seen / std::max(1.0, numbers_of_one(id));
    const double share = node.rule->sees_one(node) ? ratio * share_of(node) : 1;
    shares_[id] = std::min(1.0, shares_[id] + share);
  }

  // Numbers of cotangents that a product makes of its operands, those in factors apart.
  int64_t plain_size(const Node& node, const NodeCall& call) const {
    int64_t size = 0;
    for (int k = 0; k < node.rule->factors(node); ++k)
      if (call.wants(k) && !call.per_sample(k)) size += call.count() * call.input(k).size();
    return size;
  }

  int64_t factor_size(const Node& node) const {
    int64_t size = 0;
    for (int k = 0; k < node.rule->factors(node); ++k)
      if (frame_.values[node.inputs[k]].data) size += frame_.values[node.inputs[k]].size();
    return size;
  }

  bool sound_factors(const Node& node) {
    for (int k = 0; k < node.rule->factors(node); ++k) {
      const int id = node.inputs[k];
      const Activation& value = frame_.values[id];
      if (value.type != DataType::kFloat || !value.data) continue;
      signed char& known = finite_[id];
      if (known < 0) known = all_finite(value.reals(), value.size()) ? 1 : 0;
      if (!known) return false;
    }
    return true;
  }

  static bool sound_results(const Node& node, NodeCall& call) {
    for (int k = 0; k < node.rule->factors(node); ++k) {
      const auto& made = call.produced()[k].cotangent;
      if (made && !call.per_sample(k) &&
          !all_finite(made.get(), call.count() * call.input(k).size()))
        return false;
    }
    return true;
  }

  // Are the cotangents that come to a node finite?
  void watch(const Node& node, const std::vector<std::shared_ptr<Real>>& out) {
    witness_->current = &node;
    sound_ = true;
    for (size_t j = 0; j < out.size(); ++j)
      if (out[j]) sound_ = sound_ && all_finite(out[j].get(), size_of(node.outputs[j]));
  }

  void collect(const Node& node, NodeCall& call) {
    auto& produced = call.produced();
    if (witness_ && sound_ && !witness_->first) {
      for (size_t k = 0; k < produced.size(); ++k) {
        const int64_t samples = call.per_sample(static_cast<int>(k)) ? call.samples() : 1;
        const int64_t size = call.count() * samples * call.input(static_cast<int>(k)).size();
        if (produced[k].cotangent && !all_finite(produced[k].cotangent.get(), size))
          witness_->first = &node;
      }
    }
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int ki = static_cast<int>(k);
      if (!call.wants(ki)) continue;
      const int id = node.inputs[k];
      NodeCall::Produced& made = produced[k];
      if (made.bias_of >= 0) continue;
      share_out(node, k);
      if (made.matrix) {
        take_matrix(node, k, call);
      } else if (made.multiplied) {
        multiplies_->multiplied(tape_.values[id].parameter, call.count(), call.samples(),
                                std::move(made.multiplied));
      } else if (made.cotangent) {
        add(id, std::move(made.cotangent));
      } else {
        throw std::logic_error("the rule of " + node.op + " left input " + std::to_string(k) +
                               " without a cotangent");
      }
    }
  }

  void take_matrix(const Node& node, size_t k, NodeCall& call) {
    auto& produced = call.produced();
    MatrixUse use = *produced[k].matrix;
    use.control = control_;
    use.dims.share = share_of(node);
    int bias = -1;
    for (size_t b = 0; b < produced.size(); ++b)
      if (produced[b].bias_of == static_cast<int>(k)) bias = node.inputs[b];
    take_use(node.inputs[k], std::move(use), bias);
  }

  // A factor goes to the sink as it is when the operand is a parameter; otherwise its expansion
  // flows on to what the operand was computed from. `bias`: a value, or -1.
  void take_use(int operand, MatrixUse use, int bias) {
    settle_factors(use);
    if (bias >= 0 && tape_.values[bias].parameter < 0) {
      const int64_t m = use.dims.rows;
      auto sum = pool_.take<Real>(use.count * use.samples * m);
      expand_bias(use, m, use.samples * m, sum.get());
      add(bias, std::move(sum));
      bias = -1;
    }
    const int id = through_views(operand, use.dims);
    if (tape_.values[id].parameter >= 0 && !multiplied(operand)) {
      use.bias = bias >= 0 ? tape_.values[bias].parameter : -1;
      sink_.matrix(tape_.values[id].parameter, std::move(use));
      return;
    }
    const int64_t size = frame_.values[id].size();
    auto dense = pool_.take<Real>(checked_mul(checked_mul(use.count, use.samples), size));
    expand_matrix(use, size, use.samples * size, dense.get());
    add(id, std::move(dense));
    if (bias >= 0) {
      const int64_t m = use.dims.rows;
      auto sum = pool_.take<Real>(use.count * use.samples * m);
      expand_bias(use, m, use.samples * m, sum.get());
      add(bias, std::move(sum));
    }
  }

  bool multiplied(int operand) const {
    return std::find(multiplied_.begin(), multiplied_.end(), operand) != multiplied_.end();
  }

  // The parameter that an operand is a mere view of, so that its features stay in factors; `dims`
  // is turned to how that one is stored. The operand itself where there is none.
  int through_views(int operand, MatrixDims& dims) const {
    MatrixDims seen = dims;
    for (int id = operand;;) {
      if (tape_.values[id].parameter >= 0) {
        dims = seen;
        return id;
      }
      // Each use of the parameter is to arrive once.
      if (total_uses_[id] != 1) break;
      const Node* producer = producers_[id];
      if (!producer || frame_.values[id].batched()) break;
      const int from = producer->inputs[0];
      const size_t rank = frame_.values[from].shape.size();
      const Rule::View view = producer->rule->view(*producer, rank);
      if (view == Rule::View::kNone) break;
      if (view == Rule::View::kMatrixSwapped) {
        // Only where the two axes that change places are the matrix's own.
        const Shape& shape = frame_.values[id].shape;
        const bool own = shape[rank - 2] == (seen.transposed ? seen.cols : seen.rows) &&
                         shape[rank - 1] == (seen.transposed ? seen.rows : seen.cols);
        if (!own) break;
        seen.transposed = !seen.transposed;
      }
      id = from;
    }
    return operand;
  }

  int64_t size_of(int id) const {
    const Activation& value = frame_.values[id];
    return count_ * (value.batched() ? 1 : frame_.samples) * value.size();
  }

  void add(int id, std::shared_ptr<Real> piece) {
    auto& sum = cotangents_[id];
    if (!sum) {
      sum = std::move(piece);
      return;
    }
    const int64_t size = size_of(id);
    // Somebody else may hold either array (pass() shares them): write only where nobody looks.
    if (sum.use_count() != 1 && piece.use_count() == 1) std::swap(sum, piece);
    std::shared_ptr<Real> to = sum.use_count() == 1 ? sum : pool_.take<Real>(size);
    const Real *a = sum.get(), *b = piece.get();
    Real* result = to.get();
    parallel_for(size, 1 << 16, [&](int64_t first, int64_t last) {
      for (int64_t e = first; e < last; ++e) result[e] = a[e] + b[e];
    });
    sum = std::move(to);
  }

  // All uses of a parameter are done: its dense features, if any, are complete.
  virtual void deliver(int id) {
    const int parameter = tape_.values[id].parameter;
    if (parameter < 0 || !cotangents_[id]) return;
    sink_.dense(parameter, count_, frame_.samples, std::move(cotangents_[id]));
    cotangents_[id] = nullptr;
  }

  const Tape& tape_;
  const Frame& frame_;
  const int64_t count_;
  Pool& pool_;
  const Control& control_;
  FeatureSink& sink_;
  MultipliedSink* multiplies_;
  bool folds_ = true;                       // may slopes be taken along?
  std::vector<const Node*> multiplied_by_;  // functions whose slopes were
  std::vector<int> multiplied_;             // operands of the product whose turn it is
  PassWitness* witness_;
  bool sound_ = true;  // are the cotangents of the node whose turn it is?
  std::vector<std::shared_ptr<Real>> cotangents_;
  std::vector<int> uses_;            // still to come
  std::vector<double> shares_;       // of cotangents' numbers, those that may be other than 0
  std::vector<signed char> finite_;  // are a value's numbers? -1: not looked at
  std::vector<int> total_uses_;
  std::vector<const Node*> producers_;
};

}  // namespace AT_PRECISION
}  // namespace at
