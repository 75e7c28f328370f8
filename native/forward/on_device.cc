#include "forward/on_device.h"

#include <stdexcept>

#include "device/functions/arrange.h"
#include "forward/call.h"
#include "reverse/product.h"

namespace at {
inline namespace AT_PRECISION {

DeviceDirections::DeviceDirections(std::shared_ptr<device::Stream> stream,
                                   const std::vector<const Real*>& given,
                                   const std::vector<int64_t>& sizes, int64_t count)
    : stream_(std::move(stream)), there_(given.size()), given_(given), fetched_(given.size()) {
  for (size_t p = 0; p < given.size(); ++p) {
    if (!given[p]) continue;
    const int64_t numbers = checked_mul(count, sizes[p]);
    there_[p] = stream_->send(given[p], numbers);
  }
}

DeviceDirections::DeviceDirections(std::shared_ptr<device::Stream> stream,
                                   std::vector<DeviceNumbers> given)
    : stream_(std::move(stream)),
      there_(std::move(given)),
      given_(there_.size()),
      fetched_(there_.size()) {}

const Real* DeviceDirections::dense(int parameter) {
  const auto p = static_cast<size_t>(parameter);
  if (given_[p]) return given_[p];
  std::vector<Real>& own = fetched_[p];
  if (own.empty() && there_[p]) {
    own.resize(static_cast<size_t>(there_[p].size()));
    stream_->fetch(own.data(), there_[p], there_[p].size());
  }
  return own.data();
}

namespace {

// A tangent on one side or on both.
struct Sides {
  DeviceNumbers there;
  std::shared_ptr<Real> here;
  bool any() const { return there || here; }
};

class DeviceForward {
 public:
  DeviceForward(const Tape& tape, const Frame& frame, int64_t count, DeviceDirections& directions,
                Pool& pool, const Control& control, device::Stream& stream, DeviceValues& values)
      : tape_(tape),
        frame_(frame),
        count_(count),
        directions_(directions),
        parameters_{directions, {}},
        pool_(pool),
        control_(control),
        stream_(stream),
        values_(values),
        tangents_(tape.values.size()),
        uses_(tape.values.size(), 0) {
    parameters_.formed.resize(tape.parameters.size());
    for (const Node& node : tape.nodes)
      for (int id : node.inputs)
        if (id >= 0) ++uses_[id];
    ++uses_[tape.output];
  }

  OutputTangent run() {
    for (const Node& node : tape_.nodes) {
      control_.poll();
      visit(node);
      for (int id : node.inputs)
        if (id >= 0 && --uses_[id] == 0) tangents_[id] = Sides();
    }
    const int parameter = tape_.values[tape_.output].parameter;
    if (parameter >= 0 && !directions_.zero(parameter)) return {parameters_.of(parameter), {}};
    const Sides& output = tangents_[tape_.output];
    if (output.here || !output.there) return {output.here, {}};
    auto own = pool_.take<Real>(size_of(tape_.output));
    stream_.bring(own.get(), device::Pointer<const Real>(output.there.at()), size_of(tape_.output));
    return {own, output.there};
  }

  device::Stream& stream() { return stream_; }
  DeviceNumbers numbers(int id) { return values_.numbers(tape_, frame_, id); }
  bool has(const Node& node, int k) const {
    if (k >= static_cast<int>(node.inputs.size()) || node.inputs[k] < 0) return false;
    const int id = node.inputs[k], parameter = tape_.values[id].parameter;
    if (!tape_.values[id].active || !node.rule->differentiable(node, k)) return false;
    return parameter < 0 ? tangents_[id].any() : !directions_.zero(parameter);
  }
  DeviceNumbers tangent(int id) {
    const int parameter = tape_.values[id].parameter;
    if (parameter >= 0) return directions_.on_device(parameter);
    Sides& sides = tangents_[id];
    if (!sides.there) {
      sides.there = stream_.send(sides.here.get(), size_of(id));
    }
    return sides.there;
  }
  int64_t size_of(int id) const { return checked_mul(count_, frame_.values[id].size()); }

 private:
  void visit(const Node& node);
  bool serve(const Node& node);
  void serve_on_host(const Node& node);

  const std::shared_ptr<Real>& fetched(int id) {
    Sides& sides = tangents_[id];
    if (sides.here) return sides.here;
    auto own = pool_.take<Real>(size_of(id));
    stream_.fetch(own.get(), sides.there, size_of(id));
    sides.here = std::move(own);
    return sides.here;
  }

  // Are the numbers finite that a product of a node's operands is made of?
  bool sound(const Node& node) const {
    for (int k = 0; k < node.rule->factors(node); ++k) {
      const Activation& value = frame_.values[node.inputs[k]];
      if (value.data && value.type == DataType::kFloat && !all_finite(value.reals(), value.size()))
        return false;
    }
    return true;
  }

  const Tape& tape_;
  const Frame& frame_;
  const int64_t count_;
  DeviceDirections& directions_;
  ParameterTangents parameters_;
  Pool& pool_;
  const Control& control_;
  device::Stream& stream_;
  DeviceValues& values_;
  std::vector<Sides> tangents_;
  std::vector<int> uses_;  // still to come
};

class DeviceNodeTangents final : public DeviceTangentCall {
 public:
  DeviceNodeTangents(DeviceForward& pass, const Node& node, const NodeTangents& view)
      : made(node.outputs.size()),
        pass_(pass),
        node_(node),
        view_(view),
        shared_(node.outputs.size(), false) {}

  const TangentCall& view() const override { return view_; }
  device::Stream& stream() override { return pass_.stream(); }
  DeviceNumbers input(int k) override { return pass_.numbers(node_.inputs[k]); }
  DeviceNumbers output(int j) override { return pass_.numbers(node_.outputs[j]); }
  bool has_in(int k) const override { return pass_.has(node_, k); }
  DeviceNumbers in(int k) override { return pass_.tangent(node_.inputs[k]); }
  device::Pointer<Real> out(int j) override {
    made[j] = stream().take<Real>(size_of(j));
    shared_[j] = false;
    return made[j].at();
  }
  void put(int j, DeviceNumbers tangent) override {
    const DeviceNumbers before = made[j];
    if (before) {
      device::for_rows(stream(), 1, size_of(j),
                       device::Plus<Real>{before.at(), tangent.at(), out(j), size_of(j)});
    } else {
      made[j] = std::move(tangent);
      shared_[j] = true;
    }
  }
  Sum sum(int j) override {
    const DeviceNumbers before = made[j];
    if (!before) return {out(j), false};
    // What was put there may be another's.
    if (shared_[j])
      device::for_rows(stream(), 1, size_of(j),
                       device::Times<Real>{before.at(), out(j), size_of(j), 1});
    return {made[j].at(), true};
  }

  std::vector<DeviceNumbers> made;

 private:
  int64_t size_of(int j) const { return pass_.size_of(node_.outputs[j]); }

  DeviceForward& pass_;
  const Node& node_;
  const NodeTangents& view_;
  std::vector<bool> shared_;
};

void DeviceForward::visit(const Node& node) {
  bool any = false;
  for (size_t k = 0; k < node.inputs.size(); ++k) any = any || has(node, static_cast<int>(k));
  if (!any || serve(node)) return;
  stream_.count_on_host(node.name + " (" + node.op + ")");
  serve_on_host(node);
}

// False: the host is to serve it.
bool DeviceForward::serve(const Node& node) {
  const DeviceRule* rule = find_device_rule(node);
  // The host knows what a product of operands is that are not finite.
  if (!rule || !sound(node)) return false;
  const NodeTangents view(tape_, frame_, node, count_, {}, parameters_, pool_, control_);
  DeviceNodeTangents call(*this, node, view);
  if (!rule->forward(call)) return false;
  stream_.count_node();
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    if (!view.wants(static_cast<int>(j))) continue;
    if (!call.made[j])
      throw std::logic_error("the device rule of " + node.op + " left output " + std::to_string(j) +
                             " without a tangent");
    if (uses_[node.outputs[j]] > 0) tangents_[node.outputs[j]].there = std::move(call.made[j]);
  }
  return true;
}

void DeviceForward::serve_on_host(const Node& node) {
  std::vector<Tangent> in(node.inputs.size());
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    if (!has(node, static_cast<int>(k))) continue;
    const int id = node.inputs[k], parameter = tape_.values[id].parameter;
    if (parameter >= 0) {
      in[k].parameter = parameter;
    } else {
      in[k].values = fetched(id);
    }
  }
  auto produced =
      forward_node(tape_, frame_, node, count_, std::move(in), parameters_, pool_, control_);
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    const int id = node.outputs[j];
    if (produced[j] && uses_[id] > 0) tangents_[id].here = std::move(produced[j]);
  }
}

}  // namespace

OutputTangent forward_pass_on_device(const Tape& tape, const Frame& frame, int64_t count,
                                     DeviceDirections& directions, Pool& pool,
                                     const Control& control, device::Stream& stream,
                                     DeviceValues& values) {
  return DeviceForward(tape, frame, count, directions, pool, control, stream, values).run();
}

}  // namespace AT_PRECISION
}  // namespace at
