// Pooling over windows or whole planes of (batch, channels, spatial…).
#include <cmath>
#include <cstring>
#include <limits>

#include "core/wider.h"
#include "rules/device/taps.h"
#include "rules/device/windows.h"
#include "rules/support/elementwise.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

Windows windows_of(const NodeView& call, bool global) {
  const Shape in = spatial(call.input(0).shape), out = spatial(call.output(0).shape);
  if (global) {
    Node node;
    node.name = call.node().name;
    // Any number of axes is one row.
    return Windows(node, {element_count(in)}, {1}, {element_count(in)});
  }
  return Windows(call.node(), in, out, call.node().attributes.integers("kernel_shape"));
}

class Pool : public Rule {
 public:
  explicit Pool(bool global) : global_(global) {}
  bool differentiable(const Node&, int k) const override { return k == 0; }
  std::unique_ptr<Refusal> refuse(const Node& node, const Tape&) const override {
    if (node.attributes.integers("kernel_shape").size() <= 3) return nullptr;
    return std::make_unique<Refusal>(
        Refusal{"it has more than three spatial axes", "reshape its input to fewer"});
  }

 protected:
  // What was written of an item (cotangent, plane) is multiplied while it is in the cache.
  static void multiply(const Real* slopes, int64_t size, int64_t planes, int64_t item, Real* in) {
    if (!slopes) return;
    const Real* own = slopes + item % planes * size;
    wider([&] {
      for (int64_t e = 0; e < size; ++e) in[e] = times_selected(own[e], in[e]);
    });
  }

  // in (planes, in…) = Σ over the windows that hold an element of weight·out; `weights` (period)
  // are of the windows of one plane or of all.
  static void spread(Call& call, const Windows& w, const Real* out, Real* in, const Real* weights,
                     int64_t period) {
    const int64_t windows = w.out_size();
    const int64_t planes = call.output(0).size() / std::max<int64_t>(1, windows);
    const int64_t width = w.out[2], step = w.stride[2];
    // Where windows do not meet and leave nothing out, every number is written once.
    const bool once = tiles(w);
    parallel_for(call.count() * planes, grain_for(w.in_size()), [&](int64_t first, int64_t last) {
      Real* row = lane_buffer<0>(width);
      Real* wide = lane_buffer<1>(w.in[2]);
      for (int64_t item = first; item < last; ++item) {
        const Real* g = out + item * windows;
        const Real* weight = weights + item % planes * windows % period;
        Real* x = in + item * w.in_size();
        if (!once) std::memset(x, 0, sizeof(Real) * w.in_size());
        for (int64_t oz = 0; oz < w.out[0]; ++oz) {
          for (int64_t oy = 0; oy < w.out[1]; ++oy, g += width, weight += width) {
            for (int64_t o = 0; o < width; ++o) row[o] = times(weight[o], g[o]);
            if (once) {
              w.each_row(oz, oy, [&](int64_t r) { repeat(row, width, step, x + r * w.in[2]); });
              continue;
            }
            // Spread along the row once, then onto every row of the window.
            std::fill(wide, wide + w.in[2], Real(0.0));
            for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
              int64_t lo, hi;
              w.inside(2, kx, lo, hi);
              Real* to = wide + w.at(2, 0, kx);
              for (int64_t o = lo; o < hi; ++o) to[o * step] += row[o];
            }
            add_to_rows(w, oz, oy, wide, x);
          }
        }
        multiply(call.slopes(), w.in_size(), planes, item, x);
      }
    });
  }

  static bool tiles(const Windows& w) {
    for (int a = 0; a < 3; ++a)
      if (w.stride[a] != w.kernel[a] || w.dilation[a] != 1 || w.pad[a] != 0 ||
          w.in[a] != w.out[a] * w.stride[a])
        return false;
    return true;
  }

  // Every number `times` in turn.
  static void repeat(const Real* from, int64_t count, int64_t times, Real* to) {
    if (times == 2) {
      for (int64_t o = 0; o < count; ++o) to[2 * o] = to[2 * o + 1] = from[o];
      return;
    }
    for (int64_t o = 0; o < count; ++o) std::fill(to + o * times, to + (o + 1) * times, from[o]);
  }

  static void add_to_rows(const Windows& w, int64_t oz, int64_t oy, const Real* wide, Real* x) {
    w.each_row(oz, oy, [&](int64_t row) {
      Real* to = x + row * w.in[2];
      for (int64_t i = 0; i < w.in[2]; ++i) to[i] += wide[i];
    });
  }

  // out (planes, out…), element e of any plane = weight(e)·Σ over its window of value(i)·in, i the
  // element of the input (any plane).
  template <class Value, class Weight>
  static void gather(TangentCall& call, const Windows& w, const Real* in, Real* out,
                     const Value& value, const Weight& weight) {
    const int64_t planes = call.output(0).size() / std::max<int64_t>(1, w.out_size());
    const int64_t width = w.out[2], step = w.stride[2], size = w.in_size();
    parallel_for(call.count() * planes, grain_for(size), [&](int64_t first, int64_t last) {
      Real* scaled = lane_buffer<0>(size);
      for (int64_t item = first; item < last; ++item) {
        const int64_t own = item % planes * size;
        for (int64_t i = 0; i < size; ++i) scaled[i] = times(value(own + i), in[item * size + i]);
        Real* y = out + item * w.out_size();
        std::memset(y, 0, sizeof(Real) * w.out_size());
        for (int64_t r = 0; r < w.rows(); ++r) {
          Real* to = y + r * width;
          w.each_row(r / w.out[1], r % w.out[1], [&](int64_t row) {
            for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
              int64_t lo, hi;
              w.inside(2, kx, lo, hi);
              const Real* from = scaled + row * w.in[2] + w.at(2, 0, kx);
              for (int64_t o = lo; o < hi; ++o) to[o] += from[o * step];
            }
          });
        }
        const int64_t at = item % planes * w.out_size();
        for (int64_t o = 0; o < w.out_size(); ++o) y[o] = times(weight(at + o), y[o]);
      }
    });
  }

  bool global_;
};

