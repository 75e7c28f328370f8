#include "rules/support/batch.h"
#include "rules/support/permute.h"

namespace at {
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
    std::vector<int64_t> perm = call.node().attributes.integers("perm");
    if (perm.empty())
      for (size_t a = rank; a-- > 0;) perm.push_back(static_cast<int64_t>(a));
    const Shape out_strides = row_major_strides(call.output(0).shape);
    Shape strides(rank);
    for (size_t a = 0; a < rank; ++a) strides[static_cast<size_t>(perm[a])] = out_strides[a];
    gather_strided(call.count(), shape, strides, call.out(0), call.in(0));
  }
};

// Both move blocks between the channels and the two spatial axes: a transposition of six axes.
class DepthSpace final : public Rule {
 public:
  explicit DepthSpace(bool to_space) : to_space_(to_space) {}

  void reverse(Call& call) const override {
    require_plain(call, 0);
    const int64_t b = call.node().attributes.integer("blocksize", 1);
    const Shape& in = call.input(0).shape;
    // The input's axes as (batch, c, row block, column block, h, w) where it holds depth.
    const bool crd = to_space_ && call.node().attributes.text("mode", "DCR") == "CRD";
    const Shape& deep = to_space_ ? in : call.output(0).shape;
    const int64_t h = deep[2], w = deep[3], c = deep[1] / (b * b);
    Shape shape, strides;  // of the input's axes in order; strides in the output
    if (to_space_) {
      // Output (batch, c, h·b, w·b).
      const int64_t sc = h * b * w * b, sr = w * b, sb = 1, sh = b * w * b, sw = b;
      shape = crd ? Shape{in[0], c, b, b, h, w} : Shape{in[0], b, b, c, h, w};
      strides = crd ? Shape{c * sc, sc, sr, sb, sh, sw} : Shape{c * sc, sr, sb, sc, sh, sw};
    } else {
      // Input (batch, c, h, b, w, b), output (batch, b, b, c, h, w).
      shape = {in[0], c, h, b, w, b};
      strides = {b * b * c * h * w, h * w, w, b * c * h * w, 1, c * h * w};
    }
    gather_strided(call.count(), shape, strides, call.out(0), call.in(0));
  }

 private:
  bool to_space_;
};

const Registration transpose("Transpose", std::make_unique<Transpose>());
const Registration depth_to_space("DepthToSpace", std::make_unique<DepthSpace>(true));
const Registration space_to_depth("SpaceToDepth", std::make_unique<DepthSpace>(false));

}  // namespace
}  // namespace at
