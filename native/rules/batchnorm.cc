#include <cmath>

#include "rules/support/elementwise.h"

namespace at {
namespace {

// Y = scale·(X − mean)/√(variance + ε) + B per channel (axis 1), with statistics that are given.
class BatchNormalization final : public Rule {
 public:
  bool constant_role(const Node&, int k) const override { return k == 3 || k == 4; }

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
    const Shape& shape = call.output(0).shape;
    const int64_t channels = call.input(1).size(), size = call.output(0).size();
    const int64_t count = call.count();
    const float epsilon = static_cast<float>(call.node().attributes.number("epsilon", 1e-5));
    Shape as(shape.size() > 1 ? shape.size() - 1 : 1, 1);
    as[0] = channels;
    const float* scale = call.input(1).floats();
    const float* variance = call.input(4).floats();
    float* slope = call.scratch(channels);
    float* inverse = call.scratch(channels);
    for (int64_t ch = 0; ch < channels; ++ch) {
      inverse[ch] = 1 / std::sqrt(variance[ch] + epsilon);
      slope[ch] = scale[ch] * inverse[ch];
    }
    const float* out = call.out(0);
    if (call.wants(2)) sum_to(call, 0, 2, as, out);
    // Cotangent of a per-channel input whose derivative is factor(channel)·(X − mean)^power.
    const auto channel = [&](int k, bool centred, auto factor) {
      float* own = call.scratch(channels);
      for (int64_t ch = 0; ch < channels; ++ch) own[ch] = factor(ch);
      const float* d = broadcast_values(call, own, as, shape);
      float* g = call.scratch(count * size);
      const float* x = centred ? call.input(0).floats() : nullptr;
      const float* mean = centred ? broadcast_values(call, call.input(3).floats(), as, shape) : x;
      scale_elements(count, size, out, g, [&](int64_t from, int64_t n, float* to) {
        for (int64_t e = 0; e < n; ++e)
          to[e] = d[from + e] * (centred ? x[from + e] - mean[from + e] : 1.0f);
      });
      sum_to(call, 0, k, as, g);
    };
    if (call.wants(1)) channel(1, true, [&](int64_t ch) { return inverse[ch]; });
    if (call.wants(3)) channel(3, false, [&](int64_t ch) { return -slope[ch]; });
    if (call.wants(4))
      channel(4, true, [&](int64_t ch) { return -0.5f * slope[ch] * inverse[ch] * inverse[ch]; });
    if (!call.wants(0)) return;
    require_plain(call, 0);
    const float* d = broadcast_values(call, slope, as, shape);
    scale_elements(count, size, out, call.in_place(0), [&](int64_t from, int64_t n, float* to) {
      for (int64_t e = 0; e < n; ++e) to[e] = d[from + e];
    });
  }
};

const Registration batch_normalization("BatchNormalization",
                                       std::make_unique<BatchNormalization>());

}  // namespace
}  // namespace at
