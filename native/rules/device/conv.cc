// Convolutions as patches and products.
#include "device/functions/arrange.h"
#include "device/functions/windows.h"
#include "rules/device/rule.h"
#include "rules/support/windows.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Y (n, m, out…) = W (m, c, kernel…) over X (n, c, in…), plus a bias per channel.
struct Geometry {
  int64_t images, m, channels, k, positions;
  Windows windows;
  explicit Geometry(const Call& view)
      : images(view.input(0).shape[0]),
        m(view.input(1).shape[0]),
        channels(view.input(1).shape[1]),
        k(count_between(view.input(1).shape, 1, view.input(1).shape.size())),
        positions(0),
        windows(view.node(), spatial(view.input(0).shape), spatial(view.output(0).shape),
                spatial(view.input(1).shape)) {
    positions = windows.out_size();
  }

  device::WindowShape shape() const {
    device::WindowShape s{};
    for (int axis = 0; axis < 3; ++axis) {
      s.in[axis] = static_cast<int>(windows.in[axis]);
      s.out[axis] = static_cast<int>(windows.out[axis]);
      s.kernel[axis] = static_cast<int>(windows.kernel[axis]);
      s.stride[axis] = static_cast<int>(windows.stride[axis]);
      s.dilation[axis] = static_cast<int>(windows.dilation[axis]);
      s.pad[axis] = static_cast<int>(windows.pad[axis]);
    }
    const auto plane = [](const int64_t* sizes) { return device::Divider(sizes[1] * sizes[2]); };
    s.kernel_size = device::Divider(windows.kernel_size());
    s.kernel_plane = plane(windows.kernel);
    s.kernel_row = device::Divider(windows.kernel[2]);
    s.in_plane = plane(windows.in);
    s.in_row = device::Divider(windows.in[2]);
    s.out_plane = plane(windows.out);
    s.out_row = device::Divider(windows.out[2]);
    return s;
  }
};

class Conv final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    if (view.node().attributes.integer("group", 1) != 1) return false;
    if (!view.input(0).batched() || view.input(1).batched()) return false;
    if (view.has_input(2) && view.input(2).batched()) return false;
    const Activation& out = view.output(0);
    // One image for each sample, and sizes that 32 bits hold.
    return out.batch_stride * out.shape[0] == out.size() && out.shape[0] == view.samples() &&
           view.input(0).size() < INT32_MAX && out.size() < INT32_MAX;
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Geometry g(view);
    device::Stream& stream = call.stream();
    const int64_t count = view.count(), rows = g.images * g.positions * count;
    const bool bias = view.has_input(2) && view.wants(2);
    if (bias && !view.wants(1))
      device::for_rows(stream, count * g.images, g.m,
                       device::SumAround<Real>{call.out(0).at(), call.in(2), 1, g.m, g.positions});
    if (!view.wants(0) && !view.wants(1)) return;
    // δ (n, T, C, m)
    const DeviceNumbers delta = stream.take<Real>(rows * g.m);
    device::for_rows(
        stream, rows, g.m,
        device::ByPosition<Real>{call.out(0).at(), delta.at(), count, g.images, g.m, g.positions});
    if (view.wants(0)) input(call, g, delta);
    if (view.wants(1)) factor(call, g, delta, bias ? 2 : -1);
  }

 private:
  static void input(DeviceCall& call, const Geometry& g, const DeviceNumbers& delta) {
    device::Stream& stream = call.stream();
    const int64_t count = call.view().count(), rows = g.images * g.positions * count;
    const DeviceNumbers weight = call.input(1), patches = stream.take<Real>(rows * g.k);
    device::Product<Real> p;
    p.m = rows;
    p.n = g.k;
    p.k = g.m;
    p.a = delta.at();
    p.lda = g.m;
    p.b = weight.at();
    p.ldb = g.k;
    p.c = patches.at();
    p.ldc = g.k;
    stream.multiply(p);
    device::for_rows(stream, count * g.images * g.channels, g.windows.in_size(),
                     device::SumPatches<Real>{patches.at(), call.in(0), count, g.images, g.channels,
                                              g.positions, g.windows.in_size(), g.k, g.shape()});
  }

  static void factor(DeviceCall& call, const Geometry& g, const DeviceNumbers& delta, int bias) {
    device::Stream& stream = call.stream();
    const DeviceNumbers x = call.input(0);
    const DeviceNumbers h = stream.take<Real>(g.images * g.positions * g.k);
    device::for_rows(stream, g.images * g.positions, g.k,
                     device::Patches<Real>{x.at(), h.at(), g.channels, g.positions,
                                           g.windows.in_size(), g.k, g.shape()});
    MatrixDims dims;
    dims.positions = g.positions;
    dims.rows = g.m;
    dims.cols = g.k;
    call.matrix(1, dims, delta, h, bias);
  }
};

const DeviceRegistration conv("Conv", std::make_unique<Conv>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
