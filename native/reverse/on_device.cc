#include "reverse/on_device.h"

#include <stdexcept>
#include <vector>

#include "device/functions/arrange.h"
#include "reverse/pass_steps.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// What a device rule made of one input's cotangent.
struct Made {
  DeviceNumbers cotangent;
  std::unique_ptr<DeviceMatrixUse> matrix;
  int bias_of = -1;  // this input is served by the matrix factor of that input
};

class DevicePass final : public Pass {
 public:
  DevicePass(const Tape& tape, const Frame& frame, int64_t count, Pool& pool,
             const Control& control, DeviceSink& sink, device::Stream& stream, DeviceValues& values)
      : Pass(tape, frame, count, pool, control, sink, nullptr),
        device_sink_(sink),
        stream_(stream),
        values_(values),
        sums_(tape.values.size()) {
    // A function's own turn may come on the device.
    folds_ = false;
  }

  device::Stream& stream() { return stream_; }

  DeviceNumbers numbers(int id) { return values_.numbers(tape_, frame_, id); }

 protected:
  void visit(const Node& node) override;
  void deliver(int id) override {
    const int parameter = tape_.values[id].parameter;
    if (parameter < 0) return;  // it stays where it is
    if (sums_[id] && !cotangents_[id])
      return device_sink_.dense_on_device(parameter, count_, frame_.samples, take_up(id));
    fetch(id);
    Pass::deliver(id);
  }

 private:
  bool serve(const Node& node);
  void collect_made(const Node& node, NodeCall& view, std::vector<Made>& made);
  void take_made(const Node& node, size_t k, std::vector<Made>& made);
  MatrixUse fetched(const DeviceMatrixUse& use);

  void add_up(int id, DeviceNumbers piece) {
    DeviceNumbers& sum = sums_[id];
    if (!sum) {
      sum = std::move(piece);
      return;
    }
    const int64_t size = size_of(id);
    const DeviceNumbers to = stream_.take<Real>(size);
    device::for_rows(stream_, 1, size, device::Plus<Real>{sum.at(), piece.at(), to.at(), size});
    sum = to;
  }
  // The cotangent on the device, whichever side its parts are on; it is given away.
  DeviceNumbers take_up(int id) {
    if (std::shared_ptr<Real>& own = cotangents_[id]) {
      add_up(id, stream_.send(own.get(), size_of(id)));
      own = nullptr;
    }
    DeviceNumbers sum = std::move(sums_[id]);
    sums_[id] = DeviceNumbers();
    return sum;
  }
  // The device's part joins the host's.
  void fetch(int id) {
    if (!sums_[id]) return;
    const int64_t size = size_of(id);
    auto piece = pool_.take<Real>(size);
    stream_.fetch(piece.get(), sums_[id], size);
    sums_[id] = DeviceNumbers();
    add(id, std::move(piece));
  }

  DeviceSink& device_sink_;
  device::Stream& stream_;
  DeviceValues& values_;
  std::vector<DeviceNumbers> sums_;  // cotangents, or the device's part of them
};

class DeviceNodeCall final : public DeviceCall {
 public:
  DeviceNodeCall(DevicePass& pass, const Node& node, NodeCall& view, std::vector<DeviceNumbers> out)
      : made(node.inputs.size()), pass_(pass), node_(node), view_(view), out_(std::move(out)) {}

  const Call& view() const override { return view_; }
  device::Stream& stream() override { return pass_.stream(); }
  DeviceNumbers input(int k) override { return pass_.numbers(node_.inputs[k]); }
  DeviceNumbers output(int j) override { return pass_.numbers(node_.outputs[j]); }
  const DeviceNumbers& out(int j) const override { return out_[j]; }
  device::Pointer<Real> in(int k) override {
    const int64_t samples = view_.per_sample(k) ? view_.samples() : 1;
    made[k].cotangent = stream().take<Real>(
        checked_mul(checked_mul(view_.count(), samples), view_.input(k).size()));
    return made[k].cotangent.at();
  }
  void put(int k, DeviceNumbers cotangent) override { made[k].cotangent = std::move(cotangent); }
  void matrix(int k, const MatrixDims& dims, DeviceNumbers delta, DeviceNumbers h,
              int with_bias) override {
    made[k].matrix = std::make_unique<DeviceMatrixUse>(
        DeviceMatrixUse{dims, view_.samples(), view_.count(), std::move(delta), std::move(h), -1});
    if (with_bias >= 0 && view_.wants(with_bias)) made[with_bias].bias_of = k;
  }

