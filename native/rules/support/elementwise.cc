#include "rules/support/elementwise.h"

#include <algorithm>
#include <vector>

namespace at {
inline namespace AT_PRECISION {

namespace {

struct Axis {
  int64_t size;
  int64_t stride;  // in the smaller array; 0: repeated or summed over
};

// Neighbouring axes that are walked alike become one.
std::vector<Axis> merged(const std::vector<Axis>& axes) {
  std::vector<Axis> result;
  for (const Axis& axis : axes) {
    if (axis.size == 1) continue;
    if (!result.empty() && result.back().stride == axis.stride * axis.size) {
      result.back() = {result.back().size * axis.size, axis.stride};
    } else {
      result.push_back(axis);
    }
  }
  if (result.empty()) result.push_back({1, 0});
  return result;
}

// Σ values·d, d null: 1 everywhere.
template <bool selects>
Real sum(const Real* values, const Real* d, int64_t n) {
  constexpr int kLanes = 16;
  Real lanes[kLanes] = {};
  int64_t e = 0;
  if (d) {
    for (; e + kLanes <= n; e += kLanes)
      for (int l = 0; l < kLanes; ++l) lanes[l] += times_as<selects>(d[e + l], values[e + l]);
  } else {
    for (; e + kLanes <= n; e += kLanes)
      for (int l = 0; l < kLanes; ++l) lanes[l] += values[e + l];
  }
  double total = 0;
  for (Real lane : lanes) total += lane;
  for (; e < n; ++e) total += d ? times_as<selects>(d[e], values[e]) : values[e];
  return static_cast<Real>(total);
}

template <bool selects>
void add_up(const Axis* axis, const Axis* end, const Real*& from, const Real*& d, Real* to) {
  if (axis + 1 < end) {
    for (int64_t i = 0; i < axis->size; ++i)
      add_up<selects>(axis + 1, end, from, d, to + i * axis->stride);
    return;
  }
  if (axis->stride == 0) {
    *to += sum<selects>(from, d, axis->size);
  } else if (axis->stride == 1 && d) {
    for (int64_t i = 0; i < axis->size; ++i) to[i] += times_as<selects>(d[i], from[i]);
  } else if (axis->stride == 1) {
    for (int64_t i = 0; i < axis->size; ++i) to[i] += from[i];
  } else {
    for (int64_t i = 0; i < axis->size; ++i)
      to[i * axis->stride] += d ? times_as<selects>(d[i], from[i]) : from[i];
  }
  from += axis->size;
  if (d) d += axis->size;
}

void repeat(const Axis* axis, const Axis* end, const Real* from, Real*& to) {
  if (axis + 1 < end) {
    for (int64_t i = 0; i < axis->size; ++i) repeat(axis + 1, end, from + i * axis->stride, to);
    return;
  }
  if (axis->stride == 0) {
    std::fill(to, to + axis->size, *from);
  } else {
    for (int64_t i = 0; i < axis->size; ++i) to[i] = from[i * axis->stride];
  }
  to += axis->size;
}

// Axes of `shape` with their strides in an array of shape `small` that is broadcast to it.
std::vector<Axis> broadcast_axes(const Shape& shape, const Shape& small) {
  const Shape strides = row_major_strides(small);
  std::vector<Axis> axes;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const size_t lead = shape.size() - small.size();
    const bool has = axis >= lead && small[axis - lead] != 1;
    axes.push_back({shape[axis], has ? strides[axis - lead] : 0});
  }
  return axes;
}

// Puts the sample's own stride where the batch lies.
std::vector<Axis> with_samples(const std::vector<Axis>& axes, int64_t batch_stride, int64_t samples,
                               int64_t stride) {
  std::vector<Axis> result(axes);
  int64_t below = 1;
  for (size_t axis = axes.size(); axis-- > 0; below *= axes[axis].size) {
    if (batch_stride >= below * axes[axis].size || batch_stride % below != 0) continue;
    const int64_t inner = batch_stride / below;
    const int64_t outer = axes[axis].size / (inner * samples);
    const int64_t own = axes[axis].stride;
    result[axis] = {outer, own * inner * samples};
    result.insert(result.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                  {{samples, stride}, {inner, own}});
    return result;
  }
  throw Error("FAILED", "The samples of a value lie nowhere in it");
}

}  // namespace

const Real* broadcast_values(NodeView& call, const Real* values, const Shape& from,
                             const Shape& shape) {
  const int64_t size = element_count(shape);
  if (size == element_count(from)) return values;
  const std::vector<Axis> axes = merged(broadcast_axes(shape, from));
  Real* result = call.scratch(size);
  if (size == 0) return result;
  // Pieces: all places of so many of the first axes, but the last one.
  constexpr int64_t kEnough = 64;
  int64_t pieces = 1;
  size_t cut = 0;
  while (cut + 1 < axes.size() && pieces < kEnough) pieces *= axes[cut++].size;
  const int64_t each = size / pieces;
  parallel_for(pieces, grain_for(each), [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      const Real* start = values;
      for (int64_t a = static_cast<int64_t>(cut) - 1, rest = piece; a >= 0; --a) {
        const Axis& axis = axes[static_cast<size_t>(a)];
        start += rest % axis.size * axis.stride;
        rest /= axis.size;
      }
      Real* to = result + piece * each;
      repeat(axes.data() + cut, axes.data() + axes.size(), start, to);
    }
  });
  return result;
}

