#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"
#include "core/parallel.h"
#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// The sample that element e of a value belongs to.
inline int64_t sample_of(const Activation& value, int64_t e, int64_t samples) {
  return value.batch_stride > 0 ? e / value.batch_stride % samples : 0;
}

// Where an unbatched input of a batched node is not broadcast, the node can only have one sample;
// then (count, n, shape…) is (count, shape…).
inline void require_plain(const Call& call, int k) {
  if (call.per_sample(k) && call.samples() > 1) {
    throw Error("UNSUPPORTED", "Node " + call.node().name + " (" + call.node().op +
                                   ") combines the samples of the batch with input " +
                                   std::to_string(k) + ", which is the same for all of them");
  }
}

// Call::pass that also serves per_sample(k).
inline void pass_order(Call& call, int j, int k) {
  if (!call.per_sample(k)) return call.pass(j, k);
  require_plain(call, k);
  std::memcpy(call.in(k), call.out(j), sizeof(Real) * call.count() * call.input(k).size());
}

// Integers of a small tapped value (axes, shapes, pads), whatever their type.
inline std::vector<int64_t> integers_of(const Activation& value) {
  std::vector<int64_t> result(static_cast<size_t>(value.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    switch (value.type) {
      case DataType::kInt64:
        result[i] = value.int64s()[i];
        break;
      case DataType::kInt32:
        result[i] = static_cast<const int32_t*>(value.data)[i];
        break;
      case DataType::kBool:
        result[i] = value.bools()[i] ? 1 : 0;
        break;
      default:
        result[i] = static_cast<int64_t>(value.reals()[i]);
    }
  }
  return result;
}

// Numbers of a tapped value as floats: its own memory when it holds floats.
inline const Real* floats_of(NodeView& call, const Activation& value) {
  if (value.type == DataType::kFloat) return value.reals();
  const std::vector<int64_t> integers = integers_of(value);
  Real* result = call.scratch(value.size());
  for (size_t i = 0; i < integers.size(); ++i) result[i] = static_cast<Real>(integers[i]);
  return result;
}

// 0 ≤ axis < rank from ONNX's negative axes.
inline int64_t from_end(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

// A buffer of this thread for one piece of parallel work, kept from piece to piece. Pieces that use
// it must not wait for other parallel work inside.
template <int slot>
Real* lane_buffer(int64_t count) {
  static thread_local std::unique_ptr<Memory> buffer;
  const size_t bytes = sizeof(Real) * static_cast<size_t>(std::max<int64_t>(count, 1));
  if (!buffer || buffer->bytes() < bytes) {
    buffer.reset();
    buffer = std::make_unique<Memory>(bytes);
  }
  return static_cast<Real*>(buffer->data());
}

inline void fill_zero(Real* values, int64_t count) {
  parallel_for(count, 1 << 18, [&](int64_t first, int64_t last) {
    std::memset(values + first, 0, sizeof(Real) * (last - first));
  });
}

// What the cotangents of a product's two operands read: each the other one.
inline Needs needs_of_product(const std::vector<bool>& wanted) {
  Needs needs;
  if (wanted[0]) needs.inputs.push_back(1);
  if (wanted[1]) needs.inputs.push_back(0);
  return needs;
}

}  // namespace AT_PRECISION
}  // namespace at