  std::vector<Made> made;

 private:
  DevicePass& pass_;
  const Node& node_;
  NodeCall& view_;
  std::vector<DeviceNumbers> out_;
};

void DevicePass::visit(const Node& node) {
  if (serve(node)) {
    for (int id : node.inputs)
      if (id >= 0) used(id);
    return;
  }
  bool any = false;
  for (int id : node.outputs) {
    if (id < 0) continue;
    fetch(id);
    any = any || cotangents_[id];
  }
  if (any) stream_.count_on_host(node.name + " (" + node.op + ")");
  Pass::visit(node);
}

// False: the host is to serve it.
bool DevicePass::serve(const Node& node) {
  const DeviceRule* rule = find_device_rule(node);
  if (!rule) return false;
  bool any = false;
  for (int id : node.outputs) any = any || (id >= 0 && (sums_[id] || cotangents_[id]));
  if (!any) return false;
  NodeCall view(tape_, frame_, node, count_, {}, pool_, control_);
  if (!rule->fits(view)) return false;
  // The host knows what a product of operands is that are not finite.
  if (node.rule->factors(node) > 0 && !sound_factors(node)) return false;
  std::vector<DeviceNumbers> out;
  for (int id : node.outputs) out.push_back(id >= 0 ? take_up(id) : DeviceNumbers());
  DeviceNodeCall call(*this, node, view, std::move(out));
  stream_.count_node();
  rule->reverse(call);
  collect_made(node, view, call.made);
  return true;
}

void DevicePass::collect_made(const Node& node, NodeCall& view, std::vector<Made>& made) {
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    if (!view.wants(static_cast<int>(k)) || made[k].bias_of >= 0) continue;
    if (made[k].matrix) {
      take_made(node, k, made);
    } else if (made[k].cotangent) {
      add_up(node.inputs[k], std::move(made[k].cotangent));
    } else {
      throw std::logic_error("the device rule of " + node.op + " left input " + std::to_string(k) +
                             " without a cotangent");
    }
  }
}

void DevicePass::take_made(const Node& node, size_t k, std::vector<Made>& made) {
  DeviceMatrixUse use = std::move(*made[k].matrix);
  int bias = -1;
  for (size_t b = 0; b < made.size(); ++b)
    if (made[b].bias_of == static_cast<int>(k)) bias = node.inputs[b];
  MatrixDims dims = use.dims;
  const int id = through_views(node.inputs[k], dims);
  const int parameter = tape_.values[id].parameter;
  const bool own = bias < 0 || tape_.values[bias].parameter >= 0;
  if (parameter < 0 || !own) return take_use(node.inputs[k], fetched(use), bias);
  use.dims = dims;
  use.bias = bias < 0 ? -1 : tape_.values[bias].parameter;
  device_sink_.matrix_on_device(parameter, std::move(use));
}

MatrixUse DevicePass::fetched(const DeviceMatrixUse& use) {
  MatrixUse own = to_host(stream_, use, pool_);
  own.control = control_;
  return own;
}

}  // namespace

MatrixUse to_host(device::Stream& stream, const DeviceMatrixUse& use, Pool& pool) {
  MatrixUse own;
  own.dims = use.dims;
  own.samples = use.samples;
  own.count = use.count;
  own.bias = use.bias;
  const int64_t places = use.samples * use.dims.groups * use.dims.positions;
  const auto fetch = [&](const DeviceNumbers& from, int64_t count) {
    auto to = pool.take<Real>(count);
    stream.bring(to.get(), device::Pointer<const Real>(from.at()), count);
    return to;
  };
  own.delta = fetch(use.delta, places * use.count * use.dims.rows);
  own.h = fetch(use.h, places * use.dims.cols);
  stream.synchronise();
  return own;
}

void reverse_pass_on_device(const Tape& tape, const Frame& frame, int64_t count,
                            std::shared_ptr<Real> seed, Pool& pool, const Control& control,
                            DeviceSink& sink, device::Stream& stream, DeviceValues& values) {
  DevicePass pass(tape, frame, count, pool, control, sink, stream, values);
  pass.run(std::move(seed));
}

}  // namespace AT_PRECISION
}  // namespace at
