// Normalizations over contiguous lines, with a scale and a shift:
// y = scale·(x − mean)/√(variance + ε) + B. The root-mean-square ones have no mean and no B.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/wider.h"
#include "device/functions/fill.h"
#include "device/functions/lines.h"
#include "rules/device/flow.h"
#include "rules/support/lines.h"
#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// How an operator lays its lines and its scale.
struct Plan {
  int64_t length;       // of a line
  Shape view;           // of x, such that
  Shape as;             // the scale, seen so, is broadcast to it
  bool centred = true;  // is the mean taken out?
};

using Describe = Plan (*)(const NodeView& view);

class Normalization final : public Rule {
 public:
  explicit Normalization(Describe describe) : describe_(describe) {}
  std::unique_ptr<Refusal> refuse(const Node& node, const Tape& tape) const override {
    for (size_t j = 1; j < node.outputs.size(); ++j) {
      if (node.outputs[j] < 0 || !tape.values[node.outputs[j]].active) continue;
      return std::make_unique<Refusal>(Refusal{"a derivative flows through its statistics",
                                               "use its first output only, or spell it out"});
    }
    return nullptr;
  }

  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    const bool only_shift = !wanted[0] && !wanted[1];
    return only_shift ? Needs{} : Needs{{0, 1}, {}};
  }

  void reverse(Call& call) const override {
    const Plan plan = describe_(call);
    const Real* out = call.out(0);
    if (call.wants(2)) sum_to(call, 0, 2, plan.view, plan.as, out);
    const bool dx = call.wants(0), dscale = call.has_input(1) && call.wants(1);
    if (!dx && !dscale) return;
    const int64_t size = call.output(0).size(), count = call.count();
    const int64_t lines = plan.length > 0 ? size / plan.length : 0;
    Real* unit = call.scratch(size);  // x, normalized
    Real* slope = call.scratch(lines);
    const Real epsilon = static_cast<Real>(call.node().attributes.number("epsilon", 1e-5));
    normalize(call.input(0).reals(), lines, plan, epsilon, unit, slope);
    if (dscale) sum_to(call, 0, 1, plan.view, plan.as, out, unit);
    if (!dx) return;
    require_plain(call, 0);
    const Real* scale = nullptr;
    if (call.has_input(1))
      scale = broadcast_values(call, call.input(1).reals(), plan.as, plan.view);
    through(plan, lines, unit, slope, scale, nullptr, count, out, call.in_place(0));
  }

  void forward(TangentCall& call) const override {
    const Plan plan = describe_(call);
    const int64_t size = call.output(0).size(), count = call.count();
    const int64_t lines = plan.length > 0 ? size / plan.length : 0;
    bool add = false;
    Real* out = call.out(0);
    if (call.in(0) || call.in(1)) {
      Real* unit = call.scratch(size);
      Real* slope = call.scratch(lines);
      const Real epsilon = static_cast<Real>(call.node().attributes.number("epsilon", 1e-5));
      normalize(call.input(0).reals(), lines, plan, epsilon, unit, slope);
      if (call.in(0)) {
        const Real* scale = nullptr;
        if (call.has_input(1))
          scale = broadcast_values(call, call.input(1).reals(), plan.as, plan.view);
        through(plan, lines, unit, slope, nullptr, scale, count, call.in(0), out);
        add = true;
      }
      if (call.in(1)) {
        flow_forward(call, call.in(1), plan.as, plan.view, unit, 1, add, out);
        add = true;
      }
    }
    if (call.in(2)) flow_forward(call, call.in(2), plan.as, plan.view, nullptr, 1, add, out);
  }

 private:
  static void normalize(const Real* x, int64_t lines, const Plan& plan, Real epsilon, Real* unit,
                        Real* slope) {
    const int64_t n = plan.length;
    parallel_for(lines, grain_for(n), [&](int64_t first, int64_t last) {
      for (int64_t l = first; l < last; ++l) {
        const Real* from = x + l * n;
        Real* to = unit + l * n;
        const auto share = Real(1.0) / static_cast<Real>(n);
        const Real mean =
            plan.centred ? line_sum(n, [&](int64_t e) { return from[e]; }) * share : 0;
        const Real variance =
            line_sum(n, [&](int64_t e) { return (from[e] - mean) * (from[e] - mean); }) * share;
        slope[l] = 1 / std::sqrt(variance + epsilon);
        if (!std::isfinite(variance)) slope[l] = std::numeric_limits<Real>::quiet_NaN();
        for (int64_t e = 0; e < n; ++e) to[e] = (from[e] - mean) * slope[l];
      }
    });
  }

  // to = after·slope·(g − mean(g) − unit·mean(g·unit)) with g = before·from: the derivative of the
  // normalized line is symmetric, the scale stands before it in reverse and after it forward.
  static void through(const Plan& plan, int64_t lines, const Real* unit, const Real* slope,
                      const Real* before, const Real* after, int64_t count, const Real* from,
                      Real* to) {
    const int64_t n = plan.length;
    const auto share = Real(1.0) / static_cast<Real>(n);
    parallel_for(count * lines, grain_for(n), [&](int64_t first, int64_t last) {
      Real* g = lane_buffer<0>(n);
      for (int64_t item = first; item < last; ++item) {
        const int64_t l = item % lines;
        const Real* source = from + item * n;
        const Real* own = unit + l * n;
        const Real* factor = before ? before + l * n : nullptr;
        Real* target = to + item * n;
        // A line without derivatives: nothing flows where nothing comes.
        if (!std::isfinite(slope[l]) &&
            std::all_of(source, source + n, [](Real v) { return v == 0; })) {
          std::fill(target, target + n, Real(0.0));
          continue;
        }
        wider([&] {
          if (factor) {
            for (int64_t e = 0; e < n; ++e) g[e] = times(factor[e], source[e]);
          } else {
            std::copy(source, source + n, g);
          }
          const Real mean =
              plan.centred ? line_sum(n, [&](int64_t e) { return g[e]; }) * share : Real(0);
          const Real along = line_sum(n, [&](int64_t e) { return g[e] * own[e]; }) * share;
          const Real steep = slope[l];
          for (int64_t e = 0; e < n; ++e) target[e] = steep * (g[e] - mean - own[e] * along);
          if (!after) return;
          for (int64_t e = 0; e < n; ++e) target[e] = times(after[l * n + e], target[e]);
        });
      }
    });
  }

  Describe describe_;
};

