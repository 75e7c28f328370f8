#include <algorithm>
#include <cmath>
#include <limits>

#include "core/wider.h"
#include "device/functions/lines.h"
#include "rules/device/taps.h"
#include "rules/support/elementwise.h"
#include "rules/support/exponential.h"
#include "rules/support/lines.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Along one axis since opset 13; before, over all axes from `axis` on.
Lines lines_of(const NodeView& call) {
  const Shape& shape = call.output(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const bool flat = call.node().opset < 13;
  const int64_t axis = from_end(call.node().attributes.integer("axis", flat ? 1 : -1), rank);
  return Lines(shape, axis, flat ? rank - axis : 1);
}

// Of every line of y's probabilities: its largest, and the sum of all others. The largest one's
// derivatives are differences from 1, which float32 does not hold: they are taken from the others.
struct Peak {
  int32_t at;  // −1: the line holds what is no number
  Real rest;
};

// Of a contiguous line.
Peak peak_of(const Real* p, int64_t n) {
  Peak peak{0, 0};
  wider([&] {
    // Probabilities: their sum is finite where all of them are.
    const Real sum = line_sum(n, [&](int64_t e) { return p[e]; });
    constexpr int kLanes = 16;
    Real tops[kLanes];
    std::fill(tops, tops + kLanes, p[0]);
    int64_t done = 0;
    for (; done + kLanes <= n; done += kLanes)
      for (int l = 0; l < kLanes; ++l) tops[l] = p[done + l] > tops[l] ? p[done + l] : tops[l];
    Real top = p[0];
    for (Real lane : tops) top = std::max(top, lane);
    for (; done < n; ++done) top = std::max(top, p[done]);
    const int64_t at = std::find(p, p + n, top) - p;
    peak.at = std::isfinite(sum) ? static_cast<int32_t>(at) : -1;
    peak.rest = line_sum(n, [&](int64_t e) { return e == at ? Real(0) : p[e]; });
  });
  return peak;
}

const Peak* peaks_of(NodeView& view, const Lines& lines, const Real* p) {
  static_assert(sizeof(Peak) == 2 * sizeof(Real));
  const int64_t inner = lines.inner;
  auto* peaks = reinterpret_cast<Peak*>(view.scratch(2 * lines.outer * inner));
  each_slab(1, lines, [&](int64_t, int64_t start) {
    const Real* first = p + start;
    Peak* own = peaks + start / lines.length;
    if (inner == 1) return void(*own = peak_of(first, lines.length));
    for (int64_t i = 0; i < inner; ++i) own[i] = {std::isfinite(first[i]) ? 0 : -1, 0};
    for (int64_t l = 1; l < lines.length; ++l) {
      for (int64_t i = 0; i < inner; ++i) {
        if (own[i].at < 0) continue;
        const Real v = first[l * inner + i], top = first[own[i].at * inner + i];
        if (!std::isfinite(v)) own[i].at = -1;
        own[i].rest += v > top ? top : v;
        if (v > top) own[i].at = static_cast<int32_t>(l);
      }
    }
  });
  return peaks;
}

// to (n) of a line without derivatives: nothing flows where nothing comes.
void fill_unsound(const Real* g, int64_t n, Real* to) {
  const bool none = std::all_of(g, g + n, [](Real v) { return v == 0; });
  std::fill(to, to + n, none ? Real(0.0) : std::numeric_limits<Real>::quiet_NaN());
}

// body(g, p, to, peak) for every line of `count` cotangents or tangents, its elements side by side.
template <class Body>
void along_lines(NodeView& view, const Lines& lines, int64_t count, const Real* p, const Real* from,
                 Real* into, const Body& body) {
  const Peak* peaks = peaks_of(view, lines, p);
  const int64_t size = lines.size(), n = lines.length, inner = lines.inner;
  const auto line = [&](const Real* g, const Real* own, Real* to, const Peak& peak) {
    if (peak.at >= 0) return body(g, own, to, peak);
    fill_unsound(g, n, to);
  };
  // Lines that do not lie side by side are turned, some at a time.
  const int64_t some = std::min<int64_t>(inner, 64);
  each_slab(count, lines, [&](int64_t c, int64_t start) {
    const Peak* peak = peaks + start / n;
    const Real* g = from + c * size + start;
    Real* to = into + c * size + start;
    if (inner == 1) return line(g, p + start, to, *peak);
    Real *turned = lane_buffer<0>(2 * some * n), *own = turned + some * n;
    for (int64_t i0 = 0; i0 < inner; i0 += some) {
      const int64_t end = std::min(inner, i0 + some);
      for (int64_t l = 0; l < n; ++l)
        for (int64_t i = i0; i < end; ++i) {
          turned[(i - i0) * n + l] = g[l * inner + i];
          own[(i - i0) * n + l] = p[start + l * inner + i];
        }
      for (int64_t i = i0; i < end; ++i) {
        Real* here = turned + (i - i0) * n;
        line(here, own + (i - i0) * n, here, peak[i]);
      }
      for (int64_t l = 0; l < n; ++l)
        for (int64_t i = i0; i < end; ++i) to[l * inner + i] = turned[(i - i0) * n + l];
    }
  });
}

class Softmax final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }
  void reverse(Call& call) const override {
    apply(call, call.count(), call.out(0), call.in_place(0));
  }
  // The Jacobian is symmetric.
  void forward(TangentCall& call) const override {
    apply(call, call.count(), call.in(0), call.out_in_place(0));
  }

 private:
  // p_e·Σ_j p_j (g_e − g_j), as differences from g of the largest p.
  static void apply(NodeView& view, int64_t count, const Real* from, Real* into) {
    const Lines lines = lines_of(view);
    const int64_t n = lines.length;
    along_lines(view, lines, count, view.output(0).reals(), from, into,
                [n](const Real* g, const Real* p, Real* to, const Peak& peak) {
                  const Real top = g[peak.at];
                  const Real s =
                      line_sum(n, [&](int64_t e) { return times_selected(p[e], top - g[e]); });
                  for (int64_t e = 0; e < n; ++e) to[e] = times_selected(p[e], (g[e] - top) + s);
                });
  }
};

