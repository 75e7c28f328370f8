#include "core/blas.h"
#include "device/functions/arrange.h"
#include "rules/device/flow.h"
#include "rules/device/windows.h"
#include "rules/multiplies.h"
#include "rules/support/convolution.h"
#include "rules/support/correlation.h"
#include "rules/support/elementwise.h"
#include "rules/support/finite.h"
#include "rules/support/pack.h"
#include "rules/support/partials.h"
#include "rules/support/quick.h"
#include "rules/support/reached.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// The adjoint of a convolution: every input pixel x (c numbers of a group) puts Wᵀx (k = m·kernel
// numbers) where a convolution's window would lie in the output. W is stored (G·c, m, kernel…).
struct Geometry {
  int64_t groups, images, channels, m, k;
  Windows windows;  // over the output; a position is an input pixel
  explicit Geometry(const NodeView& call)
      : groups(call.node().attributes.integer("group", 1)),
        images(call.input(0).shape[0]),
        channels(call.input(0).shape[1] / groups),
        m(call.input(1).shape[1]),
        k(count_between(call.input(1).shape, 1, call.input(1).shape.size())),
        windows(windows_of(call)) {}

  int64_t positions() const { return windows.out_size(); }

 private:
  static Windows windows_of(const NodeView& call) {
    const Shape in = spatial(call.input(0).shape), out = spatial(call.output(0).shape);
    const Shape kernel = spatial(call.input(1).shape);
    Node node;
    node.name = call.node().name;
    const Attributes& attributes = call.node().attributes;
    const size_t rank = kernel.size();
    const auto strides = attributes.integers("strides", Shape(rank, 1));
    const auto dilations = attributes.integers("dilations", Shape(rank, 1));
    const auto extra = attributes.integers("output_padding", Shape(rank, 0));
    auto pads = attributes.integers("pads", Shape(2 * rank, 0));
    const std::string automatic = attributes.text("auto_pad", "NOTSET");
    // What padding must be for the output to have its shape, where it is not given.
    const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
    if (same || attributes.has("output_shape")) {
      for (size_t a = 0; a < rank; ++a) {
        const int64_t reach =
            (in[a] - 1) * strides[a] + extra[a] + (kernel[a] - 1) * dilations[a] + 1;
        const int64_t total = std::max<int64_t>(0, reach - out[a]);
        pads[a] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
        pads[rank + a] = total - pads[a];
      }
    }
    node.attributes.set("strides", strides);
    node.attributes.set("dilations", dilations);
    node.attributes.set("pads", pads);
    return Windows(node, out, in, kernel);
  }
};

MatrixDims dims_of(const Call& call, const Geometry& g) {
  MatrixDims dims;
  dims.groups = g.groups;
  dims.positions = g.images / call.samples() * g.positions();
  dims.rows = g.k;
  dims.cols = g.channels;
  dims.transposed = true;
  return dims;
}

