// Normalizations without parameters: by a norm along an axis, and across neighbouring channels.
#include <cmath>

#include "rules/device/taps.h"
#include "rules/support/elementwise.h"
#include "rules/support/lines.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// y = x/‖x‖_p along an axis, p 1 or 2; 0 where the norm is.
class LpNormalization final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {0}}; }
  void reverse(Call& call) const override {
    run(call, true, call.count(), call.out(0), call.in_place(0));
  }
  void forward(TangentCall& call) const override {
    run(call, false, call.count(), call.in(0), call.out_in_place(0));
  }

 private:
  // dy = (dx − y·⟨∂‖x‖, dx⟩)/‖x‖, and transposed in reverse.
  static void run(const NodeView& call, bool reversed, int64_t count, const Real* out, Real* in) {
    const Shape& shape = call.output(0).shape;
    const Lines lines(shape, from_end(call.node().attributes.integer("axis", -1),
                                      static_cast<int64_t>(shape.size())));
    const bool squares = call.node().attributes.integer("p", 2) == 2;
    const int64_t size = lines.size(), inner = lines.inner;
    const Real* x = call.input(0).reals();
    const Real* y = call.output(0).reals();
    const auto slope = [&](int64_t e) {
      return squares ? y[e] : static_cast<Real>((x[e] > 0) - (x[e] < 0));
    };
    each_slab(count, lines, [&](int64_t c, int64_t start) {
      Real* norm = lane_buffer<0>(inner);
      Real* along = lane_buffer<1>(inner);
      std::fill(norm, norm + inner, Real(0.0));
      std::fill(along, along + inner, Real(0.0));
      const Real* g = out + c * size + start;
      for (int64_t l = 0; l < lines.length; ++l) {
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = start + l * inner + i;
          norm[i] += squares ? x[e] * x[e] : std::abs(x[e]);
          along[i] += times(reversed ? y[e] : slope(e), g[l * inner + i]);
        }
      }
      for (int64_t i = 0; i < inner; ++i) {
        const Real value = squares ? std::sqrt(norm[i]) : norm[i];
        norm[i] = value > 0 ? 1 / value : 0;
      }
      Real* to = in + c * size + start;
      for (int64_t l = 0; l < lines.length; ++l) {
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = l * inner + i;
          const Real direction = reversed ? slope(start + e) : y[start + e];
          to[e] = times(norm[i], g[e] - times(direction, along[i]));
        }
      }
    });
  }
};

// y = x·s^−β, s = bias + α/size·Σ x² over `size` channels around each.
class LocalResponse final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {0}}; }
  void reverse(Call& call) const override {
    require_plain(call, 0);
    run(call, true, call.count(), call.out(0), call.in(0));
  }
  void forward(TangentCall& call) const override {
    run(call, false, call.count(), call.in(0), call.out(0));
  }

 private:
  // dy_j = s_j^−β dx_j − 2αβ (y/s)_j Σ_i x_i dx_i over the window of j, and transposed in reverse.
  static void run(NodeView& view, bool reversed, int64_t count, const Real* from, Real* into) {
    const Attributes& attributes = view.node().attributes;
    const int64_t size = attributes.integer("size", 1);
    const Real beta = static_cast<Real>(attributes.number("beta", 0.75));
    const Real bias = static_cast<Real>(attributes.number("bias", 1));
    const Real alpha =
        static_cast<Real>(attributes.number("alpha", 1e-4) / static_cast<double>(size));
    const int64_t before = (size - 1) / 2, after = size - 1 - before;
    const Lines lines(view.output(0).shape, 1);
    const int64_t total = lines.size(), inner = lines.inner;
    const Real* x = view.input(0).reals();
    const Real* y = view.output(0).reals();
    Real* s = view.scratch(total);
    each_slab(1, lines, [&](int64_t, int64_t start) {
      for (int64_t ch = 0; ch < lines.length; ++ch) {
        Real* to = s + start + ch * inner;
        std::fill(to, to + inner, bias);
        each_near(ch, before, after, lines, [&](int64_t at) {
          const Real* own = x + start + at;
          for (int64_t i = 0; i < inner; ++i) to[i] += alpha * own[i] * own[i];
        });
      }
    });
    Real* direct = view.scratch(total);  // s^−β
    Real* spread = view.scratch(total);  // y/s
    each_element(total, [&](int64_t e) {
      direct[e] = std::pow(s[e], -beta);
      spread[e] = y[e] / s[e];
    });
    const Real* inside = reversed ? spread : x;
    const Real* outside = reversed ? x : spread;
    each_slab(count, lines, [&](int64_t c, int64_t start) {
      Real* sum = lane_buffer<0>(inner);
      const Real* g = from + c * total + start;
      for (int64_t ch = 0; ch < lines.length; ++ch) {
        std::fill(sum, sum + inner, Real(0.0));
        each_near(ch, reversed ? after : before, reversed ? before : after, lines, [&](int64_t at) {
          for (int64_t i = 0; i < inner; ++i) sum[i] += times(inside[start + at + i], g[at + i]);
        });
        Real* to = into + c * total + start + ch * inner;
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = start + ch * inner + i;
          to[i] =
              times(direct[e], g[ch * inner + i]) - times(outside[e], 2 * alpha * beta * sum[i]);
        }
      }
    });
  }

  // body(first element) for every channel from `before` before `ch` to `after` after it.
  template <class Body>
  static void each_near(int64_t ch, int64_t before, int64_t after, const Lines& lines,
                        const Body& body) {
    const int64_t end = std::min(lines.length, ch + after + 1);
    for (int64_t near = std::max<int64_t>(0, ch - before); near < end; ++near)
      body(near * lines.inner);
  }
};

