// Operators that join or part values along an axis, or copy stretches of them.
#include <algorithm>
#include <cstring>

#include "device/functions/fill.h"
#include "rules/device/broadcasting.h"
#include "rules/device/taps.h"
#include "rules/support/axis_map.h"
#include "rules/support/batch.h"
#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Copies (count·outer) rows of `length` between arrays whose rows are `from_step` and `to_step`
// apart.
void copy_rows(int64_t rows, int64_t length, const Real* from, int64_t from_step, Real* to,
               int64_t to_step) {
  parallel_for(rows, grain_for(length), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      std::memcpy(to + r * to_step, from + r * from_step, sizeof(Real) * length);
  });
}

int64_t axis_of(const Node& node, const Shape& shape, int64_t otherwise) {
  return from_end(node.attributes.integer("axis", otherwise), static_cast<int64_t>(shape.size()));
}

class Concat final : public Rule {
 public:
  void reverse(Call& call) const override {
    const Shape& shape = call.output(0).shape;
    const int64_t axis = axis_of(call.node(), shape, 1);
    const int64_t rows = call.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    int64_t offset = 0;
    for (size_t k = 0; k < call.node().inputs.size(); ++k) {
      const Shape& part = call.input(static_cast<int>(k)).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (call.wants(static_cast<int>(k))) {
        require_plain(call, static_cast<int>(k));
        copy_rows(rows, length, call.out(0) + offset, step, call.in(static_cast<int>(k)), length);
      }
      offset += length;
    }
  }
  void forward(TangentCall& call) const override {
    const Shape& shape = call.output(0).shape;
    const int64_t axis = axis_of(call.node(), shape, 1);
    const int64_t rows = call.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    Real* out = call.out(0);
    int64_t offset = 0;
    for (size_t k = 0; k < call.node().inputs.size(); ++k) {
      const Shape& part = call.input(static_cast<int>(k)).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (const Real* in = call.in(static_cast<int>(k))) {
        copy_rows(rows, length, in, length, out + offset, step);
      } else {
        for (int64_t r = 0; r < rows; ++r)
          std::memset(out + r * step + offset, 0, sizeof(Real) * length);
      }
      offset += length;
    }
  }
};

class Split final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Shape& shape = call.input(0).shape;
    const int64_t axis = axis_of(call.node(), shape, 0);
    const int64_t rows = call.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    Real* in = call.in(0);
    int64_t offset = 0;
    for (size_t j = 0; j < call.node().outputs.size(); ++j) {
      const Shape& part = call.output(static_cast<int>(j)).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (const Real* out = call.out(static_cast<int>(j))) {
        copy_rows(rows, length, out, length, in + offset, step);
      } else {
        for (int64_t r = 0; r < rows; ++r)
          std::memset(in + r * step + offset, 0, sizeof(Real) * length);
      }
      offset += length;
    }
  }
  void forward(TangentCall& call) const override {
    const Shape& shape = call.input(0).shape;
    const int64_t axis = axis_of(call.node(), shape, 0);
    const int64_t rows = call.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    int64_t offset = 0;
    for (size_t j = 0; j < call.node().outputs.size(); ++j) {
      const Shape& part = call.output(static_cast<int>(j)).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (call.wants(static_cast<int>(j)))
        copy_rows(rows, length, call.in(0) + offset, step, call.out(static_cast<int>(j)), length);
      offset += length;
    }
  }
};

AxisMap identity_map(const NodeView& call) {
  AxisMap map{call.input(0).shape, call.output(0).shape, {}};
  map.from.resize(map.in.size());
  return map;
}

// starts, ends, axes and steps are inputs since opset 10, attributes (without steps) before.
AxisMap slice_map(const NodeView& call) {
  const Node& node = call.node();
  const bool inputs = node.opset >= 10;
  const auto list = [&](int k, const char* name) {
    if (!inputs) return node.attributes.integers(name);
    return call.has_input(k) ? integers_of(call.input(k)) : std::vector<int64_t>();
  };
  const auto starts = list(1, "starts");
  const auto axes = list(3, "axes"), steps = list(4, "");
  AxisMap map = identity_map(call);
  const int64_t rank = static_cast<int64_t>(map.in.size());
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t a = axes.empty() ? static_cast<int64_t>(i) : from_end(axes[i], rank);
    const int64_t step = steps.empty() ? 1 : steps[i];
    int64_t start = starts[i] < 0 ? starts[i] + map.in[a] : starts[i];
    start = std::clamp<int64_t>(start, 0, step > 0 ? map.in[a] : map.in[a] - 1);
    map.from[a].clear();
    for (int64_t o = 0; o < map.out[a]; ++o) map.from[a].push_back(start + o * step);
  }
  return map;
}

