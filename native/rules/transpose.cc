#include <algorithm>

#include "rules/device/flow.h"
#include "rules/support/batch.h"
#include "rules/support/permute.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// The input's axes, parted where that helps, and their strides in the output.
struct Axes {
  Shape in, out_strides;
};

std::vector<int64_t> permutation(const NodeView& view) {
  std::vector<int64_t> perm = view.node().attributes.integers("perm");
  if (perm.empty())
    for (size_t a = view.input(0).shape.size(); a-- > 0;) perm.push_back(static_cast<int64_t>(a));
  return perm;
}

Axes transposed_axes(const NodeView& view) {
  Axes axes;
  axes.in = view.input(0).shape;
  axes.out_strides.resize(axes.in.size());
  const std::vector<int64_t> perm = permutation(view);
  const Shape strides = row_major_strides(view.output(0).shape);
  for (size_t a = 0; a < perm.size(); ++a)
    axes.out_strides[static_cast<size_t>(perm[a])] = strides[a];
  return axes;
}

// Output axis a is input axis perm[a]; reversed order unless given.
class Transpose final : public Rule {
 public:
  bool sees_one(const Node&) const override { return true; }
  View view(const Node& node, size_t rank) const override {
    if (rank < 2) return View::kNone;
    const std::vector<int64_t> perm = node.attributes.integers("perm");
    if (perm.empty()) return rank == 2 ? View::kMatrixSwapped : View::kNone;
    std::vector<int64_t> swapped(rank);
    for (size_t a = 0; a < rank; ++a) swapped[a] = static_cast<int64_t>(a);
    std::swap(swapped[rank - 1], swapped[rank - 2]);
    return perm == swapped ? View::kMatrixSwapped : View::kNone;
  }
  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Axes axes = transposed_axes(call);
    gather_strided(call.count(), axes.in, axes.out_strides, call.out(0), call.in(0));
  }

  void forward(TangentCall& call) const override {
    const std::vector<int64_t> perm = permutation(call);
    const Shape in_strides = row_major_strides(call.input(0).shape);
    Shape strides;
    for (int64_t axis : perm) strides.push_back(in_strides[static_cast<size_t>(axis)]);
    gather_strided(call.count(), call.output(0).shape, strides, call.in(0), call.out(0));
  }
};

// The axes split into blocks.
Axes block_axes(const NodeView& view, bool to_space) {
  const int64_t b = view.node().attributes.integer("blocksize", 1);
  const Shape& shape = view.input(0).shape;
  const bool crd = to_space && view.node().attributes.text("mode", "DCR") == "CRD";
  const Shape& deep = to_space ? shape : view.output(0).shape;
  const int64_t h = deep[2], w = deep[3], c = deep[1] / (b * b), n = shape[0];
  // Input (n, c, h, b, w, b), output (n, b, b, c, h, w).
  if (!to_space)
    return {{n, c, h, b, w, b}, {b * b * c * h * w, h * w, w, b * c * h * w, 1, c * h * w}};
  // Input (n, c, b, b, h, w) or (n, b, b, c, h, w), output (n, c, h·b, w·b).
  const int64_t sc = h * b * w * b, sr = w * b, sb = 1, sh = b * w * b, sw = b;
  if (crd) return {{n, c, b, b, h, w}, {c * sc, sc, sr, sb, sh, sw}};
  return {{n, b, b, c, h, w}, {c * sc, sr, sb, sc, sh, sw}};
}

// Both move blocks between the channels and the two spatial axes: a transposition of six axes.
class DepthSpace final : public Rule {
 public:
  explicit DepthSpace(bool to_space) : to_space_(to_space) {}

  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Axes axes = block_axes(call, to_space_);
    gather_strided(call.count(), axes.in, axes.out_strides, call.out(0), call.in(0));
  }

  void forward(TangentCall& call) const override {
    const Axes axes = block_axes(call, to_space_);
    // The output's axes in order, with their strides in the input.
    std::vector<size_t> order(axes.in.size());
    for (size_t a = 0; a < order.size(); ++a) order[a] = a;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t p, size_t q) { return axes.out_strides[p] > axes.out_strides[q]; });
    const Shape in_strides = row_major_strides(axes.in);
    Shape shape, strides;
    for (size_t a : order) {
      if (axes.in[a] == 1) continue;
      shape.push_back(axes.in[a]);
      strides.push_back(in_strides[a]);
    }
    gather_strided(call.count(), shape, strides, call.in(0), call.out(0));
  }

 private:
  bool to_space_;
};

// All three on a device.
class DeviceTranspose final : public DeviceRule {
 public:
  using Describe = Axes (*)(const NodeView& view);
  explicit DeviceTranspose(Describe describe) : describe_(describe) {}
  bool fits(const Call& view) const override {
    return is_plain(view, 0) && is_moderate(view.input(0));
  }
  void reverse(DeviceCall& call) const override {
    const Strides s(describe_(call.view()), call.view().count());
    copy_strided(call.stream(), s.sizes, s.out, call.out(0).at(), s.in, call.in(0));
  }
  bool forward(DeviceTangentCall& call) const override {
    if (!fits_forward(call.view())) return false;
    const Strides s(describe_(call.view()), call.view().count());
    copy_strided(call.stream(), s.sizes, s.in, call.in(0).at(), s.out, call.out(0));
    return true;
  }

 private:
  struct Strides {
    Shape sizes, in, out;
    Strides(const Axes& axes, int64_t count)
        : sizes(axes.in), in(row_major_strides(axes.in)), out(axes.out_strides) {
      const int64_t size = element_count(axes.in);
      sizes.insert(sizes.begin(), count);
      in.insert(in.begin(), size);
      out.insert(out.begin(), size);
    }
  };
  Describe describe_;
};

DeviceHalf there(DeviceTranspose::Describe describe) {
  return std::make_shared<DeviceTranspose>(describe);
}

template <bool to_space>
Axes block_axes_of(const NodeView& view) {
  return block_axes(view, to_space);
}

const Registration transpose("Transpose", std::make_unique<Transpose>(), there(transposed_axes));
const Registration depth_to_space("DepthToSpace", std::make_unique<DepthSpace>(true),
                                  there(block_axes_of<true>));
const Registration space_to_depth("SpaceToDepth", std::make_unique<DepthSpace>(false),
                                  there(block_axes_of<false>));

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
