#include <algorithm>

#include "rules/support/batch.h"
#include "rules/support/permute.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Output axis a is input axis perm[a]; reversed order unless given.
class Transpose final : public Rule {
 public:
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
    const Shape& shape = call.input(0).shape;
    const size_t rank = shape.size();
    const std::vector<int64_t> perm = permutation(call);
    const Shape out_strides = row_major_strides(call.output(0).shape);
    Shape strides(rank);
    for (size_t a = 0; a < rank; ++a) strides[static_cast<size_t>(perm[a])] = out_strides[a];
    gather_strided(call.count(), shape, strides, call.out(0), call.in(0));
  }

  void forward(TangentCall& call) const override {
    const std::vector<int64_t> perm = permutation(call);
    const Shape in_strides = row_major_strides(call.input(0).shape);
    Shape strides;
    for (int64_t axis : perm) strides.push_back(in_strides[static_cast<size_t>(axis)]);
    gather_strided(call.count(), call.output(0).shape, strides, call.in(0), call.out(0));
  }

 private:
  static std::vector<int64_t> permutation(const NodeView& view) {
    std::vector<int64_t> perm = view.node().attributes.integers("perm");
    if (perm.empty())
      for (size_t a = view.input(0).shape.size(); a-- > 0;) perm.push_back(static_cast<int64_t>(a));
    return perm;
  }
};

// Both move blocks between the channels and the two spatial axes: a transposition of six axes.
class DepthSpace final : public Rule {
 public:
  explicit DepthSpace(bool to_space) : to_space_(to_space) {}

  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Axes axes(call, to_space_);
    gather_strided(call.count(), axes.in, axes.out_strides, call.out(0), call.in(0));
  }

  void forward(TangentCall& call) const override {
    const Axes axes(call, to_space_);
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
  // The input's axes in order, split into blocks, and their strides in the output.
  struct Axes {
    Shape in, out_strides;
    Axes(const NodeView& view, bool to_space) {
      const int64_t b = view.node().attributes.integer("blocksize", 1);
      const Shape& shape = view.input(0).shape;
      const bool crd = to_space && view.node().attributes.text("mode", "DCR") == "CRD";
      const Shape& deep = to_space ? shape : view.output(0).shape;
      const int64_t h = deep[2], w = deep[3], c = deep[1] / (b * b), n = shape[0];
      if (to_space) {
        // Input (n, c, b, b, h, w) or (n, b, b, c, h, w), output (n, c, h·b, w·b).
        const int64_t sc = h * b * w * b, sr = w * b, sb = 1, sh = b * w * b, sw = b;
        in = crd ? Shape{n, c, b, b, h, w} : Shape{n, b, b, c, h, w};
        out_strides = crd ? Shape{c * sc, sc, sr, sb, sh, sw} : Shape{c * sc, sr, sb, sc, sh, sw};
      } else {
        // Input (n, c, h, b, w, b), output (n, b, b, c, h, w).
        in = {n, c, h, b, w, b};
        out_strides = {b * b * c * h * w, h * w, w, b * c * h * w, 1, c * h * w};
      }
    }
  };

  bool to_space_;
};

const Registration transpose("Transpose", std::make_unique<Transpose>());
const Registration depth_to_space("DepthToSpace", std::make_unique<DepthSpace>(true));
const Registration space_to_depth("SpaceToDepth", std::make_unique<DepthSpace>(false));

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
