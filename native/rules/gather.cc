// Operators that pick elements by index.
#include <cstring>

#include "rules/device/taps.h"
#include "rules/support/axis_map.h"
#include "rules/support/batch.h"
#include "rules/support/pack.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

int64_t axis_of(const NodeView& view) {
  return from_end(view.node().attributes.integer("axis", 0),
                  static_cast<int64_t>(view.input(0).shape.size()));
}
std::vector<int64_t> indices_of(const NodeView& view) {
  std::vector<int64_t> indices = integers_of(view.input(1));
  for (int64_t& index : indices) index = from_end(index, view.input(0).shape[axis_of(view)]);
  return indices;
}
AxisMap map_of(const NodeView& view) {
  const Shape& shape = view.input(0).shape;
  const int64_t axis = axis_of(view);
  const std::vector<int64_t> indices = indices_of(view);
  const int64_t before = count_between(shape, 0, axis);
  const int64_t after = count_between(shape, axis + 1, shape.size());
  const auto picked = static_cast<int64_t>(indices.size());
  return {{before, shape[axis], after}, {before, picked, after}, {{}, indices, {}}};
}

// Output (before…, indices…, after…) of data (before…, axis, after…).
class Gather final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {}}; }

  void reverse(Call& call) const override {
    const AxisMap map = map_of(call);
    if (!call.input(0).batched() && call.output(0).size() > 0) return pick(call, map);
    reverse_copy(call, 0, 0, map);
  }
  void forward(TangentCall& call) const override { forward_copy(call, 0, 0, map_of(call)); }

 private:
  // Rows of an embedding: factors whose h has one 1 for every token, and the tokens tell where. The
  // operand (before, V, after) is seen as a matrix with one column for each number that may be
  // picked.
  static void pick(Call& call, const AxisMap& map) {
    const int64_t before = map.in[0], V = map.in[1], after = map.in[2], picked = map.out[1];
    const bool turned = after == 1 && before > 1;  // columns of before × V
    const int64_t width = turned ? before : after, rows = turned ? picked : before * picked;
    const Activation& out = call.output(0);
    const int64_t samples = call.pass_samples();
    const auto first = [](int64_t) { return int64_t{0}; };
    // In an unbatched node every sample picks the same, from a block of its own.
    const int64_t blocks = out.batched() ? 1 : samples;
    const Places places =
        out.batched()
            ? place_rows(rows, 1, samples, first,
                         [&](int64_t r) { return sample_of(out, turned ? r : r * after, samples); })
            : place_rows(rows * samples, 1, samples, first, [&](int64_t r) { return r / rows; });
    MatrixDims dims;
    dims.positions = places.positions;
    dims.rows = width;
    dims.cols = turned ? V : before * V;
    dims.transposed = !turned;
    dims.picks = true;
    std::vector<int64_t> columns(places.slot.size());
    for (size_t r = 0; r < columns.size(); ++r) {
      const int64_t row = static_cast<int64_t>(r) % rows;
      columns[places.slot[r]] = row / picked * V + map.from[1][row % picked];
    }
    Real* delta = call.picks(0, dims, std::move(columns));
    pack_blocks(call.out(0), call.count() / blocks, blocks, rows, width, turned, places, delta);
  }
};

// On a device; in reverse of activations only.
class DeviceGather final : public DeviceRule {
 public:
  bool fits(const Call& view) const override { return view.input(0).batched() && fits_plain(view); }
  void reverse(DeviceCall& call) const override { copy_back(call, 0, 0, map_of(call.view())); }
  bool forward(DeviceTangentCall& call) const override {
    if (!fits_forward(call.view())) return false;
    copy_ahead(call, 0, 0, map_of(call.view()));
    return true;
  }
};

const Registration gather("Gather", std::make_unique<Gather>(), std::make_shared<DeviceGather>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