class ConvTranspose final : public Rule {
 public:
  int factors(const Node&) const override { return 2; }
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return needs_of_product(wanted);
  }

  void reverse(Call& call) const override {
    const Geometry g(call);
    if (call.has_input(2) && call.wants(2)) {
      sum_to(call, 0, 2, bias_shape(call), call.out(0));
    }
    bool sound = false;
    if (call.wants(1)) {
      if (Real* features = multiplied_out(call, 1, dims_of(call, g))) {
        sound = multiply_out(call, g, features);
      } else if (call.per_sample(1)) {
        factor(call, g);
      } else {
        weight(call, g);
      }
    }
    if (!call.wants(0)) return;
    require_plain(call, 0);
    const Real* out = call.out(0);
    const Real* weights = call.input(1).reals();
    Real* in = call.in(0);
    const Correlation correlation{g.groups, g.channels, g.m, g.windows};
    const int64_t planes = call.count() * g.images;
    if (!correlate_quickly(call, correlation, sound, out, planes, weights, in))
      correlate(correlation, out, planes, weights, 1, 0, in);
  }

  void forward(TangentCall& call) const override {
    const Geometry g(call);
    Real* out = call.out(0);
    if (const Real* bias = call.in(2)) {
      flow_forward(call, bias, bias_shape(call), call.output(0).shape, nullptr, 1, false, out);
    } else {
      fill_zero(out, call.count() * call.output(0).size());
    }
    if (const Real* x = call.in(0))
      spread(g, x, call.count() * g.images, call.input(1).reals(), 1, out);
    if (const Real* w = call.in(1))
      spread(g, call.input(0).reals(), g.images, w, call.count(), out);
  }

 private:
  // Where that gains. `sound`: x is known to be finite.
  static bool correlate_quickly(Call& call, const Correlation& g, bool sound, const Real* x,
                                int64_t planes, const Real* weights, Real* to) {
    const QuickWay way = quick_way(g, planes);
    if (way == QuickWay::kNone ||
        only_ones(x, planes * g.groups * g.channels * g.windows.in_size()) ||
        !all_finite(weights, g.groups * g.m * g.k()))
      return false;
    const Reached reached(g, sound, x, planes, call.scratch(Reached::room(g, planes)));
    if (!reached.finite()) return false;
    correlate_quick(way, g, x, planes, weights, to, call.scratch(quick_room(way, g)));
    reached.clear(to);
    return true;
  }

  // out (kernels, images, G·m, out…) += what x (images, G·c, in…) puts there by each of the weights
  // w (kernels, G·c, m, kernel…).
  static void spread(const Geometry& g, const Real* x, int64_t images, const Real* w,
                     int64_t kernels, Real* out) {
    const int64_t positions = g.positions(), blocks = images * g.groups;
    const int64_t plane = g.m * g.windows.in_size();
    parallel_for(kernels * blocks, grain_for(positions * g.k), [&](int64_t first, int64_t last) {
      Real* cols = lane_buffer<0>(g.k * positions);
      for (int64_t item = first; item < last; ++item) {
        const int64_t block = item % blocks, group = item % g.groups;
        const Real* weight = w + (item / blocks * g.groups + group) * g.channels * g.k;
        blas::gemm(true, false, g.k, positions, g.channels, Real(1.0), weight, g.k,
                   x + block * g.channels * positions, positions, Real(0.0), cols, positions);
        col2im(g.windows, g.m, cols, positions, 0, g.windows.rows(), out + item * plane);
      }
    });
  }

  // The weight's features (n, C, G·c, k) themselves. True where that showed that the cotangents are
  // finite.
  static bool multiply_out(Call& call, const Geometry& g, Real* features) {
    const int64_t count = call.count(), samples = call.samples(), G = g.groups;
    const int64_t plane = g.m * g.windows.in_size(), block = g.channels * g.positions();
    const Correlation correlation{G, g.channels, g.m, g.windows};
    const auto images = images_by_sample(call.output(0), g.images, samples);
    const int64_t items = samples * count * G;
    const auto own_images = [&](int64_t icg) {
      const int64_t i = icg / (count * G), c = icg / G % count, group = icg % G;
      std::vector<PatchProduct::Image> own;
      for (int64_t b : images[static_cast<size_t>(i)])
        own.push_back({call.input(0).reals() + (b * G + group) * block,
                       call.out(0) + ((c * g.images + b) * G + group) * plane});
      return own;
    };
    const PatchBlocks blocks(correlation, 1, items);
    const PatchProduct product(correlation, 1, 0);
    const int64_t each = g.images / samples;
    const QuickWay way = quick_product_way(correlation, each);
    const auto multiply = [&] {
      Real* room = call.scratch(quick_product_room(way, correlation, each, 1));
      for (int64_t icg = 0; icg < items; ++icg) {
        call.control().poll();
        multiply_quick(way, correlation,
                       {own_images(icg), 1, 0, features + icg * g.channels * g.k, 0}, room);
      }
    };
    const int64_t cotangents = count * g.images * G * plane;
    if (way != QuickWay::kNone && !only_ones(call.out(0), cotangents) &&
        finitely(multiply, call.out(0), cotangents, features, items * g.channels * g.k))
      return true;
    parallel_for(items * blocks.slices, 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        call.control().poll();
        const int64_t icg = item / blocks.slices, q0 = item % blocks.slices * blocks.channels;
        product.run(own_images(icg), q0, std::min(g.m, q0 + blocks.channels),
                    features + icg * g.channels * g.k + q0 * g.windows.kernel_size(), g.k);
      }
    });
    return false;
  }

  // W (c × k) of a group has X[i,c] = Σ_t x_t ⊗ patch_t: the patches carry the cotangents.
  static void factor(Call& call, const Geometry& g) {
    const int64_t count = call.count(), samples = call.samples(), positions = g.positions();
    const Activation& out = call.output(0);
    const int64_t plane = g.m * g.windows.in_size(), blocks = g.images * g.groups;
    const Places places = place_rows(
        blocks, g.groups, samples, [&](int64_t r) { return r % g.groups; },
        [&](int64_t r) { return sample_of(out, r * plane, samples); });
    const MatrixFactor factor = call.matrix(1, dims_of(call, g));
    const Real* from = call.out(0);
    parallel_for(count * blocks, grain_for(positions * g.k), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / blocks, slot = places.slot[item % blocks];
        im2row(g.windows, g.m, from + item * plane,
               factor.delta + (slot * positions * count + c) * g.k, count * g.k);
      }
    });
    const Real* x = call.input(0).reals();
    for (int64_t b = 0; b < blocks; ++b)
      transpose_block(x + b * g.channels * positions, g.channels, positions, positions,
                      factor.h + places.slot[b] * positions * g.channels, g.channels);
  }

  static void weight(Call& call, const Geometry& g) {
    const Real* out = call.out(0);
    const Real* x = call.input(0).reals();
    Real* in = call.in(1);
    const int64_t positions = g.positions(), plane = g.m * g.windows.in_size();
    parallel_for(call.count() * g.groups, 1, [&](int64_t first, int64_t last) {
      std::vector<Real> patches(static_cast<size_t>(positions * g.k));
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / g.groups, group = item % g.groups;
        for (int64_t b = 0; b < g.images; ++b) {
          im2row(g.windows, g.m, out + ((c * g.images + b) * g.groups + group) * plane,
                 patches.data(), g.k);
          blas::gemm(false, false, g.channels, g.k, positions, Real(1.0),
                     x + (b * g.groups + group) * g.channels * positions, positions, patches.data(),
                     g.k, b ? Real(1.0) : Real(0.0), in + item * g.channels * g.k, g.k);
        }
      }
    });
  }
};