// 1 / the number of elements that each window averages; windows reach no further than the
// padding.
std::vector<Real> window_shares(const Windows& w, bool with_padding) {
  std::vector<int64_t> counts[3];
  for (int a = 0; a < 3; ++a) {
    for (int64_t o = 0; o < w.out[a]; ++o) {
      int64_t inside = 0;
      for (int64_t k = 0; k < w.kernel[a]; ++k) {
        const int64_t i = w.at(a, o, k);
        inside += with_padding ? i < w.in[a] + w.pad_end[a] : i >= 0 && i < w.in[a];
      }
      counts[a].push_back(inside);
    }
  }
  std::vector<Real> shares;
  for (int64_t z : counts[0])
    for (int64_t y : counts[1])
      for (int64_t x : counts[2])
        shares.push_back(Real(1.0) / static_cast<Real>(std::max<int64_t>(1, z * y * x)));
  return shares;
}

class AveragePool final : public Pool {
 public:
  using Pool::Pool;
  bool takes_slopes(const Node&) const override { return true; }
  void reverse(Call& call) const override {
    const Windows w = windows_of(call, global_);
    const Real* out = call.out(0);
    Real* in = call.in(0);
    if (global_) {
      const int64_t size = w.in_size();
      const Real share = Real(1.0) / static_cast<Real>(size);
      const int64_t planes = call.output(0).size();
      parallel_for(call.count() * planes, grain_for(size), [&](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; ++p) {
          std::fill(in + p * size, in + (p + 1) * size, out[p] * share);
          multiply(call.slopes(), size, planes, p, in + p * size);
        }
      });
      return;
    }
    const std::vector<Real> shares =
        window_shares(w, call.node().attributes.integer("count_include_pad", 0) != 0);
    spread(call, w, out, in, shares.data(), w.out_size());
  }
  void forward(TangentCall& call) const override {
    const Windows w = windows_of(call, global_);
    const int64_t windows = w.out_size();
    const std::vector<Real> shares =
        window_shares(w, call.node().attributes.integer("count_include_pad", 0) != 0);
    gather(
        call, w, call.in(0), call.out(0), [](int64_t) { return Real(1.0); },
        [&](int64_t e) { return shares[e % windows]; });
  }
};