// Both on a device.
class DeviceLpNormalization final : public OneInput {
 protected:
  void run(DeviceNode& call, bool reversed, int64_t count, const DeviceNumbers& from,
           const device::Pointer<Real>& to) const override {
    using device::Kind;
    const NodeView& view = call.view();
    const Shape& shape = view.output(0).shape;
    const Lines lines(shape, from_end(view.node().attributes.integer("axis", -1),
                                      static_cast<int64_t>(shape.size())));
    const Real p = view.node().attributes.integer("p", 2) == 2 ? 2 : 1;
    const Shape whole = {lines.outer, lines.length, lines.inner},
                kept = {lines.outer, 1, lines.inner};
    const Operand x = {call.input(0), whole}, y = {call.output(0), whole};
    const DeviceNumbers powers =
        p == 2 ? summed(call, 1, whole, kept, x.numbers, device::Factor<Real>{}, {x})
               : summed(call, 1, whole, kept, x.numbers, device::Partial<Real>{Kind::kSign}, {x});
    const Operand norm = {call.stream().take<Real>(element_count(kept)), kept};
    compute(call, 1, kept, {}, device::Partial<Real>{Kind::kInverseNorm, p}, {{powers, kept}},
            norm.numbers.at());
    // The norm's derivative is y for p = 2, the sign of x for p = 1.
    const bool signs = p == 1 && !reversed;
    const DeviceNumbers along =
        signs ? summed(call, count, whole, kept, from, device::Partial<Real>{Kind::kSign}, {x})
              : summed(call, count, whole, kept, from, device::Factor<Real>{}, {y});
    const Real outside = reversed ? p : 2;
    compute(call, count, whole, {from, whole}, device::Factor<Real>{}, {norm}, to);
    compute(call, count, whole, {along, kept}, device::Partial<Real>{Kind::kRetracted, outside},
            {outside == 2 ? y : x, norm}, to, false, true);
  }
};

class DeviceLocalResponse final : public OneInput {
 protected:
  void run(DeviceNode& call, bool reversed, int64_t count, const DeviceNumbers& arriving,
           const device::Pointer<Real>& in) const override {
    using device::Kind;
    const NodeView& view = call.view();
    const Attributes& attributes = view.node().attributes;
    const int64_t size = attributes.integer("size", 1), before = (size - 1) / 2;
    const auto beta = static_cast<Real>(attributes.number("beta", 0.75));
    const auto bias = static_cast<Real>(attributes.number("bias", 1));
    const auto alpha =
        static_cast<Real>(attributes.number("alpha", 1e-4) / static_cast<double>(size));
    const Lines lines(view.output(0).shape, 1);
    const int64_t total = lines.size();
    // The window of each channel.
    std::vector<TapList::Tap> near;
    for (int64_t ch = 0; ch < lines.length; ++ch)
      for (int64_t other = std::max<int64_t>(0, ch - before);
           other < std::min(lines.length, ch + size - before); ++other)
        near.push_back({other, ch, 1});
    const auto taken = [&](int64_t times) { return call.stream().take<Real>(times * total); };
    const auto along = [&](bool forward, int64_t times, const DeviceNumbers& from) {
      const DeviceNumbers to = taken(times);
      TapList(forward, lines.length, lines.length, near)
          .apply(call, times * lines.outer, lines.inner, from.at(), to.at());
      return to;
    };
    const Shape flat = {total};
    const auto computed = [&](int64_t times, const DeviceNumbers& from, const auto& op,
                              const std::vector<Operand>& reads) {
      const DeviceNumbers to = taken(times);
      compute(call, times, flat, {from, flat}, op, reads, to.at());
      return to;
    };
    const Operand x = {call.input(0), flat}, y = {call.output(0), flat};
    const DeviceNumbers squares = computed(1, x.numbers, device::Factor<Real>{}, {x});
    const Operand s = {computed(1, {}, device::Partial<Real>{Kind::kAffine, alpha, bias},
                                {{along(true, 1, squares), flat}}),
                       flat};
    const Operand direct = {computed(1, {}, device::Partial<Real>{Kind::kPower, -beta}, {s}), flat};
    const Operand spread = {computed(1, {}, device::Partial<Real>{Kind::kRatio}, {y, s}), flat};
    const DeviceNumbers inside =
        computed(count, arriving, device::Factor<Real>{}, {reversed ? spread : x});
    const DeviceNumbers sum = along(!reversed, count, inside);
    compute(call, count, flat, {arriving, flat}, device::Factor<Real>{}, {direct}, in);
    compute(call, count, flat, {sum, flat}, device::Partial<Real>{Kind::kScaled, -2 * alpha * beta},
            {reversed ? x : spread}, in, false, true);
  }
};

const Registration lp_normalization("LpNormalization", std::make_unique<LpNormalization>(),
                                    std::make_shared<DeviceLpNormalization>());
const Registration lrn("LRN", std::make_unique<LocalResponse>(),
                       std::make_shared<DeviceLocalResponse>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