// The same on a device.
class DeviceConvTranspose final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    if (!is_moderate_convolution(view)) return false;
    const Activation& out = view.output(0);
    if (view.wants(0) && !is_plain(view, 0)) return false;
    if (view.has_input(2) && view.wants(2) && !can_flow(view, 0, 2, out.shape, bias_shape(view)))
      return false;
    return !view.wants(1) ||
           (view.per_sample(1) && out.batch_stride * view.samples() == out.size() &&
            out.shape[0] == view.samples());
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Geometry g(view);
    if (view.has_input(2) && view.wants(2))
      flow(call, 2, view.output(0).shape, bias_shape(view), device::Constant<Real>{1}, {});
    if (!view.wants(0) && !view.wants(1)) return;
    // Patches of the cotangents, (C, n, G, T, k).
    const int64_t rows = view.count() * g.images * g.groups * g.positions();
    const DeviceNumbers patches = call.stream().take<Real>(rows * g.k);
    device::for_rows(call.stream(), rows, g.k,
                     device::Patches<Real>{call.out(0).at(), patches.at(), g.m, g.positions(),
                                           g.windows.in_size(), g.k, window_shape(g.windows)});
    if (view.wants(0)) input(call, g, patches);
    if (view.wants(1)) factor(call, g, patches);
  }

  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!is_moderate_convolution(view)) return false;
    const Geometry g(view);
    const int64_t count = view.count(), blocks = count * g.images * g.groups;
    if (call.has_in(0) || call.has_in(1)) {
      // What every pixel puts down, (D, n, G, T, k).
      const DeviceNumbers patches = call.stream().take<Real>(blocks * g.positions() * g.k);
      if (call.has_in(0)) put_down(call, g, call.in(0), call.input(1), patches, 1, false);
      if (call.has_in(1))
        put_down(call, g, call.input(0), call.in(1), patches, count, call.has_in(0));
      device::for_rows(
          call.stream(), blocks * g.m, g.windows.in_size(),
          device::SumPatches<Real>{patches.at(), call.out(0), 1, blocks, g.m, g.positions(),
                                   g.windows.in_size(), g.k, window_shape(g.windows)});
    }
    if (call.has_in(2))
      flow(call, 2, view.output(0).shape, bias_shape(view), device::Constant<Real>{1}, {});
    return true;
  }

 private:
  // to (D, n, G, T, k) = xᵀ·W: of one weight for all tangents of x, or of `kernels` weights.
  static void put_down(DeviceTangentCall& call, const Geometry& g, const DeviceNumbers& x,
                       const DeviceNumbers& weights, const DeviceNumbers& to, int64_t kernels,
                       bool adds) {
    const int64_t T = g.positions(), c = g.channels;
    device::Product<Real> p;
    p.trans_a = true;
    p.m = p.lda = T, p.n = p.ldb = p.ldc = g.k, p.k = c;
    p.beta = adds ? 1 : 0;
    p.batch = call.view().count() / kernels * g.images;
    p.step_a = g.groups * c * T;
    p.step_c = g.groups * T * g.k;
    for (int64_t item = 0; item < kernels * g.groups; ++item) {
      const int64_t group = item % g.groups, kernel = item / g.groups;
      p.a = x.at(group * c * T);
      p.b = weights.at(item * c * g.k);
      p.c = to.at((kernel * g.images * g.groups + group) * T * g.k);
      call.stream().multiply(p);
    }
  }

  static void input(DeviceCall& call, const Geometry& g, const DeviceNumbers& patches) {
    const DeviceNumbers weight = call.input(1);
    const int64_t T = g.positions();
    const device::Pointer<Real> in = call.in(0);
    device::Product<Real> p;
    p.trans_b = true;
    p.m = g.channels;
    p.n = T;
    p.k = g.k;
    p.lda = p.ldb = g.k;
    p.ldc = T;
    p.batch = call.view().count() * g.images;
    p.step_b = g.groups * T * g.k;
    p.step_c = g.groups * g.channels * T;
    for (int64_t group = 0; group < g.groups; ++group) {
      p.a = weight.at(group * g.channels * g.k);
      p.b = patches.at(group * T * g.k);
      p.c = in + group * g.channels * T;
      call.stream().multiply(p);
    }
  }

  static void factor(DeviceCall& call, const Geometry& g, const DeviceNumbers& patches) {
    const Call& view = call.view();
    const int64_t count = view.count(), blocks = g.images * g.groups, T = g.positions();
    DeviceNumbers delta = patches;
    if (count > 1) {
      delta = call.stream().take<Real>(count * blocks * T * g.k);
      device::for_rows(call.stream(), count * blocks * T, g.k,
                       device::SwapAxes<Real>{patches.at(), delta.at(), count, blocks * T, g.k});
    }
    const DeviceNumbers x = call.input(0);
    const DeviceNumbers h = call.stream().take<Real>(blocks * T * g.channels);
    device::for_rows(call.stream(), blocks * T, g.channels,
                     device::ByPosition<Real>{x.at(), h.at(), 1, blocks, g.channels, T});
    call.matrix(1, dims_of(view, g), std::move(delta), h);
  }
};

const Registration conv_transpose("ConvTranspose", std::make_unique<ConvTranspose>(),
                                  std::make_shared<DeviceConvTranspose>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
