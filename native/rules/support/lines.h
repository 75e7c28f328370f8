#pragma once

#include <algorithm>

#include "core/parallel.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

// A value seen as (outer, length, inner): lines of `length` elements, `inner` apart.
struct Lines {
  int64_t outer = 1, length = 1, inner = 1;
  Lines(const Shape& shape, int64_t axis, int64_t axes = 1)
      : outer(count_between(shape, 0, axis)),
        length(count_between(shape, axis, axis + axes)),
        inner(count_between(shape, axis + axes, shape.size())) {}
  int64_t size() const { return outer * length * inner; }
};

// body(c, start) for every cotangent c and every slab of `length`·`inner` elements, which begins at
// element `start` of the value.
template <class Body>
void each_slab(int64_t count, const Lines& lines, const Body& body) {
  const int64_t slab = lines.length * lines.inner;
  parallel_for(count * lines.outer, grain_for(slab), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item)
      body(item / lines.outer, item % lines.outer * slab);
  });
}

// Σ f(e) over a contiguous line, in sixteen partial sums.
template <class F>
Real line_sum(int64_t n, const F& f) {
  constexpr int kLanes = 16;
  Real lanes[kLanes] = {};
  int64_t e = 0;
  for (; e + kLanes <= n; e += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += f(e + l);
  Real total = 0;
  for (; e < n; ++e) total += f(e);
  for (Real lane : lanes) total += lane;
  return total;
}

}  // namespace AT_PRECISION
}  // namespace at
