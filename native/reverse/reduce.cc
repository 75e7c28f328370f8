#include "reverse/reduce.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

struct Axis {
  int64_t size;
  int64_t to;  // stride in the result; 0: summed over
};

// Neighbouring axes that are walked alike become one.
std::vector<Axis> merged(const std::vector<Axis>& axes) {
  std::vector<Axis> result;
  for (const Axis& axis : axes) {
    if (axis.size == 1) continue;
    if (!result.empty()) {
      Axis& last = result.back();
      const bool both_summed = last.to == 0 && axis.to == 0;
      if (both_summed || (axis.to != 0 && last.to == axis.to * axis.size)) {
        last = {last.size * axis.size, axis.to};
        continue;
      }
    }
    result.push_back(axis);
  }
  if (result.empty()) result.push_back({1, 0});
  return result;
}

// Sums side by side, or each would wait for the one before it.
double sum(const Real* from, int64_t count) {
  constexpr int kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += from[i + l];
  double total = 0;
  for (double lane : lanes) total += lane;
  for (; i < count; ++i) total += from[i];
  return total;
}

// Walks the source in order; the last axis is a plain loop.
void accumulate(const std::vector<Axis>& axes, size_t depth, const Real*& from, Real* to) {
  const Axis& axis = axes[depth];
  if (depth + 1 < axes.size()) {
    for (int64_t i = 0; i < axis.size; ++i) accumulate(axes, depth + 1, from, to + i * axis.to);
    return;
  }
  if (axis.to == 0) {
    *to += static_cast<Real>(sum(from, axis.size));
  } else if (axis.to == 1) {
    for (int64_t i = 0; i < axis.size; ++i) to[i] += from[i];
  } else {
    for (int64_t i = 0; i < axis.size; ++i) to[i * axis.to] += from[i];
  }
  from += axis.size;
}

}  // namespace

void reduce_broadcast(const Activation& out, const Activation& in, int64_t count, int64_t samples,
                      bool per_sample, const Real* g, Real* result) {
  const size_t rank = out.shape.size();
  const size_t lead = rank - in.shape.size();
  const Shape strides = row_major_strides(in.shape);
  const int64_t in_size = in.size();
  const int64_t out_size = out.size();
  // The axis that holds the batch, split into outer · samples · inner.
  size_t batch_axis = rank;
  int64_t inner = 1;
  per_sample = per_sample && samples > 1;  // one sample: the same array either way
  if (per_sample) {
    int64_t rest = 1;
    for (size_t axis = rank; axis-- > 0;) {
      if (out.batch_stride < rest * out.shape[axis] || axis == 0) {
        batch_axis = axis;
        inner = out.batch_stride / rest;
        break;
      }
      rest *= out.shape[axis];
    }
  }
  std::vector<Axis> axes;
  for (size_t axis = 0; axis < rank; ++axis) {
    if (axis == batch_axis) {
      axes.push_back({out.shape[axis] / (samples * inner), 0});
      axes.push_back({samples, in_size});
      axes.push_back({inner, 0});
      continue;
    }
    const bool summed = axis < lead || (in.shape[axis - lead] == 1 && out.shape[axis] != 1);
    axes.push_back({out.shape[axis], summed ? 0 : strides[axis - lead]});
  }
  axes = merged(axes);
  const int64_t result_size = per_sample ? in_size * samples : in_size;
  // The first axis is shared out as well where its pieces do not meet.
  const bool apart = axes[0].to != 0 && axes.size() > 1;
  const int64_t pieces = apart ? axes[0].size : 1, each = out_size / std::max<int64_t>(1, pieces);
  parallel_for(count * result_size, 1 << 16, [&](int64_t first, int64_t last) {
    std::fill(result + first, result + last, Real(0.0));
  });
  if (out_size == 0) return;
  parallel_for(count * pieces, grain_for(each), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const Real* from = g + item * each;
      Real* to = result + item / pieces * result_size + item % pieces * axes[0].to;
      accumulate(axes, apart ? 1 : 0, from, to);
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
