#pragma once

#include "graph/tape.h"

namespace at {
inline namespace AT_PRECISION {

// Sums g (count, out.shape…) over the axes along which `in` was broadcast to `out`, into
// result (count, in.shape…), or (count, samples, in.shape…) when per_sample.
void reduce_broadcast(const Activation& out, const Activation& in, int64_t count, int64_t samples,
                      bool per_sample, const Real* g, Real* result);

}  // namespace AT_PRECISION
}  // namespace at