class LogSoftmax final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }
  // g_e − p_e·Σ g.
  void reverse(Call& call) const override {
    const Lines lines = lines_of(call);
    const int64_t n = lines.length;
    along_lines(call, lines, call.count(), probabilities(call), call.out(0), call.in_place(0),
                [n](const Real* g, const Real* p, Real* to, const Peak& peak) {
                  const Real top = g[peak.at];
                  const Real others =
                      line_sum(n, [&](int64_t e) { return e == peak.at ? Real(0.0) : g[e]; });
                  const Real own = times(peak.rest, top) - times(p[peak.at], others);
                  const Real s = top + others;
                  for (int64_t e = 0; e < n; ++e) to[e] = g[e] - times(p[e], s);
                  to[peak.at] = own;
                });
  }
  // t_e − Σ p·t.
  void forward(TangentCall& call) const override {
    const Lines lines = lines_of(call);
    const int64_t n = lines.length;
    along_lines(call, lines, call.count(), probabilities(call), call.in(0), call.out_in_place(0),
                [n](const Real* t, const Real* p, Real* to, const Peak& peak) {
                  const Real top = t[peak.at];
                  const Real s =
                      line_sum(n, [&](int64_t e) { return times_selected(p[e], t[e] - top); });
                  for (int64_t e = 0; e < n; ++e) to[e] = (t[e] - top) - s;
                });
  }

 private:
  static const Real* probabilities(NodeView& view) {
    const int64_t size = view.output(0).size();
    const Real* y = view.output(0).reals();
    Real* p = view.scratch(size);
    each_element(size, [&](int64_t e) { p[e] = exponential(y[e]); });
    return p;
  }
};

// Both on a device.
class DeviceSoftmax final : public OneInput {
 public:
  explicit DeviceSoftmax(bool logarithm) : logarithm_(logarithm) {}

 protected:
  void run(DeviceNode& call, bool reversed, int64_t count, const DeviceNumbers& from,
           const device::Pointer<Real>& to) const override {
    const Lines lines = lines_of(call.view());
    device::Stream& stream = call.stream();
    const int64_t outer = lines.outer, inner = lines.inner;
    const auto at = stream.take<int32_t>(outer * inner);
    const DeviceNumbers rest = stream.take<Real>(outer * inner);
    const DeviceNumbers sums = stream.take<Real>(count * outer * inner);
    const bool by_probabilities = logarithm_ && !reversed, logarithm = logarithm_ && reversed;
    const DeviceNumbers y = by_probabilities ? probabilities(call) : call.output(0);
    device::for_rows(
        stream, outer, inner,
        device::Peaks<Real>{y.at(), at.at(), rest.at(), lines.length, inner, logarithm});
    device::SoftmaxSums<Real> sum{from.at(), y.at(),       at.at(), sums.at(),
                                  outer,     lines.length, inner,   logarithm};
    sum.moved = static_cast<double>(sizeof(Real)) * static_cast<double>(count + 1) *
                static_cast<double>(lines.size());
    constexpr int64_t kLong = 64;
    if (inner == 1 && lines.length >= kLong) {
      device::sum_rows(stream, count * outer, lines.length, sum);
    } else {
      device::for_rows(stream, count * outer, inner, sum);
    }
    const auto factors = by_probabilities ? device::Pointer<const Real>() : y.at();
    device::for_rows(
        stream, count * outer, lines.length * inner,
        device::SoftmaxBack<Real>{from.at(), factors, at.at(), rest.at(), sums.at(), to, outer,
                                  lines.length, inner, device::Divider(inner), logarithm});
  }

 private:
  static DeviceNumbers probabilities(DeviceNode& call) {
    const Operand y = result(call);
    const Operand minus = {call.stream().take<Real>(element_count(y.shape)), y.shape};
    compute(call, 1, y.shape, {}, device::Partial<Real>{device::Kind::kAffine, -1, 0}, {y},
            minus.numbers.at());
    const DeviceNumbers p = call.stream().take<Real>(element_count(y.shape));
    compute(call, 1, y.shape, {}, device::Partial<Real>{device::Kind::kExpMinus}, {minus}, p.at());
    return p;
  }

  bool logarithm_;
};

const Registration softmax("Softmax", std::make_unique<Softmax>(),
                           std::make_shared<DeviceSoftmax>(false));
const Registration log_softmax("LogSoftmax", std::make_unique<LogSoftmax>(),
                               std::make_shared<DeviceSoftmax>(true));

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
