// Tangents forward on a device.
#include "rules/device/forward.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/spread.h"
#include "rules/device/windows.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// Y (rows × n) = alpha·X (rows × k)·op(W) + bias, the rows of a sample together, in its order.
struct Dense {
  int64_t rows = 0, n = 0, k = 0;
  bool trans_w = false;
  Real alpha = 1;
  int bias = -1;  // an input (n) beta times
};

// Y' = alpha·(X'·op(W) + X·op(W')) + beta·bias'
bool forward_dense(DeviceTangentCall& call, const Dense& d) {
  const TangentCall& view = call.view();
  if (view.input(1).batched()) return false;
  const int64_t count = view.count(), size = d.rows * d.n;
  const device::Pointer<Real> out = call.out(0);
  device::Product<Real> p;
  p.n = d.n;
  p.k = p.lda = d.k;
  p.trans_b = d.trans_w;
  p.ldb = d.trans_w ? d.k : d.n;
  p.c = out;
  p.ldc = d.n;
  p.alpha = d.alpha;
  if (call.has_in(0)) {
    const DeviceNumbers x = call.in(0), w = call.input(1);
    p.m = count * d.rows;
    p.a = x.at();
    p.b = w.at();
    call.stream().multiply(p);
    p.beta = 1;
  }
  if (call.has_in(1)) {
    const DeviceNumbers x = call.input(0), w = call.in(1);
    p.m = d.rows;
    p.a = x.at();
    p.b = w.at();
    p.batch = count;
    p.step_b = d.k * d.n;
    p.step_c = size;
    call.stream().multiply(p);
    p.beta = 1;
  }
  if (p.beta == 0) device::for_rows(call.stream(), count, size, device::Fill<Real>{out, size, 0});
  if (d.bias >= 0) {
    const auto beta = static_cast<Real>(view.node().attributes.number("beta", 1));
    device::for_rows(call.stream(), count * size, 1,
                     device::AddSpread<Real>{call.in(d.bias).at(), out, size, d.n, 1, beta});
  }
  return true;
}

// Y (n, m, out…) = W (m, c, kernel…) over X (n, c, in…), plus a bias per channel.
struct Geometry {
  int64_t images, m, channels, k, positions;
  Windows windows;
  explicit Geometry(const NodeView& view)
      : images(view.input(0).shape[0]),
        m(view.input(1).shape[0]),
        channels(view.input(1).shape[1]),
        k(count_between(view.input(1).shape, 1, view.input(1).shape.size())),
        positions(0),
        windows(view.node(), spatial(view.input(0).shape), spatial(view.output(0).shape),
                spatial(view.input(1).shape)) {
    positions = windows.out_size();
  }
};

// h (n, T, k)
void patch(device::Stream& stream, const Geometry& g, const device::Pointer<const Real>& x,
           const DeviceNumbers& h) {
  device::for_rows(stream, g.images * g.positions, g.k,
                   device::Patches<Real>{x, h.at(), g.channels, g.positions, g.windows.in_size(),
                                         g.k, window_shape(g.windows)});
}

// to (n, m, T) = W (m × k)·hᵀ + beta·to.
void weigh(device::Stream& stream, const Geometry& g, const device::Pointer<const Real>& weight,
           const DeviceNumbers& h, Real beta, const device::Pointer<Real>& to) {
  device::Product<Real> p;
  p.trans_b = true;
  p.m = g.m;
  p.n = p.ldc = g.positions;
  p.k = p.lda = p.ldb = g.k;
  p.a = weight;
  p.b = h.at();
  p.step_b = g.positions * g.k;
  p.c = to;
  p.step_c = g.m * g.positions;
  p.batch = g.images;
  p.beta = beta;
  stream.multiply(p);
}

// An unbatched operand of one sample's output seen as (outer, length, inner), of which it has the
// middle axis. The batch is the output's first axis, or what it begins with.
struct Broadcast {
  int64_t outer = 1, length = 1, inner = 1;
};

std::optional<Broadcast> broadcast_of(const NodeView& view, int64_t samples, int k) {
  const Activation &out = view.output(0), &in = view.input(k);
  const int64_t sample = out.size() / samples;
  if (out.batch_stride != sample || in.size() == 0 || sample % in.size() != 0) return std::nullopt;
  // The operand's axes without those of size 1 must be neighbours, and the output's own.
  const size_t rank = out.shape.size(), lead = rank - in.shape.size();
  size_t first = rank, last = 0;
  for (size_t axis = lead; axis < rank; ++axis) {
    if (in.shape[axis - lead] == 1) continue;
    first = std::min(first, axis);
    last = axis + 1;
  }
  if (first >= last) return Broadcast{1, 1, sample};
  for (size_t axis = first; axis < last; ++axis)
    if (in.shape[axis - lead] != out.shape[axis]) return std::nullopt;
  Broadcast found;
  found.length = in.size();
  found.inner = count_between(out.shape, last, rank);
  if (sample % (found.length * found.inner) != 0) return std::nullopt;
  found.outer = sample / (found.length * found.inner);
  return found;
}

}  // namespace