Real* sum_to(Call& call, int j, int k, const Shape& as, const Real* g) {
  return sum_to(call, j, k, call.output(j).shape, as, g);
}

Real* sum_to(Call& call, int j, int k, const Shape& view, const Shape& as, const Real* g,
             const Real* d, bool selects) {
  const Activation& out = call.output(j);
  const int64_t samples = call.per_sample(k) ? call.samples() : 1;
  const int64_t size = element_count(as);
  std::vector<Axis> axes = broadcast_axes(view, as);
  if (samples > 1) axes = with_samples(axes, out.batch_stride, samples, size);
  axes = merged(axes);
  const int64_t out_size = out.size(), in_size = size * samples;
  Real* in = call.in(k);
  // The first axis is shared out as well where its pieces do not meet.
  const bool apart = axes[0].stride != 0 && axes.size() > 1;
  const int64_t pieces = apart ? axes[0].size : 1;
  const Axis* first_axis = axes.data() + (apart ? 1 : 0);
  const Axis* end = axes.data() + axes.size();
  const auto add = selects ? add_up<true> : add_up<false>;
  fill_zero(in, call.count() * in_size);
  if (out_size == 0) return in;
  parallel_for(call.count() * pieces, grain_for(out_size / pieces),
               [&](int64_t first, int64_t last) {
                 for (int64_t item = first; item < last; ++item) {
                   const int64_t c = item / pieces, piece = item % pieces;
                   const Real* from = g + c * out_size + piece * (out_size / pieces);
                   const Real* factor = d ? d + piece * (out_size / pieces) : nullptr;
                   add(first_axis, end, from, factor, in + c * in_size + piece * axes[0].stride);
                 }
               });
  return in;
}

bool one_to_one(const Call& call, int j, int k) {
  return !call.per_sample(k) && call.input(k).size() == call.output(j).size();
}

void flow(Call& call, int k, const Real* d, bool last, bool selects) {
  const int64_t size = call.output(0).size();
  const Real* out = call.out(0);
  if (!one_to_one(call, 0, k)) {
    sum_to(call, 0, k, call.output(0).shape, call.input(k).shape, out, d, selects);
    return;
  }
  const bool in_place = last && call.input(k).shape == call.output(0).shape;
  Real* to = in_place ? call.in_place(k) : call.in(k);
  parallel_for(call.count() * size, 1 << 16, [&](int64_t first, int64_t last_item) {
    for (int64_t e = first; e < last_item;) {
      const int64_t from = e % size;
      const int64_t run = std::min(size - from, last_item - e);
      if (selects) {
        for (int64_t r = 0; r < run; ++r) to[e + r] = times_selected(d[from + r], out[e + r]);
      } else {
        for (int64_t r = 0; r < run; ++r) to[e + r] = times(d[from + r], out[e + r]);
      }
      e += run;
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
