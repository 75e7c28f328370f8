#include <algorithm>
#include <cmath>

#include "core/wider.h"
#include "rules/device/flow.h"
#include "rules/support/lines.h"
#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

auto copied(const Real* d) {
  return [d](int64_t from, int64_t n, Real* to) { std::copy(d + from, d + from + n, to); };
}

// Y = scale·(X − mean)/√(variance + ε) + B per channel (axis 1), with statistics that are given.
class BatchNormalization final : public Rule {
 public:
  bool sees_one(const Node&) const override { return true; }
  const char* constant_role(const Node&, int k) const override {
    return k == 3 ? "a running mean" : k == 4 ? "a running variance" : nullptr;
  }

  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    Needs needs{{1, 4}, {}};
    if (wanted[1] || wanted[4]) needs.inputs.insert(needs.inputs.end(), {0, 3});
    return needs;
  }

  std::unique_ptr<Refusal> refuse(const Node& node, const Tape&) const override {
    bool training = node.attributes.integer("training_mode", 0) != 0;
    // Before opset 14 the number of outputs tells the mode.
    if (node.opset < 14)
      for (size_t j = 1; j < node.outputs.size(); ++j) training = training || node.outputs[j] >= 0;
    if (!training) return nullptr;
    return std::make_unique<Refusal>(
        Refusal{"it runs in training mode, where every sample depends on the whole batch",
                "export the network in evaluation mode"});
  }

  void reverse(Call& call) const override {
    const Channels ch(call);
    const int64_t size = call.output(0).size(), count = call.count();
    const Real* out = call.out(0);
    if (in_lines(call)) return reverse_lines(call, ch);
    for (int k : {1, 2, 3, 4}) {
      if (!call.wants(k)) continue;
      sum_to(call, 0, k, call.output(0).shape, ch.as, out, ch.partial(call, k));
    }
    if (!call.wants(0)) return;
    require_plain(call, 0);
    scale_elements(count, size, out, call.in_place(0), copied(ch.partial(call, 0)));
  }

  void forward(TangentCall& call) const override {
    const Channels ch(call);
    const Shape& shape = call.output(0).shape;
    Real* out = call.out(0);
    bool add = false;
    for (int k = 0; k < 5; ++k) {
      if (!call.in(k)) continue;
      flow_forward(call, call.in(k), k == 0 ? shape : ch.as, shape, ch.partial(call, k), 1, add,
                   out);
      add = true;
    }
  }

 private:
  // What both directions need of the channels.
  struct Channels {
    int64_t channels;
    Shape as;       // of a per-channel input, broadcastable to the output
    Real* inverse;  // 1/√(variance + ε)
    Real* slope;    // scale/√(variance + ε)

    explicit Channels(NodeView& view) : channels(view.input(1).size()) {
      const size_t rank = view.output(0).shape.size();
      const Real epsilon = static_cast<Real>(view.node().attributes.number("epsilon", 1e-5));
      as.assign(rank > 1 ? rank - 1 : 1, 1);
      as[0] = channels;
      inverse = view.scratch(channels);
      slope = view.scratch(channels);
      for (int64_t c = 0; c < channels; ++c) {
        inverse[c] = 1 / std::sqrt(view.input(4).reals()[c] + epsilon);
        slope[c] = view.input(1).reals()[c] * inverse[c];
      }
    }

    // ∂Y/∂input k over the output's shape; null: 1 everywhere.
    const Real* partial(NodeView& view, int k) const {
      if (k == 2) return nullptr;
      const Shape& shape = view.output(0).shape;
      Real* own = view.scratch(channels);
      for (int64_t c = 0; c < channels; ++c)
        own[c] = k == 0   ? slope[c]
                 : k == 1 ? inverse[c]
                 : k == 3 ? -slope[c]
                          : -Real(0.5) * slope[c] * inverse[c] * inverse[c];
      const Real* d = broadcast_values(view, own, as, shape);
      if (k == 0 || k == 3) return d;
      const Real* x = view.input(0).reals();
      const Real* mean = broadcast_values(view, view.input(3).reals(), as, shape);
      Real* result = view.scratch(view.output(0).size());
      each_element(view.output(0).size(), [&](int64_t e) { result[e] = d[e] * (x[e] - mean[e]); });
      return result;
    }
  };

  // Does every channel lie in lines, of one sample each, with its statistics constant?
  static bool in_lines(const Call& call) {
    const Shape& shape = call.output(0).shape;
    if (shape.size() < 3 || call.wants(3) || call.wants(4)) return false;
    const int64_t length = count_between(shape, 2, shape.size());
    const int64_t block = length * shape[1];
    for (int k : {1, 2})
      if (call.wants(k) && call.samples() > 1 && !call.per_sample(k)) return false;
    if (call.wants(0) && call.per_sample(0)) return false;
    return length >= 16 && call.output(0).batch_stride % block == 0;
  }

  // All cotangents in one walk along the lines: x's may be written over Y's.
  static void reverse_lines(Call& call, const Channels& ch) {
    const Activation& y = call.output(0);
    const int64_t channels = ch.channels, samples = call.samples(), count = call.count();
    const int64_t images = y.shape[0], length = count_between(y.shape, 2, y.shape.size());
    const int64_t size = y.size(), block = channels * length;
    const Real* out = call.out(0);
    const Real* x = call.wants(1) ? call.input(0).reals() : nullptr;
    const Real* mean = call.wants(1) ? call.input(3).reals() : nullptr;
    Real* scale = call.wants(1) ? call.in(1) : nullptr;
    Real* shift = call.wants(2) ? call.in(2) : nullptr;
    Real* in = call.wants(0) ? call.in_place(0) : nullptr;
    parallel_for(count * channels, grain_for(images * length), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / channels, q = item % channels;
        for (int64_t i = 0; i < samples; ++i) {
          const int64_t place = (c * samples + i) * channels + q;
          if (scale) scale[place] = 0;
          if (shift) shift[place] = 0;
        }
        for (int64_t b = 0; b < images; ++b) {
          const int64_t at = b * block + q * length;
          const int64_t place = (c * samples + sample_of(y, at, samples)) * channels + q;
          const Real* g = out + c * size + at;
          const Real* own = x ? x + at : nullptr;
          Real* to = in ? in + c * size + at : nullptr;
          wider([&] {
            if (scale)
              scale[place] += line_sum(length, [&](int64_t e) {
                return times(ch.inverse[q] * (own[e] - mean[q]), g[e]);
              });
            if (shift) shift[place] += line_sum(length, [&](int64_t e) { return g[e]; });
            if (to) {
              const Real slope = ch.slope[q];
              for (int64_t e = 0; e < length; ++e) to[e] = times(slope, g[e]);
            }
          });
        }
      }
    });
  }
};