// All of them on a device.
class DeviceNormalization final : public DeviceRule {
 public:
  explicit DeviceNormalization(Describe describe) : describe_(describe) {}

  bool fits(const Call& view) const override {
    const Plan plan = describe_(view);
    for (int k : {1, 2})
      if (view.wants(k) && !can_flow(view, 0, k, plan.view, plan.as)) return false;
    return is_plain(view, 0) && is_moderate(view.output(0)) && plan.length > 0 &&
           can_flow(view, 0, 0, plan.view, plan.view);
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Plan plan = describe_(view);
    if (view.wants(2)) flow(call, 2, plan.view, plan.as, device::Constant<Real>{1}, {});
    const bool dscale = view.has_input(1) && view.wants(1);
    if (!view.wants(0) && !dscale) return;
    const Normal normal = normalized(call, plan);
    if (dscale)
      flow(call, 1, plan.view, plan.as, device::Factor<Real>{}, {{normal.unit.numbers, plan.view}});
    if (!view.wants(0)) return;
    DeviceNumbers g = call.out(0);
    if (view.has_input(1)) {
      g = call.stream().take<Real>(view.count() * view.output(0).size());
      compute(call, view.count(), plan.view, {call.out(0), plan.view}, device::Factor<Real>{},
              {{call.input(1), plan.as}}, g.at());
    }
    through(call, plan, normal, view.count(), g, call.in(0));
  }

