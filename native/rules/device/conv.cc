#include "rules/device/conv.h"

#include "device/functions/arrange.h"
#include "rules/device/flow.h"
#include "rules/device/windows.h"
#include "rules/support/convolution.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Y (n, G·m, out…) = W (G·m, c, kernel…) over X (n, G·c, in…), plus a bias per channel. A group of
// an image counts as an image of its own: `blocks` of them.
struct Geometry {
  int64_t images, groups, m, channels, k;
  Windows windows;
  explicit Geometry(const NodeView& view)
      : images(view.input(0).shape[0]),
        groups(view.node().attributes.integer("group", 1)),
        m(view.input(1).shape[0] / groups),
        channels(view.input(1).shape[1]),
        k(count_between(view.input(1).shape, 1, view.input(1).shape.size())),
        windows(view.node(), spatial(view.input(0).shape), spatial(view.output(0).shape),
                spatial(view.input(1).shape)) {}

  int64_t blocks() const { return images * groups; }
  int64_t weights() const { return groups * m * k; }
  int64_t results() const { return blocks() * m * positions(); }
  int64_t positions() const { return windows.out_size(); }
  // A product for each group has too little to do where they are small.
  bool small() const { return groups > 1 && m <= 4; }
};

class Conv final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    if (!is_moderate_convolution(view)) return false;
    const Activation& out = view.output(0);
    if (view.wants(0) && !is_plain(view, 0)) return false;
    if (view.has_input(2) && view.wants(2) && !can_flow(view, 0, 2, out.shape, bias_shape(view)))
      return false;
    if (!view.wants(1)) return true;
    const int64_t groups = view.node().attributes.integer("group", 1);
    if (!view.per_sample(1)) return groups == 1;
    // The images of a sample lie together, and groups of several do not.
    return out.batch_stride * view.samples() == out.size() &&
           (groups == 1 || out.shape[0] == view.samples());
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Geometry g(view);
    const bool bias = view.has_input(2) && view.wants(2);
    const bool shared =
        bias && view.wants(1) && view.per_sample(1) && view.per_sample(2) && g.groups == 1;
    if (bias && !shared)
      flow(call, 2, view.output(0).shape, bias_shape(view), device::Constant<Real>{1}, {});
    // δ (n, G, T, C, m)
    DeviceNumbers delta;
    if (view.wants(1) || (view.wants(0) && !g.small())) {
      const int64_t rows = g.blocks() * g.positions() * view.count();
      delta = call.stream().take<Real>(rows * g.m);
      device::for_rows(call.stream(), rows, g.m,
                       device::ByPosition<Real>{call.out(0).at(), delta.at(), view.count(),
                                                g.blocks(), g.m, g.positions()});
    }
    if (view.wants(0)) g.small() ? spread(call, g) : input(call, g, delta);
    if (view.wants(1)) weight(call, g, std::move(delta), shared ? 2 : -1);
  }

  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!is_moderate_convolution(view)) return false;
    const Geometry g(view);
    const int64_t count = view.count();
    if (call.has_in(1)) {
      const DeviceNumbers x = call.input(0), h = patches(call, g, x.at()), w = call.in(1);
      const auto [to, adds] = call.sum(0);
      for (int64_t c = 0; c < count; ++c)
        weigh(call, g, w.at(c * g.weights()), h, adds, to + c * g.results());
    }
    if (call.has_in(0)) {
      const DeviceNumbers x = call.in(0), w = call.input(1);
      const auto [to, adds] = call.sum(0);
      for (int64_t c = 0; c < count; ++c)
        weigh(call, g, w.at(), patches(call, g, x.at(c * view.input(0).size())), adds,
              to + c * g.results());
    }
    if (call.has_in(2))
      flow(call, 2, view.output(0).shape, bias_shape(view), device::Constant<Real>{1}, {});
    return true;
  }

 private:
  // h (n, G, T, k)
  static DeviceNumbers patches(DeviceNode& call, const Geometry& g,
                               const device::Pointer<const Real>& x) {
    const int64_t rows = g.blocks() * g.positions();
    const DeviceNumbers h = call.stream().take<Real>(rows * g.k);
    device::for_rows(call.stream(), rows, g.k,
                     device::Patches<Real>{x, h.at(), g.channels, g.positions(),
                                           g.windows.in_size(), g.k, window_shape(g.windows)});
    return h;
  }

  // to (n, G, m, T) = W (G, m, k)·hᵀ, or that added: by images or by groups, whichever are fewer.
  static void weigh(DeviceNode& call, const Geometry& g, const device::Pointer<const Real>& weight,
                    const DeviceNumbers& h, bool adds, const device::Pointer<Real>& to) {
    const int64_t T = g.positions();
    const bool by_image = g.images < g.groups;
    device::Product<Real> p;
    p.trans_b = true;
    p.m = g.m, p.n = p.ldc = T, p.k = p.lda = p.ldb = g.k;
    p.beta = adds ? 1 : 0;
    p.batch = by_image ? g.groups : g.images;
    const int64_t step = by_image ? 1 : g.groups, next = by_image ? g.groups : 1;
    p.step_a = by_image ? g.m * g.k : 0;
    p.step_b = step * T * g.k;
    p.step_c = step * g.m * T;
    for (int64_t r = 0; r < (by_image ? g.images : g.groups); ++r) {
      p.a = weight + (by_image ? 0 : r * g.m * g.k);
      p.b = h.at(r * next * T * g.k);
      p.c = to + r * next * g.m * T;
      call.stream().multiply(p);
    }
  }

  static void input(DeviceCall& call, const Geometry& g, const DeviceNumbers& delta) {
    device::Stream& stream = call.stream();
    const int64_t count = call.view().count(), each = g.positions() * count;
    const DeviceNumbers weight = call.input(1);
    const DeviceNumbers patches = stream.take<Real>(g.blocks() * each * g.k);
    const bool one = g.groups == 1;
    device::Product<Real> p;
    p.m = one ? g.images * each : each;
    p.n = g.k;
    p.k = g.m;
    p.lda = g.m;
    p.ldb = p.ldc = g.k;
    p.batch = one ? 1 : g.images;
    p.step_a = g.groups * each * g.m;
    p.step_c = g.groups * each * g.k;
    for (int64_t group = 0; group < g.groups; ++group) {
      p.a = delta.at(group * each * g.m);
      p.b = weight.at(group * g.m * g.k);
      p.c = patches.at(group * each * g.k);
      stream.multiply(p);
    }
    device::for_rows(
        stream, count * g.blocks() * g.channels, g.windows.in_size(),
        device::SumPatches<Real>{patches.at(), call.in(0), count, g.blocks(), g.channels,
                                 g.positions(), g.windows.in_size(), g.k, window_shape(g.windows)});
  }

  static void spread(DeviceCall& call, const Geometry& g) {
    const DeviceNumbers weight = call.input(1);
    device::for_rows(
        call.stream(), call.view().count() * g.blocks() * g.channels, g.windows.in_size(),
        device::SpreadKernels<Real>{call.out(0).at(), weight.at(), call.in(0), g.groups, g.m,
                                    g.channels, g.windows.in_size(), g.positions(),
                                    g.windows.kernel_size(), window_shape(g.windows)});
  }

  static void weight(DeviceCall& call, const Geometry& g, DeviceNumbers delta, int bias) {
    device::Stream& stream = call.stream();
    const Call& view = call.view();
    const DeviceNumbers x = call.input(0), h = patches(call, g, x.at());
    if (!view.per_sample(1)) {
      device::Product<Real> p;
      p.trans_a = true;
      p.m = view.count() * g.m;
      p.n = g.k;
      p.k = g.blocks() * g.positions();
      p.a = delta.at();
      p.lda = p.m;
      p.b = h.at();
      p.ldb = p.ldc = g.k;
      p.c = call.in(1);
      return stream.multiply(p);
    }
    MatrixDims dims;
    dims.groups = g.groups;
    dims.positions = g.images / view.samples() * g.positions();
    dims.rows = g.m;
    dims.cols = g.k;
    call.matrix(1, dims, std::move(delta), h, bias);
  }
};

}  // namespace

DeviceHalf device_conv() { return std::make_shared<Conv>(); }

}  // namespace AT_PRECISION
}  // namespace at