// The same on a device.
class DeviceBatchNormalization final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    const Shape& shape = view.output(0).shape;
    for (int k = 0; k < 5; ++k)
      if (view.wants(k) && !can_flow(view, 0, k, shape, k == 0 ? shape : as_of(view))) return false;
    return is_plain(view, 0);
  }

  void reverse(DeviceCall& call) const override { run(call); }
  bool forward(DeviceTangentCall& call) const override {
    if (!is_moderate(call.view().output(0))) return false;
    run(call);
    return true;
  }

 private:
  template <class Either>
  static void run(Either& call) {
    using device::Kind;
    const NodeView& view = call.view();
    const auto epsilon = static_cast<Real>(view.node().attributes.number("epsilon", 1e-5));
    const Shape &shape = view.output(0).shape, as = as_of(view);
    const auto partial = [&](int k, Kind kind, std::initializer_list<int> inputs) {
      std::vector<Operand> reads;
      for (int q : inputs) reads.push_back({call.input(q), q == 0 ? shape : as});
      flow(call, k, shape, k == 0 ? shape : as, device::Partial<Real>{kind, epsilon}, reads);
    };
    if (flows(call, 0)) partial(0, Kind::kChannel, {1, 4});
    if (flows(call, 1)) partial(1, Kind::kNormal, {0, 3, 4});
    if (flows(call, 2)) flow(call, 2, shape, as, device::Constant<Real>{1}, {});
    if (flows(call, 3)) partial(3, Kind::kMean, {1, 4});
    if (flows(call, 4)) partial(4, Kind::kVariance, {0, 3, 4, 1});
  }

  // A channel's numbers, as they are broadcast.
  static Shape as_of(const NodeView& view) {
    const size_t rank = view.output(0).shape.size();
    Shape as(rank > 1 ? rank - 1 : 1, 1);
    as[0] = view.input(1).size();
    return as;
  }
};

const Registration batch_normalization("BatchNormalization", std::make_unique<BatchNormalization>(),
                                       std::make_shared<DeviceBatchNormalization>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