// (Σ|x|^p)^(1/p).
class LpPool final : public Pool {
 public:
  using Pool::Pool;
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {0}}; }
  void reverse(Call& call) const override {
    const Windows w = windows_of(call, global_);
    const Real p = static_cast<Real>(call.node().attributes.integer("p", 2));
    const Real* x = call.input(0).reals();
    const Real* y = call.output(0).reals();
    Real* in = call.in(0);
    const int64_t total = call.output(0).size();
    Real* weights = call.scratch(total);
    each_element(total, [&](int64_t e) { weights[e] = outer(y[e], p); });
    spread(call, w, call.out(0), in, weights, total);
    scale_elements(call.count(), call.input(0).size(), in, in,
                   [&](int64_t from, int64_t n, Real* d) {
                     for (int64_t e = 0; e < n; ++e) d[e] = inner(x[from + e], p);
                   });
  }
  void forward(TangentCall& call) const override {
    const Windows w = windows_of(call, global_);
    const Real p = static_cast<Real>(call.node().attributes.integer("p", 2));
    const Real* x = call.input(0).reals();
    const Real* y = call.output(0).reals();
    gather(
        call, w, call.in(0), call.out(0), [&](int64_t i) { return inner(x[i], p); },
        [&](int64_t e) { return outer(y[e], p); });
  }

 private:
  // dy/dx = outer(y)·inner(x).
  static Real outer(Real y, Real p) { return y > 0 ? std::pow(y, 1 - p) : Real(0.0); }
  static Real inner(Real x, Real p) {
    return x == 0 ? 0 : std::copysign(std::pow(std::abs(x), p - 1), x);
  }
};

// The first of equal maxima, in the order of the window, takes the cotangent (as in PyTorch).
class MaxPool final : public Pool {
 public:
  using Pool::Pool;
  bool sees_one(const Node&) const override { return true; }
  bool takes_slopes(const Node&) const override { return true; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {}}; }
  void reverse(Call& call) const override {
    const Choices choices = choose(call);
    const int64_t windows = choices.windows, size = choices.size;
    const Real* out = call.out(0);
    Real* in = call.in(0);
    choices.each(call.count(), [&](int64_t item, const int32_t* source) {
      const Real* g = out + item * windows;
      Real* to = in + item * size;
      std::memset(to, 0, sizeof(Real) * size);
      for (int64_t o = 0; o < windows; ++o)
        if (source[o] >= 0) to[source[o]] += g[o];
      multiply(call.slopes(), size, choices.planes, item, to);
    });
  }
  void forward(TangentCall& call) const override {
    const Choices choices = choose(call);
    const int64_t windows = choices.windows, size = choices.size;
    const Real* in = call.in(0);
    Real* out = call.out(0);
    choices.each(call.count(), [&](int64_t item, const int32_t* source) {
      for (int64_t o = 0; o < windows; ++o)
        out[item * windows + o] = source[o] >= 0 ? in[item * size + source[o]] : Real(0.0);
    });
  }

 private:
  // The element of its plane that every window takes, (planes, windows); −1: none.
  struct Choices {
    const int32_t* chosen;
    int64_t planes, windows, size;  // size: elements of an input plane
    // body(item, choices of its plane) for `count` times all planes.
    template <class Body>
    void each(int64_t count, const Body& body) const {
      parallel_for(count * planes, grain_for(size), [&](int64_t first, int64_t last) {
        for (int64_t item = first; item < last; ++item)
          body(item, chosen + item % planes * windows);
      });
    }
  };
  Choices choose(NodeView& view) const {
    const Windows w = windows_of(view, global_);
    const int64_t windows = w.out_size(), size = w.in_size();
    const int64_t planes = view.output(0).size() / std::max<int64_t>(1, windows);
    static_assert(sizeof(Real) >= sizeof(int32_t));
    auto* chosen = reinterpret_cast<int32_t*>(view.scratch(planes * windows));
    const Real* x = view.input(0).reals();
    parallel_for(planes, grain_for(windows * w.kernel_size()), [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p) choose_plane(w, x + p * size, chosen + p * windows);
    });
    return {chosen, planes, windows, size};
  }
  static void choose_plane(const Windows& w, const Real* x, int32_t* chosen) {
    const int64_t width = w.out[2], step = w.stride[2], rows = w.in[0] * w.in[1];
    // Rows split into what lies `step` apart, so that neighbouring windows read neighbours.
    const int64_t part = (w.in[2] + step - 1) / step, line = part * step;
    if (step > 1) {
      Real* split = lane_buffer<1>(rows * line);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t q = 0; q < step; ++q) {
          const Real* from = x + r * w.in[2] + q;
          const int64_t count = (w.in[2] - q + step - 1) / step;
          for (int64_t i = 0; i < count; ++i) split[r * line + q * part + i] = from[i * step];
        }
      x = split;
    }
    Real* best = lane_buffer<0>(width);
    for (int64_t oz = 0; oz < w.out[0]; ++oz) {
      for (int64_t oy = 0; oy < w.out[1]; ++oy, chosen += width) {
        std::fill(chosen, chosen + width, -1);
        std::fill(best, best + width, -std::numeric_limits<Real>::infinity());
        w.each_row(oz, oy, [&](int64_t row) {
          for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
            int64_t lo, hi;
            w.inside(2, kx, lo, hi);
            if (lo >= hi) continue;
            // Column of window lo; those of the others follow at a distance of `step`.
            const int64_t at = w.at(2, lo, kx);
            take_better(x + row * line + at % step * part + at / step,
                        static_cast<int32_t>(row * w.in[2] + at), static_cast<int32_t>(step),
                        hi - lo, best + lo, chosen + lo);
          }
        });
      }
    }
  }
  // Window o takes values[o], which is element first + o·step of the plane, where that is more than
  // what it has.
  static void take_better(const Real* values, int32_t first, int32_t step, int64_t count,
                          Real* best, int32_t* chosen) {
    for (int64_t o = 0; o < count; ++o) {
      const bool better = (values[o] > best[o]) | (chosen[o] < 0);
      best[o] = better ? values[o] : best[o];
      chosen[o] = better ? first + static_cast<int32_t>(o) * step : chosen[o];
    }
  }
};