class Slice final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  Needs needs(const Node& node, const std::vector<bool>&) const override {
    return node.opset < 10 ? Needs{} : Needs{{1, 2, 3, 4}, {}};
  }
  void reverse(Call& call) const override { reverse_copy(call, 0, 0, slice_map(call)); }
  void forward(TangentCall& call) const override { forward_copy(call, 0, 0, slice_map(call)); }
};

AxisMap tile_map(const NodeView& call) {
  AxisMap map = identity_map(call);
  for (size_t a = 0; a < map.in.size(); ++a)
    for (int64_t o = 0; map.out[a] != map.in[a] && o < map.out[a]; ++o)
      map.from[a].push_back(o % map.in[a]);
  return map;
}

class Tile final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  void reverse(Call& call) const override { reverse_copy(call, 0, 0, tile_map(call)); }
  void forward(TangentCall& call) const override { forward_copy(call, 0, 0, tile_map(call)); }
};

class Expand final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  void reverse(Call& call) const override { call.reduce(0, 0, call.out(0)); }
  void forward(TangentCall& call) const override {
    flow_forward(call, call.in(0), call.input(0).shape, call.output(0).shape, nullptr, 1, false,
                 call.out(0));
  }
};

// Rows of 0 … size − 1 beyond both ends, by ONNX's modes.
int64_t padded_source(int64_t i, int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "edge") return i < 0 ? 0 : size - 1;
  if (mode == "wrap") return ((i % size) + size) % size;
  if (mode != "reflect") return -1;
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}

std::string mode_of(const Node& node) { return node.attributes.text("mode", "constant"); }

// pads and the value are inputs since opset 11, attributes before; axes since 18.
AxisMap pad_map(const NodeView& call) {
  const Node& node = call.node();
  AxisMap map = identity_map(call);
  const int64_t rank = static_cast<int64_t>(map.in.size());
  const auto pads = node.opset < 11 ? node.attributes.integers("pads") : integers_of(call.input(1));
  std::vector<int64_t> axes;
  if (node.opset >= 18 && call.has_input(3)) axes = integers_of(call.input(3));
  if (axes.empty())
    for (int64_t a = 0; a < rank; ++a) axes.push_back(a);
  const std::string mode = mode_of(node);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t a = from_end(axes[i], rank);
    if (pads[i] == 0 && pads[axes.size() + i] == 0) continue;
    for (int64_t o = 0; o < map.out[a]; ++o)
      map.from[a].push_back(padded_source(o - pads[i], map.in[a], mode));
  }
  return map;
}

class Pad final : public Rule {
 public:
  bool differentiable(const Node& node, int k) const override {
    return k == 0 || (k == 2 && mode_of(node) == "constant");
  }
  const char* constant_role(const Node&, int k) const override {
    return k == 2 ? "a pad value" : nullptr;
  }
  Needs needs(const Node& node, const std::vector<bool>&) const override {
    return node.opset < 11 ? Needs{} : Needs{{1, 3}, {}};
  }
  void reverse(Call& call) const override {
    const AxisMap map = pad_map(call);
    if (call.wants(0)) reverse_copy(call, 0, 0, map);
    if (!call.wants(2)) return;
    const Shape& shape = call.output(0).shape;
    sum_to(call, 0, 2, shape, call.input(2).shape, call.out(0), outside(call, map), true);
  }
  void forward(TangentCall& call) const override {
    const AxisMap map = pad_map(call);
    Real* copied = call.in(0) ? forward_copy(call, 0, 0, map) : nullptr;
    if (!call.in(2)) return;
    flow_forward(call, call.in(2), call.input(2).shape, call.output(0).shape, outside(call, map), 1,
                 copied != nullptr, copied ? copied : call.out(0), true);
  }

