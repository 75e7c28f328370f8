// Operators that pick elements by index.
#include <cstring>

#include "rules/support/axis_map.h"
#include "rules/support/batch.h"
#include "rules/support/pack.h"

namespace at {
namespace {

// Output (before…, indices…, after…) of data (before…, axis, after…).
class Gather final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {}}; }

  void reverse(Call& call) const override {
    const Shape& shape = call.input(0).shape;
    if (call.per_sample(0) && axis_of(call) == 0 && shape.size() == 2)
      return rows(call, indices_of(call));
    reverse_copy(call, 0, 0, map_of(call));
  }
  void forward(TangentCall& call) const override { forward_copy(call, 0, 0, map_of(call)); }

 private:
  static int64_t axis_of(const NodeView& view) {
    return from_end(view.node().attributes.integer("axis", 0),
                    static_cast<int64_t>(view.input(0).shape.size()));
  }
  static std::vector<int64_t> indices_of(const NodeView& view) {
    std::vector<int64_t> indices = integers_of(view.input(1));
    for (int64_t& index : indices) index = from_end(index, view.input(0).shape[axis_of(view)]);
    return indices;
  }
  static AxisMap map_of(const NodeView& view) {
    const Shape& shape = view.input(0).shape;
    const int64_t axis = axis_of(view);
    const std::vector<int64_t> indices = indices_of(view);
    const int64_t before = count_between(shape, 0, axis);
    const int64_t after = count_between(shape, axis + 1, shape.size());
    const auto picked = static_cast<int64_t>(indices.size());
    return {{before, shape[axis], after}, {before, picked, after}, {{}, indices, {}}};
  }

  // Rows of an embedding (V × d): factors whose h is one of V for every token.
  static void rows(Call& call, const std::vector<int64_t>& indices) {
    const Shape& shape = call.input(0).shape;
    const auto tokens = static_cast<int64_t>(indices.size());
    const Activation& out = call.output(0);
    const int64_t samples = call.samples();
    const Places places = place_rows(
        tokens, 1, samples, [](int64_t) { return int64_t{0}; },
        [&](int64_t r) { return sample_of(out, r * shape[1], samples); });
    MatrixDims dims;
    dims.positions = places.positions;
    dims.rows = shape[1];
    dims.cols = shape[0];
    dims.transposed = true;
    const MatrixFactor factor = call.matrix(0, dims);
    pack_blocks(call.out(0), call.count(), 1, tokens, shape[1], false, places, factor.delta);
    fill_zero(factor.h, tokens * shape[0]);
    for (int64_t r = 0; r < tokens; ++r) factor.h[places.slot[r] * shape[0] + indices[r]] = 1;
  }
};

const Registration gather("Gather", std::make_unique<Gather>());

}  // namespace
}  // namespace at