bool forward_gemm(DeviceTangentCall& call) {
  const TangentCall& view = call.view();
  const Attributes& attributes = view.node().attributes;
  Dense d;
  if (attributes.integer("transA", 0) != 0) return false;
  d.trans_w = attributes.integer("transB", 0) != 0;
  d.alpha = static_cast<Real>(attributes.number("alpha", 1));
  d.rows = view.output(0).shape[0];
  d.n = view.output(0).shape[1];
  d.k = view.input(0).shape[1];
  if (call.has_in(2)) {
    const Shape row = {1, d.n}, flat = {d.n};
    if (view.input(2).shape != row && view.input(2).shape != flat) return false;
    d.bias = 2;
  }
  return forward_dense(call, d);
}

bool forward_matmul(DeviceTangentCall& call) {
  const TangentCall& view = call.view();
  const Shape &x = view.input(0).shape, &w = view.input(1).shape;
  if (x.size() < 2 || w.size() != 2) return false;
  Dense d;
  d.k = w[0];
  d.n = w[1];
  d.rows = view.output(0).size() / std::max<int64_t>(1, d.n);
  return forward_dense(call, d);
}

bool forward_conv(DeviceTangentCall& call) {
  const TangentCall& view = call.view();
  if (view.node().attributes.integer("group", 1) != 1 || view.input(1).batched()) return false;
  if (view.input(0).size() >= INT32_MAX || view.output(0).size() >= INT32_MAX) return false;
  const Geometry g(view);
  const int64_t count = view.count(), size = view.output(0).size();
  device::Stream& stream = call.stream();
  const device::Pointer<Real> out = call.out(0);
  const DeviceNumbers patches = stream.take<Real>(g.images * g.positions * g.k);
  if (call.has_in(1)) patch(stream, g, call.input(0).at(), patches);
  for (int64_t c = 0; c < count; ++c) {
    const device::Pointer<Real> to = out + c * size;
    Real beta = 0;
    if (call.has_in(1)) {
      weigh(stream, g, call.in(1).at(c * g.m * g.k), patches, beta, to);
      beta = 1;
    }
    if (!call.has_in(0)) continue;
    const DeviceNumbers own = stream.take<Real>(g.images * g.positions * g.k);
    patch(stream, g, call.in(0).at(c * view.input(0).size()), own);
    weigh(stream, g, call.input(1).at(), own, beta, to);
  }
  if (!call.has_in(0) && !call.has_in(1))
    device::for_rows(stream, count, size, device::Fill<Real>{out, size, 0});
  if (call.has_in(2))
    device::for_rows(
        stream, count * g.images * g.m, g.positions,
        device::AddSpread<Real>{call.in(2).at(), out, g.images * g.m, g.m, g.positions, 1});
  return true;
}

bool forward_sum(DeviceTangentCall& call) {
  const TangentCall& view = call.view();
  const int inputs = static_cast<int>(view.node().inputs.size());
  const Activation& output = view.output(0);
  const int64_t size = output.size(), count = view.count();
  const int64_t samples = output.batched() ? size / output.batch_stride : 1;
  const auto whole = [&](int k) { return view.input(k).shape == output.shape; };
  for (int k = 0; k < inputs; ++k) {
    if (!call.has_in(k) || whole(k)) continue;
    if (view.input(k).batched() || !output.batched() || !broadcast_of(view, samples, k))
      return false;
  }
  device::Stream& stream = call.stream();
  DeviceNumbers sum;
  bool spreads = false;
  for (int k = 0; k < inputs; ++k) {
    if (!call.has_in(k)) continue;
    if (!whole(k)) {
      spreads = true;
    } else if (!sum) {
      sum = call.in(k);
    } else {
      const DeviceNumbers both = stream.take<Real>(count * size);
      device::for_rows(stream, count, size,
                       device::Plus<Real>{sum.at(), call.in(k).at(), both.at(), size});
      sum = both;
    }
  }
  if (!spreads) {
    call.put(0, sum);
    return true;
  }
  const device::Pointer<Real> to = call.out(0);
  if (sum) {
    device::for_rows(stream, count, size, device::Times<Real>{sum.at(), to, size, 1});
  } else {
    device::for_rows(stream, count, size, device::Fill<Real>{to, size, 0});
  }
  for (int k = 0; k < inputs; ++k) {
    if (!call.has_in(k) || whole(k)) continue;
    const Broadcast b = *broadcast_of(view, samples, k);
    const int64_t each = samples * b.outer * b.length;
    device::for_rows(stream, count * each, b.inner,
                     device::AddSpread<Real>{call.in(k).at(), to, each, b.length, b.inner, 1});
  }
  return true;
}

}  // namespace AT_PRECISION
}  // namespace at