 private:
  // 1 where the output is the pad value, 0 elsewhere.
  static const Real* outside(NodeView& view, const AxisMap& map) {
    const int64_t size = element_count(map.out);
    Real* d = view.scratch(size);
    each_element(size, [&](int64_t e) {
      bool padded = false;
      int64_t rest = e;
      for (size_t a = map.out.size(); a-- > 0; rest /= map.out[a])
        padded = padded || (!map.from[a].empty() && map.from[a][rest % map.out[a]] < 0);
      d[e] = padded ? Real(1.0) : Real(0.0);
    });
    return d;
  }
};

// All of them on a device.
class DeviceConcat final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k)
      if (view.wants(k) && !is_plain(view, k)) return false;
    return is_moderate(view.output(0));
  }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Shape& shape = view.output(0).shape;
    const int64_t axis = axis_of(view.node(), shape, 1);
    const int64_t rows = view.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    int64_t offset = 0;
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k) {
      const Shape& part = view.input(k).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (view.wants(k))
        copy_strided(call.stream(), {rows, length}, {step, 1}, call.out(0).at(offset), {length, 1},
                     call.in(k));
      offset += length;
    }
  }
  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!is_moderate(view.output(0))) return false;
    const Shape& shape = view.output(0).shape;
    const int64_t axis = axis_of(view.node(), shape, 1);
    const int64_t rows = view.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    device::Pointer<Real> out = call.out(0);
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k) {
      const Shape& part = view.input(k).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (call.has_in(k)) {
        copy_strided(call.stream(), {rows, length}, {length, 1}, call.in(k).at(), {step, 1}, out);
      } else {
        device::for_rows(call.stream(), rows, length, device::Fill<Real>{out, step, 0});
      }
      out = out + length;
    }
    return true;
  }
};

class DeviceSplit final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    return is_plain(view, 0) && is_moderate(view.input(0));
  }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Shape& shape = view.input(0).shape;
    const int64_t axis = axis_of(view.node(), shape, 0);
    const int64_t rows = view.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    device::Pointer<Real> in = call.in(0);
    for (int j = 0; j < static_cast<int>(view.node().outputs.size()); ++j) {
      const Shape& part = view.output(j).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (call.out(j)) {
        copy_strided(call.stream(), {rows, length}, {length, 1}, call.out(j).at(), {step, 1}, in);
      } else {
        device::for_rows(call.stream(), rows, length, device::Fill<Real>{in, step, 0});
      }
      in = in + length;
    }
  }
  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!is_moderate(view.input(0))) return false;
    const Shape& shape = view.input(0).shape;
    const int64_t axis = axis_of(view.node(), shape, 0);
    const int64_t rows = view.count() * count_between(shape, 0, axis);
    const int64_t step = count_between(shape, axis, shape.size());
    int64_t offset = 0;
    for (int j = 0; j < static_cast<int>(view.node().outputs.size()); ++j) {
      const Shape& part = view.output(j).shape;
      const int64_t length = count_between(part, axis, part.size());
      if (view.wants(j))
        copy_strided(call.stream(), {rows, length}, {step, 1}, call.in(0).at(offset), {length, 1},
                     call.out(j));
      offset += length;
    }
    return true;
  }
};

// Copies axis by axis.
class DeviceCopy final : public DeviceRule {
 public:
  using Describe = AxisMap (*)(const NodeView& view);
  explicit DeviceCopy(Describe describe) : describe_(describe) {}
  // A pad value is served on the host.
  bool fits(const Call& view) const override { return fits_plain(view) && !view.wants(2); }
  void reverse(DeviceCall& call) const override { copy_back(call, 0, 0, describe_(call.view())); }
  bool forward(DeviceTangentCall& call) const override {
    if (!fits_forward(call.view()) || call.has_in(2)) return false;
    copy_ahead(call, 0, 0, describe_(call.view()));
    return true;
  }

 private:
  Describe describe_;
};

DeviceHalf copying(DeviceCopy::Describe describe) { return std::make_shared<DeviceCopy>(describe); }

const Registration rows[] = {
    {"Concat", std::make_unique<Concat>(), std::make_shared<DeviceConcat>()},
    {"Split", std::make_unique<Split>(), std::make_shared<DeviceSplit>()},
    {"Slice", std::make_unique<Slice>(), copying(slice_map)},
    {"Tile", std::make_unique<Tile>(), copying(tile_map)},
    {"Expand", std::make_unique<Expand>(),
     broadcasting([](auto& call, int k) { flow_constant(call, k, 1); })},
    {"Pad", std::make_unique<Pad>(), copying(pad_map)},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