// All of them on a device.
class DevicePool final : public DeviceRule {
 public:
  enum class Takes { kMean, kLargest, kNorm };
  DevicePool(Takes takes, bool global) : takes_(takes), global_(global) {}
  bool fits(const Call& view) const override {
    return fits_plain(view) && view.input(0).shape.size() > 2;
  }

  void reverse(DeviceCall& call) const override {
    device::SpreadWindows<Real> spread{};
    spread.from = call.out(0).at();
    spread.to = call.in(0);
    run(call, call.view().count(), spread, spread.in_size);
  }
  bool forward(DeviceTangentCall& call) const override {
    if (!fits_forward(call.view()) || call.view().input(0).shape.size() <= 2) return false;
    device::GatherWindows<Real> gather{};
    gather.from = call.in(0).at();
    gather.to = call.out(0);
    run(call, call.view().count(), gather, gather.out_size);
    return true;
  }

 private:
  // `length`: elements of a plane that are written.
  template <class Flow>
  void run(DeviceNode& call, int64_t count, Flow& flow, const int64_t& length) const {
    const NodeView& view = call.view();
    const Windows w = windows_of(view, global_);
    flow.in_size = w.in_size();
    flow.out_size = flow.period = w.out_size();
    flow.planes = view.output(0).size() / w.out_size();
    flow.shape = window_shape(w);
    // What is read stays until this returns.
    device::Buffer<int32_t> chosen;
    DeviceNumbers weights, own;
    if (takes_ == Takes::kLargest) {
      chosen = call.stream().take<int32_t>(flow.planes * w.out_size());
      device::for_rows(call.stream(), flow.planes, w.out_size(),
                       device::ChooseLargest<Real>{call.input(0).at(), chosen.at(), w.in_size(),
                                                   w.out_size(), flow.shape});
      flow.chosen = chosen.at();
    } else if (takes_ == Takes::kMean) {
      weights =
          call.sent(window_shares(w, view.node().attributes.integer("count_include_pad", 0) != 0));
      flow.weights = weights.at();
    } else {
      const auto p = static_cast<Real>(view.node().attributes.integer("p", 2));
      const auto powers = [&](device::Kind kind, const Operand& of) {
        const DeviceNumbers made = call.stream().take<Real>(element_count(of.shape));
        compute(call, 1, of.shape, {}, device::Partial<Real>{kind, p}, {of}, made.at());
        return made;
      };
      weights = powers(device::Kind::kOuterPower, result(call));
      own = powers(device::Kind::kInnerPower, operand(call, 0));
      flow.weights = weights.at();
      flow.own = own.at();
      flow.period = view.output(0).size();
    }
    device::for_rows(call.stream(), count * flow.planes, length, flow);
  }

  Takes takes_;
  bool global_;
};

template <class Host>
Registration row(const std::string& op, DevicePool::Takes takes, bool global) {
  return {op, std::make_unique<Host>(global), std::make_shared<DevicePool>(takes, global)};
}

using Takes = DevicePool::Takes;
const Registration rows[] = {
    row<AveragePool>("AveragePool", Takes::kMean, false),
    row<MaxPool>("MaxPool", Takes::kLargest, false),
    row<LpPool>("LpPool", Takes::kNorm, false),
    row<AveragePool>("GlobalAveragePool", Takes::kMean, true),
    row<MaxPool>("GlobalMaxPool", Takes::kLargest, true),
    row<LpPool>("GlobalLpPool", Takes::kNorm, true),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
