#include "rules/device/flow.h"

#include <stdexcept>

namespace at {
inline namespace AT_PRECISION {

namespace {

// One axis is that of the cotangents, one more may be parted in three.
constexpr size_t kMostShape = static_cast<size_t>(device::kMostAxes) - 2;

// Where the samples lie in a value that is seen in a shape: an axis in parts (outer, samples,
// inner).
struct Split {
  size_t axis;
  int64_t outer, inner;
};

bool find_samples(const Activation& value, const Shape& seen, int64_t samples, Split& split) {
  const int64_t stride = value.batch_stride;
  int64_t below = 1;
  for (size_t a = seen.size(); a-- > 0; below *= seen[a]) {
    if (stride >= below * seen[a] || stride % below != 0) continue;
    split = {a, seen[a] / (stride / below * samples), stride / below};
    return true;
  }
  return false;
}

bool apart(const Call& view, int k) { return view.per_sample(k) && view.samples() > 1; }

}  // namespace

Shape broadcast_strides(const Shape& shape, const Shape& to) {
  const Shape own = row_major_strides(shape);
  const size_t lead = to.size() - shape.size();
  Shape strides(to.size(), 0);
  for (size_t a = lead; a < to.size(); ++a)
    if (shape[a - lead] != 1) strides[a] = own[a - lead];
  return strides;
}

device::Steps read_steps(const std::vector<Shape>& strides, size_t axis) {
  device::Steps steps{};
  for (size_t q = 0; q < strides.size(); ++q) steps[device::kRead + q] = strides[q][axis];
  return steps;
}

bool can_flow(const Call& view, int j, int k, const Shape& seen, const Shape& as) {
  const Activation& out = view.output(j);
  if (!is_moderate(out) || seen.size() > kMostShape || as.size() > seen.size()) return false;
  Split split;
  return !apart(view, k) || find_samples(out, seen, view.samples(), split);
}

bool can_flow(const Call& view, int k) {
  return can_flow(view, 0, k, view.output(0).shape, view.input(k).shape);
}

device::Walk walk_to(const Call& view, int j, int k, const Shape& seen, const Shape& as,
                     const std::vector<Shape>& reads) {
  const Activation& out = view.output(j);
  const int64_t samples = apart(view, k) ? view.samples() : 1, size = element_count(as);
  Split split{seen.size(), 1, 1};
  if (samples > 1 && !find_samples(out, seen, samples, split))
    throw std::logic_error("the samples lie nowhere in a value");
  const Shape own = row_major_strides(seen), to = broadcast_strides(as, seen);
  std::vector<Shape> strides;
  for (const Shape& shape : reads) strides.push_back(broadcast_strides(shape, seen));
  device::Walk walk;
  device::Steps first{};
  first[device::kFrom] = out.size();
  first[device::kTo] = samples * size;
  walk.keep(view.count(), first);
  for (size_t a = 0; a < seen.size(); ++a) {
    device::Steps steps = read_steps(strides, a);
    steps[device::kFrom] = own[a];
    steps[device::kTo] = to[a];
    const auto add = [&](int64_t length, int64_t times) {
      device::Steps scaled = steps;
      for (int64_t& step : scaled) step *= times;
      to[a] != 0 ? walk.keep(length, scaled) : walk.sum(length, scaled);
    };
    if (a != split.axis) {
      add(seen[a], 1);
      continue;
    }
    add(split.outer, samples * split.inner);
    device::Steps each = steps;
    for (int64_t& step : each) step *= split.inner;
    each[device::kTo] = size;
    walk.keep(samples, each);
    add(split.inner, 1);
  }
  return walk;
}

void flow_constant(DeviceCall& call, int k, Real value) {
  const Call& view = call.view();
  if (value == 1 && view.input(k).size() == view.output(0).size() && is_plain(view, k))
    return call.put(k, call.out(0));
  flow(call, k, device::Constant<Real>{value}, {});
}

void flow_constant(DeviceTangentCall& call, int k, Real value) {
  if (value == 1 && call.view().input(k).size() == call.view().output(0).size())
    return call.put(0, call.in(k));
  flow(call, k, device::Constant<Real>{value}, {});
}

bool fits_forward(const NodeView& view, int j, int k) {
  return is_moderate(view.input(k)) && is_moderate(view.output(j));
}

void copy_strided(device::Stream& stream, const Shape& sizes, const Shape& from_steps,
                  const device::Pointer<const Real>& from, const Shape& to_steps,
                  const device::Pointer<Real>& to) {
  device::Flow<Real, device::Constant<Real>> f;
  f.from = from;
  f.to = to;
  f.op = {1};
  device::Walk walk;
  for (size_t a = 0; a < sizes.size(); ++a) {
    device::Steps steps{};
    steps[device::kFrom] = from_steps[a];
    steps[device::kTo] = to_steps[a];
    walk.keep(sizes[a], steps);
  }
  walk.run(stream, f);
}

bool is_moderate(const Activation& value) {
  return value.size() > 0 && value.size() < INT32_MAX && value.shape.size() <= kMostShape;
}

}  // namespace AT_PRECISION
}  // namespace at
