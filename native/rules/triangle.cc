// Running sums and triangles.
#include "device/functions/lines.h"
#include "rules/device/taps.h"
#include "rules/support/lines.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Running sums along an axis: in reverse, running sums from the other end.
class CumSum final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {}}; }
  void reverse(Call& call) const override {
    require_plain(call, 0);
    run(call, true, call.count(), call.out(0), call.in(0));
  }
  void forward(TangentCall& call) const override {
    run(call, false, call.count(), call.in(0), call.out(0));
  }

 private:
  static void run(const NodeView& view, bool reversed, int64_t count, const Real* from,
                  Real* into) {
    const Shape& shape = view.output(0).shape;
    const Lines lines(
        shape, from_end(integers_of(view.input(1)).at(0), static_cast<int64_t>(shape.size())));
    const Attributes& attributes = view.node().attributes;
    const bool exclusive = attributes.integer("exclusive", 0) != 0;
    const bool from_last = (attributes.integer("reverse", 0) != 0) != reversed;
    const int64_t size = lines.size();
    each_slab(count, lines, [&](int64_t c, int64_t start) {
      const int64_t inner = lines.inner;
      const Real* before = nullptr;  // the last line that was written
      for (int64_t l = 0; l < lines.length; ++l) {
        const int64_t at = c * size + start + (from_last ? lines.length - 1 - l : l) * inner;
        // What is added to the line before: this element, or when exclusive the one before it.
        const int64_t source = !exclusive ? at : from_last ? at + inner : at - inner;
        const Real* g = from + source;
        Real* to = into + at;
        if (exclusive && l == 0) {
          std::fill(to, to + inner, Real(0.0));
        } else if (!before) {
          std::copy(g, g + inner, to);
        } else {
          for (int64_t i = 0; i < inner; ++i) to[i] = before[i] + g[i];
        }
        before = to;
      }
    });
  }
};

// The upper or lower triangle of the last two axes; the rest is 0.
class Trilu final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {}}; }
  void reverse(Call& call) const override {
    require_plain(call, 0);
    mask(call, call.count(), call.out(0), call.in_place(0));
  }
  void forward(TangentCall& call) const override {
    mask(call, call.count(), call.in(0), call.out_in_place(0));
  }

 private:
  static void mask(const NodeView& view, int64_t count, const Real* from, Real* to) {
    const bool upper = view.node().attributes.integer("upper", 1) != 0;
    const int64_t k = view.has_input(1) ? integers_of(view.input(1)).at(0) : 0;
    const Shape& shape = view.output(0).shape;
    const int64_t rows = shape[shape.size() - 2], columns = shape.back();
    const int64_t total = count * view.output(0).size() / std::max<int64_t>(1, columns);
    parallel_for(total, grain_for(columns), [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const int64_t edge = r % rows + k;  // columns from here on are in the upper triangle
        for (int64_t q = 0; q < columns; ++q) {
          const bool kept = upper ? q >= edge : q <= edge;
          to[r * columns + q] = kept ? from[r * columns + q] : Real(0.0);
        }
      }
    });
  }
};

// Both on a device.
class DeviceCumSum final : public OneInput {
 protected:
  void run(DeviceNode& call, bool reversed, int64_t count, const DeviceNumbers& from,
           const device::Pointer<Real>& to) const override {
    const NodeView& view = call.view();
    const Shape& shape = view.output(0).shape;
    const Lines lines(
        shape, from_end(integers_of(view.input(1)).at(0), static_cast<int64_t>(shape.size())));
    const Attributes& attributes = view.node().attributes;
    const bool from_last = (attributes.integer("reverse", 0) != 0) != reversed;
    device::for_rows(call.stream(), count * lines.outer, lines.inner,
                     device::RunAlong<Real>{from.at(), to, lines.length, lines.inner, from_last,
                                            attributes.integer("exclusive", 0) != 0});
  }
};

class DeviceTrilu final : public OneInput {
 protected:
  // The same in both directions.
  void run(DeviceNode& call, bool, int64_t count, const DeviceNumbers& from,
           const device::Pointer<Real>& to) const override {
    const NodeView& view = call.view();
    const bool upper = view.node().attributes.integer("upper", 1) != 0;
    const int64_t k = view.has_input(1) ? integers_of(view.input(1)).at(0) : 0;
    const Shape& shape = view.output(0).shape;
    const int64_t rows = shape[shape.size() - 2], columns = shape.back();
    std::vector<TapList::Tap> taps;
    for (int64_t e = 0; e < rows * columns; ++e) {
      const int64_t edge = e / columns + k, q = e % columns;
      if (upper ? q >= edge : q <= edge) taps.push_back({e, e, 1});
    }
    TapList(true, rows * columns, rows * columns, taps)
        .apply(call, count * count_between(shape, 0, shape.size() - 2), 1, from.at(), to);
  }
};

const Registration cum_sum("CumSum", std::make_unique<CumSum>(), std::make_shared<DeviceCumSum>());
const Registration trilu("Trilu", std::make_unique<Trilu>(), std::make_shared<DeviceTrilu>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