  // The scale stands after what reverse() has before it.
  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    const Plan plan = describe_(view);
    if (!is_moderate(view.output(0)) || plan.length == 0) return false;
    if (call.has_in(0) || call.has_in(1)) {
      const Normal normal = normalized(call, plan);
      if (call.has_in(0)) {
        const DeviceNumbers t = call.stream().take<Real>(view.count() * view.output(0).size());
        through(call, plan, normal, view.count(), call.in(0), t.at());
        if (view.has_input(1)) {
          const auto [to, adds] = call.sum(0);
          compute(call, view.count(), plan.view, {t, plan.view}, device::Factor<Real>{},
                  {{call.input(1), plan.as}}, to, false, adds);
        } else {
          call.put(0, t);
        }
      }
      if (call.has_in(1))
        flow(call, 1, plan.view, plan.as, device::Factor<Real>{},
             {{normal.unit.numbers, plan.view}});
    }
    if (call.has_in(2)) flow(call, 2, plan.view, plan.as, device::Constant<Real>{1}, {});
    return true;
  }

 private:
  // Of lines of x: what they are divided by comes of the variance.
  struct Normal {
    Operand variance, unit;
    Real epsilon;
  };

  static Normal normalized(DeviceNode& call, const Plan& plan) {
    using device::Kind;
    const int64_t n = plan.length, lines = call.view().output(0).size() / n;
    const Shape flat = {lines, n}, each = {lines, 1};
    const auto epsilon = static_cast<Real>(call.view().node().attributes.number("epsilon", 1e-5));
    const Real share = Real(1.0) / static_cast<Real>(n);
    const Operand x = {call.input(0), flat};
    Operand mean = {call.stream().take<Real>(lines), each};
    if (plan.centred) {
      mean.numbers =
          summed(call, 1, flat, each, {}, device::Partial<Real>{Kind::kScaled, share}, {x});
    } else {
      device::for_rows(call.stream(), 1, lines, device::Fill<Real>{mean.numbers.at(), lines, 0});
    }
    const Operand variance = {
        summed(call, 1, flat, each, {}, device::Partial<Real>{Kind::kSquares, share}, {x, mean}),
        each};
    const Operand unit = {call.stream().take<Real>(lines * n), flat};
    compute(call, 1, flat, {}, device::Partial<Real>{Kind::kDeviation, epsilon},
            {x, mean, variance}, unit.numbers.at());
    return {variance, unit, epsilon};
  }

  // Through the normalized lines, whose derivative is symmetric.
  static void through(DeviceNode& call, const Plan& plan, const Normal& normal, int64_t count,
                      const DeviceNumbers& g, const device::Pointer<Real>& to) {
    const Shape &flat = normal.unit.shape, &each = normal.variance.shape;
    const int64_t lines = flat[0], n = flat[1];
    const Real share = Real(1.0) / static_cast<Real>(n);
    const DeviceNumbers along =
        summed(call, count, flat, each, g, device::Partial<Real>{device::Kind::kScaled, share},
               {normal.unit});
    DeviceNumbers middle;
    if (plan.centred)
      middle = summed(call, count, flat, each, g, device::Constant<Real>{share}, {});
    device::for_rows(
        call.stream(), count * lines, n,
        device::NormalBack<Real>{g.at(), normal.unit.numbers.at(), middle.at(), along.at(),
                                 normal.variance.numbers.at(), to, lines, n, normal.epsilon});
  }

  Describe describe_;
};

// Over all axes from `axis` on; the scale is broadcast from the last axes.
template <bool centred>
Plan layer_plan(const NodeView& call) {
  const Shape& shape = call.output(0).shape;
  const int64_t axis =
      from_end(call.node().attributes.integer("axis", -1), static_cast<int64_t>(shape.size()));
  return {count_between(shape, axis, shape.size()), shape, call.input(1).shape, centred};
}

// Over the spatial axes of every channel.
Plan instance_plan(const NodeView& call) {
  const Shape& shape = call.output(0).shape;
  const int64_t length = count_between(shape, 2, shape.size());
  return {length, {shape[0], shape[1], length}, {shape[1], 1}};
}

// Over groups of channels. The scale has an entry per group before opset 21, per channel since.
Plan group_plan(const NodeView& call) {
  const Shape& shape = call.output(0).shape;
  const int64_t groups = call.node().attributes.integer("num_groups", 1);
  const int64_t spatial = count_between(shape, 2, shape.size());
  const int64_t own = shape[1] / groups;
  const Shape as = call.node().opset < 21 ? Shape{groups, 1, 1} : Shape{groups, own, 1};
  return {own * spatial, {shape[0], groups, own, spatial}, as};
}

Registration row(const std::string& op, Describe describe) {
  return {op, std::make_unique<Normalization>(describe),
          std::make_shared<DeviceNormalization>(describe)};
}

const Registration rows[] = {
    row("LayerNormalization", layer_plan<true>),
    row("RMSNormalization", layer_plan<false>),
    row("SimplifiedLayerNormalization", layer_plan<false>),
    row("InstanceNormalization", instance_plan),
    row("GroupNormalization", group_plan),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
