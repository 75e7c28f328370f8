#pragma once

#include <vector>

#include "device/walk.h"
#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

// Numbers of some shape that are broadcast to what they are read for.
struct Operand {
  DeviceNumbers numbers;
  Shape shape;
};

// Can input k's cotangent, seen as `as`, be summed from output j's, seen as `seen`? For fits().
bool can_flow(const Call& view, int j, int k, const Shape& seen, const Shape& as);
// The same of an element-wise operator.
bool can_flow(const Call& view, int k);
// Does every sample of the batch have its own input k, where it has one at all?
inline bool is_plain(const Call& view, int k) { return !view.per_sample(k) || view.samples() == 1; }

// The axes along which input k's cotangent, seen as `as`, is summed from output j's, seen as
// `seen`, with what is read broadcast from `reads`.
device::Walk walk_to(const Call& view, int j, int k, const Shape& seen, const Shape& as,
                     const std::vector<Shape>& reads);

// Writes input k's cotangent: what flows through the derivative `op` of what is read, from `from`
// (count, output j's elements). Serves per_sample(k).
template <class Op>
void flow(DeviceCall& call, int j, int k, const Shape& seen, const Shape& as,
          const DeviceNumbers& from, const Op& op, const std::vector<Operand>& reads,
          bool selects = false) {
  device::Flow<Real, Op> f;
  f.from = from.at();
  std::vector<Shape> shapes;
  for (size_t q = 0; q < reads.size(); ++q) {
    f.read[q] = reads[q].numbers.at();
    shapes.push_back(reads[q].shape);
  }
  f.to = call.in(k);
  f.op = op;
  f.selects = selects;
  walk_to(call.view(), j, k, seen, as, shapes).run(call.stream(), f);
}

// The operands of a node, and its output, as they are broadcast.
inline Operand operand(DeviceNode& call, int k) {
  return {call.input(k), call.view().input(k).shape};
}
inline Operand result(DeviceNode& call) { return {call.output(0), call.view().output(0).shape}; }

// Strides of `shape` broadcast to `to`: 0 where it is repeated.
Shape broadcast_strides(const Shape& shape, const Shape& to);
// Steps of what is read along an axis; `from` and `to` are for the caller to set.
device::Steps read_steps(const std::vector<Shape>& strides, size_t axis);

// to (count, shape…) = what flows from `from` (count, its shape…) through `op` of what is read, all
// broadcast to the shape; `op` itself where `from` has no numbers. `adds`: to what is there.
template <class Op>
void compute(DeviceNode& call, int64_t count, const Shape& shape, const Operand& from, const Op& op,
             const std::vector<Operand>& reads, const device::Pointer<Real>& to,
             bool selects = false, bool adds = false) {
  device::Flow<Real, Op> f;
  std::vector<Shape> strides;
  for (size_t q = 0; q < reads.size(); ++q) {
    f.read[q] = reads[q].numbers.at();
    strides.push_back(broadcast_strides(reads[q].shape, shape));
  }
  Shape source(shape.size(), 0);
  device::Steps first{};
  if (from.numbers) {
    f.from = from.numbers.at();
    source = broadcast_strides(from.shape, shape);
    first[device::kFrom] = element_count(from.shape);
  }
  f.to = to;
  f.op = op;
  f.selects = selects;
  f.adds = adds;
  device::Walk walk;
  first[device::kTo] = element_count(shape);
  walk.keep(count, first);
  const Shape own = row_major_strides(shape);
  for (size_t a = 0; a < shape.size(); ++a) {
    device::Steps steps = read_steps(strides, a);
    steps[device::kFrom] = source[a];
    steps[device::kTo] = own[a];
    walk.keep(shape[a], steps);
  }
  walk.run(call.stream(), f);
}

// sums (count, kept…) = Σ of what flows from `from` (count, shape…), kept being the shape with axes
// of size 1 where it is summed; what is read is broadcast to the shape.
template <class Op>
DeviceNumbers summed(DeviceNode& call, int64_t count, const Shape& shape, const Shape& kept,
                     const DeviceNumbers& from, const Op& op, const std::vector<Operand>& reads,
                     bool selects = false) {
  const DeviceNumbers sums = call.stream().take<Real>(count * element_count(kept));
  device::Flow<Real, Op> f;
  std::vector<Shape> strides;
  for (size_t q = 0; q < reads.size(); ++q) {
    f.read[q] = reads[q].numbers.at();
    strides.push_back(broadcast_strides(reads[q].shape, shape));
  }
  if (from) f.from = from.at();
  f.to = sums.at();
  f.op = op;
  f.selects = selects;
  device::Walk walk;
  device::Steps first{};
  first[device::kFrom] = element_count(shape);
  first[device::kTo] = element_count(kept);
  walk.keep(count, first);
  const Shape own = row_major_strides(shape), to = broadcast_strides(kept, shape);
  for (size_t a = 0; a < shape.size(); ++a) {
    device::Steps steps = read_steps(strides, a);
    steps[device::kFrom] = own[a];
    steps[device::kTo] = to[a];
    kept[a] == shape[a] ? walk.keep(shape[a], steps) : walk.sum(shape[a], steps);
  }
  walk.run(call.stream(), f);
  return sums;
}

// What flows between output 0, seen as `seen`, and input k, seen as `as`: its cotangent, or its
// part of the output's tangent.
template <class Op>
void flow(DeviceCall& call, int k, const Shape& seen, const Shape& as, const Op& op,
          const std::vector<Operand>& reads, bool selects = false) {
  flow(call, 0, k, seen, as, call.out(0), op, reads, selects);
}
template <class Op>
void flow(DeviceTangentCall& call, int k, const Shape& seen, const Shape& as, const Op& op,
          const std::vector<Operand>& reads, bool selects = false) {
  const auto [to, adds] = call.sum(0);
  compute(call, call.view().count(), seen, {call.in(k), as}, op, reads, to, selects, adds);
}
// The same of an element-wise operator.
template <class Either, class Op>
void flow(Either& call, int k, const Op& op, const std::vector<Operand>& reads,
          bool selects = false) {
  flow(call, k, call.view().output(0).shape, call.view().input(k).shape, op, reads, selects);
}
// The same with one derivative everywhere.
void flow_constant(DeviceCall& call, int k, Real value);
void flow_constant(DeviceTangentCall& call, int k, Real value);

// Does anything flow between input k and the outputs?
inline bool flows(const DeviceCall& call, int k) { return call.view().wants(k); }
inline bool flows(const DeviceTangentCall& call, int k) { return call.has_in(k); }

// to = from, axis by axis: index (i_0, i_1, …) of `sizes` lies Σ i_a·steps[a] on.
void copy_strided(device::Stream& stream, const Shape& sizes, const Shape& from_steps,
                  const device::Pointer<const Real>& from, const Shape& to_steps,
                  const device::Pointer<Real>& to);

// May output j be computed from input k forward?
bool fits_forward(const NodeView& view, int j = 0, int k = 0);

// Are there elements, few enough for 32 bits, along few enough axes?
bool is_moderate(const Activation& value);

}  // namespace AT_PRECISION
}  // namespace at
