#include "forward/pass.h"

#include <algorithm>
#include <stdexcept>

#include "forward/call.h"
#include "reverse/pass.h"
#include "reverse/product.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

class GivenDirections final : public Directions {
 public:
  explicit GivenDirections(const std::vector<const Real*>& given) : given_(given) {}
  bool zero(int parameter) const override { return !given_[static_cast<size_t>(parameter)]; }
  const Real* dense(int parameter) override { return given_[static_cast<size_t>(parameter)]; }

 private:
  const std::vector<const Real*>& given_;
};

// One node of a pass.
struct Setting {
  const Tape& tape;
  const Frame& frame;
  const Node& node;
  int64_t count;
  ParameterTangents& parameters;
  Pool& pool;
  const Control& control;

  std::shared_ptr<Real> run(const Frame& values, std::vector<Tangent> in) const {
    NodeTangents call(tape, values, node, count, std::move(in), parameters, pool, control);
    node.rule->forward(call);
    return call.produced()[0];
  }
};

// The tangent of a product whose operands are not all finite, from that which the rule made.
void settle_product(const Setting& s, const std::vector<Tangent>& in,
                    std::vector<std::shared_ptr<Real>>& produced) {
  const int64_t size = s.count * s.frame.values[s.node.outputs[0]].size();
  if (!produced[0] || all_finite(produced[0].get(), size)) return;
  ProductParts parts(s.frame, s.node, s.pool);
  if (parts.spoilt().empty()) return;
  const std::shared_ptr<Real> result = s.run(parts.sound(), in);
  const int factors = s.node.rule->factors(s.node);
  for (int q : parts.spoilt()) {
    s.control.poll();
    std::vector<Tangent> met(in.size());
    bool any = false;
    for (int k = 0; k < factors; ++k) {
      const auto& own = in[static_cast<size_t>(k)];
      if (k == q || (!own.values && own.parameter < 0)) continue;
      const auto& values = own.parameter < 0 ? own.values : s.parameters.of(own.parameter);
      const int64_t numbers = s.count * s.frame.values[s.node.inputs[k]].size();
      met[static_cast<size_t>(k)].values = parts.indicator(values.get(), numbers);
      any = true;
    }
    if (any)
      spoil(s.run(parts.reach(q), std::move(met)).get(), produced[0].get(), size, result.get());
  }
  produced[0] = result;
}

}  // namespace

std::vector<std::shared_ptr<Real>> forward_node(const Tape& tape, const Frame& frame,
                                                const Node& node, int64_t count,
                                                std::vector<Tangent> in,
                                                ParameterTangents& parameters, Pool& pool,
                                                const Control& control) {
  NodeTangents call(tape, frame, node, count, in, parameters, pool, control);
  if (node.rule->factors(node) == 0) in.clear();  // so that a rule may write in place
  node.rule->forward(call);
  auto produced = std::move(call.produced());
  if (!in.empty())
    settle_product({tape, frame, node, count, parameters, pool, control}, in, produced);
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    if (!call.wants(static_cast<int>(j))) {
      produced[j] = nullptr;
    } else if (!produced[j]) {
      throw std::logic_error("the rule of " + node.op + " left output " + std::to_string(j) +
                             " without a tangent");
    }
  }
  return produced;
}

std::shared_ptr<Real> forward_pass(const Tape& tape, const Frame& frame, int64_t count,
                                   const std::vector<const Real*>& directions, Pool& pool,
                                   const Control& control) {
  GivenDirections given(directions);
  return forward_pass(tape, frame, count, given, pool, control);
}

std::shared_ptr<Real> forward_pass(const Tape& tape, const Frame& frame, int64_t count,
                                   Directions& directions, Pool& pool, const Control& control) {
  std::vector<std::shared_ptr<Real>> tangents(tape.values.size());
  ParameterTangents parameters{directions, {}};
  parameters.formed.resize(tape.parameters.size());
  std::vector<int> uses(tape.values.size(), 0);
  for (const Node& node : tape.nodes)
    for (int id : node.inputs)
      if (id >= 0) ++uses[id];
  ++uses[tape.output];
  for (const Node& node : tape.nodes) {
    control.poll();
    std::vector<Tangent> in(node.inputs.size());
    bool any = false;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int id = node.inputs[k];
      if (id < 0) continue;
      if (tape.values[id].active && node.rule->differentiable(node, static_cast<int>(k))) {
        const int parameter = tape.values[id].parameter;
        if (parameter < 0) {
          in[k].values = tangents[id];
        } else if (!directions.zero(parameter)) {
          in[k].parameter = parameter;
        }
        any = any || in[k].values || in[k].parameter >= 0;
      }
      if (--uses[id] == 0) tangents[id] = nullptr;
    }
    if (!any) continue;
    auto produced =
        forward_node(tape, frame, node, count, std::move(in), parameters, pool, control);
    for (size_t j = 0; j < node.outputs.size(); ++j) {
      const int id = node.outputs[j];
      if (produced[j] && uses[id] > 0) tangents[id] = std::move(produced[j]);
    }
  }
  const int parameter = tape.values[tape.output].parameter;
  if (parameter < 0 || directions.zero(parameter)) return tangents[tape.output];
  return parameters.of(parameter);
}

void read_tangent(const Activation& output, int64_t samples, const std::vector<int64_t>& outputs,
                  int64_t count, const Real* tangent, Real* result) {
  const auto picked = static_cast<int64_t>(outputs.size());
  if (!tangent) {
    std::fill(result, result + samples * picked * count, Real(0.0));
    return;
  }
  const int64_t size = output.size();
  each_output(output, samples, outputs, [&](int64_t i, int64_t o, int64_t e) {
    for (int64_t d = 0; d < count; ++d)
      result[(i * picked + o) * count + d] = tangent[d * size + e];
  });
}

}  // namespace AT_PRECISION
}  // namespace at
