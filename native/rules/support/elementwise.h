#pragma once

#include <algorithm>

#include "core/parallel.h"
#include "rules/rule.h"
#include "rules/support/batch.h"
#include "rules/support/times.h"

namespace at {
inline namespace AT_PRECISION {

// in[c, e] = d(e)·out[c, e], as times.h has it. fill(first, n, d) writes n derivatives from element
// `first` on; it is asked once per block of elements and a few dozen cotangents, so it may be
// expensive. in may be out.
template <bool selects = false, class Fill>
void scale_elements(int64_t count, int64_t size, const Real* out, Real* in, const Fill& fill) {
  constexpr int64_t kBlock = 2048, kCotangents = 32;
  const int64_t blocks = (size + kBlock - 1) / kBlock;
  const int64_t groups = (count + kCotangents - 1) / kCotangents;
  const int64_t work = std::min(size, kBlock) * std::min(count, kCotangents);
  parallel_for(blocks * groups, grain_for(work), [&](int64_t first, int64_t last) {
    alignas(64) Real d[kBlock];
    for (int64_t item = first; item < last; ++item) {
      const int64_t from = item / groups * kBlock;
      const int64_t n = std::min(kBlock, size - from);
      fill(from, n, d);
      const int64_t c0 = item % groups * kCotangents;
      for (int64_t c = c0; c < std::min(count, c0 + kCotangents); ++c) {
        const Real* g = out + c * size + from;
        Real* to = in + c * size + from;
        for (int64_t e = 0; e < n; ++e) to[e] = times_as<selects>(d[e], g[e]);
      }
    }
  });
}

// result[e] = f(e) for every element.
template <class F>
void each_element(int64_t size, const F& f) {
  parallel_for(size, 1 << 14, [&](int64_t first, int64_t last) {
    for (int64_t e = first; e < last; ++e) f(e);
  });
}

// `from` repeated to `shape` by NumPy broadcasting; `values` themselves if that changes nothing.
const Real* broadcast_values(NodeView& call, const Real* values, const Shape& from,
                             const Shape& shape);

// Sums g (count, output j's shape…) into call.in(k) as if input k had the shape `as` (as many
// elements, broadcastable to output j's shape). Serves per_sample(k). Returns call.in(k).
Real* sum_to(Call& call, int j, int k, const Shape& as, const Real* g);
// The same with output j seen in another shape that has its elements in order, and every element of
// it times d (view), unless that is null; `selects`: as times_selected.
Real* sum_to(Call& call, int j, int k, const Shape& view, const Shape& as, const Real* g,
             const Real* d = nullptr, bool selects = false);

// Does input k have all the elements of output j, i.e. is its cotangent not a sum?
bool one_to_one(const Call& call, int j, int k);

// Cotangent of input k of a broadcasting element-wise operator with ∂y/∂input = d, (output's
// shape); `last` tells that out(0) is not read again.
void flow(Call& call, int k, const Real* d, bool last, bool selects);

}  // namespace AT_PRECISION
}  // namespace at
