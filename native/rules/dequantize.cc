#include <algorithm>

#include "rules/device/flow.h"
#include "rules/support/batch.h"
#include "rules/support/quantised.h"
#include "rules/support/times.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// y = (x − zero point)·scale of stored integers x: a constant, unless its scale is a parameter. The
// scale is one number, or one for each slice along an axis, or for each block of slices.
class Dequantize final : public Rule {
 public:
  // The integers may come out of a QuantizeLinear that a derivative reaches.
  bool differentiable(const Node&, int k) const override { return k < 2; }
  const char* constant_role(const Node&, int k) const override {
    return k == 1 ? "the scale of quantised numbers" : nullptr;
  }
  std::unique_ptr<Refusal> refuse(const Node& node, const Tape& tape) const override {
    const int x = node.inputs.empty() ? -1 : node.inputs[0];
    return x >= 0 && tape.values[x].active ? quantised_refusal() : nullptr;
  }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {0}}; }

  void reverse(Call& call) const override {
    const Scales scales(call);
    const int64_t samples = call.per_sample(1) ? call.samples() : 1;
    const int64_t size = call.output(0).size(), own = call.input(1).size();
    const Real* out = call.out(0);
    Real* in = call.in(1);
    std::vector<double> sum(static_cast<size_t>(samples * own));
    for (int64_t c = 0; c < call.count(); ++c) {
      std::fill(sum.begin(), sum.end(), 0);
      for (int64_t e = 0; e < size; ++e) {
        const int64_t s = samples > 1 ? sample_of(call.output(0), e, samples) : 0;
        sum[static_cast<size_t>(s * own + scales.of(e))] +=
            times(scales.slope(e), out[c * size + e]);
      }
      for (size_t k = 0; k < sum.size(); ++k)
        in[c * samples * own + static_cast<int64_t>(k)] = static_cast<Real>(sum[k]);
    }
  }

  void forward(TangentCall& call) const override {
    const Scales scales(call);
    const int64_t size = call.output(0).size(), own = call.input(1).size();
    const Real* in = call.in(1);
    Real* out = call.out(0);
    for (int64_t c = 0; c < call.count(); ++c)
      for (int64_t e = 0; e < size; ++e)
        out[c * size + e] = times(scales.slope(e), in[c * own + scales.of(e)]);
  }

 private:
  // Which scale an element has, and its derivative by it, x − zero point = y/scale.
  class Scales {
   public:
    explicit Scales(const NodeView& view)
        : y_(view.output(0).reals()), scale_(view.input(1).reals()) {
      const Shape& shape = view.output(0).shape;
      const Attributes& attributes = view.node().attributes;
      if (view.input(1).size() == 1) {
        after_ = std::max<int64_t>(1, element_count(shape));
        return;
      }
      const auto rank = static_cast<int64_t>(shape.size());
      const auto axis = static_cast<size_t>(from_end(attributes.integer("axis", 1), rank));
      length_ = shape[axis];
      after_ = count_between(shape, axis + 1, shape.size());
      const int64_t block = attributes.integer("block_size", 0);
      lines_ = block > 0;
      block_ = lines_ ? block : 1;
    }
    int64_t of(int64_t e) const {
      const int64_t place = e / after_ % length_ / block_;
      if (!lines_) return place;
      const int64_t blocks = (length_ + block_ - 1) / block_;
      return (e / (after_ * length_) * blocks + place) * after_ + e % after_;
    }
    Real slope(int64_t e) const { return y_[e] / scale_[of(e)]; }

   private:
    const Real* y_;
    const Real* scale_;
    int64_t length_ = 1, after_ = 1;  // slices along the axis, elements of one
    int64_t block_ = 1;               // slices that share a scale
    bool lines_ = false;              // every line along the axis has scales of its own
  };
};

// The same on a device, but for blocks of slices.
class DeviceDequantize final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    return !in_blocks(view) && can_flow(view, 0, 1, view.output(0).shape, as_of(view));
  }
  void reverse(DeviceCall& call) const override { run(call); }
  bool forward(DeviceTangentCall& call) const override {
    if (in_blocks(call.view()) || !is_moderate(call.view().output(0))) return false;
    run(call);
    return true;
  }

 private:
  static bool in_blocks(const NodeView& view) {
    return view.node().attributes.integer("block_size", 0) != 0;
  }
  template <class Either>
  static void run(Either& call) {
    const Shape &shape = call.view().output(0).shape, as = as_of(call.view());
    flow(call, 1, shape, as, device::Partial<Real>{device::Kind::kRatio},
         {result(call), {call.input(1), as}});
  }
  // The scales, as they are broadcast.
  static Shape as_of(const NodeView& view) {
    const Shape& shape = view.output(0).shape;
    const auto rank = static_cast<int64_t>(shape.size());
    if (view.input(1).size() == 1 || rank == 0) return {};
    const int64_t axis = from_end(view.node().attributes.integer("axis", 1), rank);
    Shape as(static_cast<size_t>(rank - axis), 1);
    as[0] = shape[static_cast<size_t>(axis)];
    return as;
  }
};

const Registration rows[] = {
    {"DequantizeLinear", std::make_unique<Dequantize>(), std::make_shared<DeviceDequantize>()},
    {"DequantizeLinear", std::make_unique<Dequantize>(), std::make_shared<DeviceDequantize>(),
     "com.microsoft"},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
