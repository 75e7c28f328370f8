// Resize and the older Upsample: along every axis each output element is a weighted mean of input
// elements, so that the axes are undone one by one.
#include <algorithm>
#include <cmath>
#include <utility>

#include "rules/device/taps.h"
#include "rules/support/batch.h"
#include "rules/support/lines.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

struct Tap {
  int64_t out, in;
  Real weight;
};

// What the node says of one axis.
struct AxisPlan {
  int64_t in, out;
  Real scale;
  Real start = 0, end = 1;  // region of interest
};

double clamp_index(double x, int64_t size) {
  return std::clamp(x, 0.0, static_cast<double>(size - 1));
}

class Resize final : public Rule {
 public:
  // The scales and the region say where elements are read: picking the nearest one is constant in
  // them, a mean of several is not.
  bool differentiable(const Node& node, int k) const override {
    if (node.attributes.text("mode", "nearest") == "nearest") return k == 0;
    return k == 0 || (k == region(node) && crops(node)) || k == scales(node);
  }
  const char* constant_role(const Node& node, int k) const override {
    if (k == region(node)) return "a region to resize";
    return k == scales(node) ? "the scales of a resize" : nullptr;
  }

  Needs needs(const Node& node, const std::vector<bool>&) const override {
    return since_11(node) ? Needs{{1, 2}, {}} : Needs{{1}, {}};
  }

  std::unique_ptr<Refusal> refuse(const Node& node, const Tape& tape) const override {
    for (size_t k = 1; k < node.inputs.size(); ++k) {
      if (node.inputs[k] < 0 || !tape.values[node.inputs[k]].active) continue;
      if (!differentiable(node, static_cast<int>(k))) continue;
      const bool crop = static_cast<int>(k) == region(node);
      return std::make_unique<Refusal>(
          Refusal{crop ? "the region that it reads depends on parameters"
                       : "the scales that it resizes by depend on parameters",
                  "freeze what they are computed from, or give it constants"});
    }
    const std::string mode = node.attributes.text("mode", "nearest");
    const char* remedy = "resize by the mode \"linear\" or \"nearest\"";
    if (node.attributes.integer("antialias", 0) != 0)
      return std::make_unique<Refusal>(Refusal{"it filters while it resizes (antialias)", remedy});
    if (mode == "cubic" && node.attributes.integer("exclude_outside", 0) != 0)
      return std::make_unique<Refusal>(Refusal{"it leaves out what lies outside", remedy});
    if (mode == "nearest" || mode == "linear" || mode == "bilinear" || mode == "cubic")
      return nullptr;
    return std::make_unique<Refusal>(Refusal{"its mode is \"" + mode + "\"", remedy});
  }

  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Shape& in_shape = call.input(0).shape;
    const int64_t rank = static_cast<int64_t>(in_shape.size());
    Shape shape = call.output(0).shape;
    const Real* from = call.out(0);
    std::vector<AxisPlan> plans = axis_plans(call);
    // The last axis to be undone writes the cotangent itself.
    int64_t left = -1;
    for (int64_t a = 0; a < rank; ++a)
      if (!trivial(plans[a])) left = a;
    if (left < 0) return pass_order(call, 0, 0);
    for (int64_t a = 0; a <= left; ++a) {
      if (trivial(plans[a])) continue;
      const std::vector<Tap> taps = taps_of(call.node(), plans[a]);
      const Lines lines(shape, a);
      shape[a] = in_shape[a];
      const int64_t size = call.count() * element_count(shape);
      Real* to = a == left ? call.in(0) : call.scratch(size);
      apply(call.count() * lines.outer, lines.length, in_shape[a], lines.inner, taps, from, to,
            [](const Tap& tap) { return std::make_pair(tap.out, tap.in); });
      from = to;
    }
  }

  void forward(TangentCall& call) const override {
    const Shape& out_shape = call.output(0).shape;
    const int64_t rank = static_cast<int64_t>(out_shape.size());
    Shape shape = call.input(0).shape;
    const Real* from = call.in(0);
    const std::vector<AxisPlan> plans = axis_plans(call);
    int64_t left = -1;
    for (int64_t a = 0; a < rank; ++a)
      if (!trivial(plans[a])) left = a;
    if (left < 0) return call.pass(0, 0);
    for (int64_t a = 0; a <= left; ++a) {
      if (trivial(plans[a])) continue;
      const std::vector<Tap> taps = taps_of(call.node(), plans[a]);
      const Lines lines(shape, a);
      shape[a] = out_shape[a];
      const int64_t size = call.count() * element_count(shape);
      Real* to = a == left ? call.out(0) : call.scratch(size);
      apply(call.count() * lines.outer, lines.length, out_shape[a], lines.inner, taps, from, to,
            [](const Tap& tap) { return std::make_pair(tap.in, tap.out); });
      from = to;
    }
  }

  // What does it on a device, or undoes it, axis by axis.
  static std::vector<AxisTaps> taps_there(const NodeView& view, bool forward) {
    std::vector<AxisTaps> axes;
    const std::vector<AxisPlan> plans = axis_plans(view);
    for (size_t a = 0; a < plans.size(); ++a) {
      if (trivial(plans[a])) continue;
      std::vector<TapList::Tap> taps;
      for (const Tap& tap : taps_of(view.node(), plans[a]))
        taps.push_back({tap.in, tap.out, tap.weight});
      axes.push_back({a, TapList(forward, plans[a].in, plans[a].out, taps, true)});
    }
    return axes;
  }

 private:
  static bool since_11(const Node& node) { return node.op != "Upsample" && node.opset >= 11; }
  // The inputs that hold them; −1: none.
  static int region(const Node& node) { return since_11(node) ? 1 : -1; }
  static int scales(const Node& node) { return since_11(node) ? 2 : 1; }
  static bool crops(const Node& node) {
    return node.attributes.text("coordinate_transformation_mode", "") == "tf_crop_and_resize";
  }

  static bool trivial(const AxisPlan& plan) {
    return plan.in == plan.out && plan.scale == 1 && plan.start == 0 && plan.end == 1;
  }

  // to (outer, there, inner) = Σ over the taps of weight·from (outer, here, inner); ends(tap) gives
  // the element here and the element there.
  template <class Ends>
  static void apply(int64_t outer, int64_t here, int64_t there, int64_t inner,
                    const std::vector<Tap>& taps, const Real* from, Real* to, const Ends& ends) {
    parallel_for(outer, grain_for(here * inner), [&](int64_t first, int64_t last) {
      for (int64_t o = first; o < last; ++o) {
        const Real* g = from + o * here * inner;
        Real* x = to + o * there * inner;
        std::fill(x, x + there * inner, Real(0.0));
        for (const Tap& tap : taps) {
          const auto [source, target] = ends(tap);
          const Real* g_row = g + source * inner;
          Real* x_row = x + target * inner;
          for (int64_t i = 0; i < inner; ++i) x_row[i] += tap.weight * g_row[i];
        }
      }
    });
  }

  static std::vector<AxisPlan> axis_plans(const NodeView& call) {
    const Node& node = call.node();
    const Shape& in = call.input(0).shape;
    const Shape& out = call.output(0).shape;
    const int64_t rank = static_cast<int64_t>(in.size());
    std::vector<int64_t> axes = node.attributes.integers("axes");
    if (axes.empty())
      for (int64_t a = 0; a < rank; ++a) axes.push_back(a);
    std::vector<AxisPlan> plans;
    for (int64_t a = 0; a < rank; ++a)
      plans.push_back({in[a], out[a], static_cast<Real>(out[a]) / static_cast<Real>(in[a])});
    const int k = scales(node);
    if (call.has_input(k) && call.input(k).size() > 0) {
      for (size_t i = 0; i < axes.size(); ++i)
        plans[from_end(axes[i], rank)].scale = call.input(k).reals()[i];
    }
    if (since_11(node) && crops(node) && call.has_input(1)) {
      const Real* roi = call.input(1).reals();
      for (size_t i = 0; i < axes.size(); ++i) {
        plans[from_end(axes[i], rank)].start = roi[i];
        plans[from_end(axes[i], rank)].end = roi[axes.size() + i];
      }
    }
    return plans;
  }

  // In Real, as onnxruntime does: where it falls on the edge of two elements, rounding decides.
  static Real source(const Node& node, const AxisPlan& plan, int64_t o) {
    const std::string mode = node.attributes.text("coordinate_transformation_mode",
                                                  since_11(node) ? "half_pixel" : "asymmetric");
    const auto x = static_cast<Real>(o);
    const auto in = static_cast<Real>(plan.in), out = static_cast<Real>(plan.out);
    if (mode == "asymmetric") return x / plan.scale;
    if (mode == "align_corners") return plan.out == 1 ? 0 : x * (in - 1) / (out - 1);
    if (mode == "pytorch_half_pixel")
      return plan.out > 1 ? (x + Real(0.5)) / plan.scale - Real(0.5) : 0;
    if (mode == "tf_half_pixel_for_nn") return (x + Real(0.5)) / plan.scale;
    if (mode == "half_pixel_symmetric") {
      const Real offset = in / 2 * (1 - out / (plan.scale * in));
      return offset + (x + Real(0.5)) / plan.scale - Real(0.5);
    }
    if (mode == "tf_crop_and_resize") {
      if (plan.out == 1) return Real(0.5) * (plan.start + plan.end) * (in - 1);
      return plan.start * (in - 1) + x * (plan.end - plan.start) * (in - 1) / (out - 1);
    }
    return (x + Real(0.5)) / plan.scale - Real(0.5);
  }

  static std::vector<Tap> taps_of(const Node& node, const AxisPlan& plan) {
    const Attributes& attributes = node.attributes;
    const std::string mode = attributes.text("mode", "nearest");
    const bool crop = crops(node);
    std::vector<Tap> taps;
    for (int64_t o = 0; o < plan.out; ++o) {
      const Real x = source(node, plan, o);
      // What lies outside is a constant.
      if (crop && (x < 0 || x > static_cast<Real>(plan.in - 1))) continue;
      if (mode == "nearest") {
        taps.push_back({o, nearest(node, plan, x), 1});
      } else if (mode == "cubic") {
        cubic(node, plan, o, x, taps);
      } else {
        const double inside = clamp_index(x, plan.in);
        const auto low = static_cast<int64_t>(std::floor(inside));
        const int64_t high = std::min(low + 1, plan.in - 1);
        const auto part = static_cast<Real>(inside - static_cast<double>(low));
        taps.push_back({o, low, 1 - part});
        if (part > 0) taps.push_back({o, high, part});
      }
    }
    return taps;
  }

  static int64_t nearest(const Node& node, const AxisPlan& plan, Real x) {
    const std::string mode = node.attributes.text("nearest_mode", "round_prefer_floor");
    Real place;
    if (!since_11(node)) {
      // Shrinking, the older operators round up.
      place = plan.scale < 1 ? std::ceil(x) : std::floor(x);
    } else if (mode == "floor") {
      place = std::floor(x);
    } else if (mode == "ceil") {
      place = std::ceil(x);
    } else if (mode == "round_prefer_ceil") {
      place = std::floor(x + Real(0.5));
    } else {
      place = std::ceil(x - Real(0.5));
    }
    return static_cast<int64_t>(clamp_index(place, plan.in));
  }

  // Keys' four weights; indices outside are moved to the border.
  static void cubic(const Node& node, const AxisPlan& plan, int64_t o, double x,
                    std::vector<Tap>& taps) {
    const double a = node.attributes.number("cubic_coeff_a", -0.75);
    const double low = std::floor(x), s = x - low;
    const auto near = [&](double t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
    const auto far = [&](double t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
    const double weights[4] = {far(s + 1), near(s), near(1 - s), far(2 - s)};
    for (int i = 0; i < 4; ++i) {
      const auto in = static_cast<int64_t>(clamp_index(low - 1 + i, plan.in));
      taps.push_back({o, in, static_cast<Real>(weights[i])});
    }
  }
};

class DeviceResize final : public DeviceRule {
 public:
  bool fits(const Call& view) const override { return fits_plain(view); }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    call.put(0, along_axes(call, view.count(), view.output(0).shape,
                           Resize::taps_there(view, false), call.out(0)));
  }
  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!fits_forward(view)) return false;
    call.put(0, along_axes(call, view.count(), view.input(0).shape, Resize::taps_there(view, true),
                           call.in(0)));
    return true;
  }
};

const Registration resize("Resize", std::make_unique<Resize>(), std::make_shared<DeviceResize>());
const Registration upsample("Upsample", std::make_unique<Resize>(),
                            std::make_shared<DeviceResize>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
