#pragma once

#include <cstdint>

#include "core/real.h"

namespace at {
inline namespace AT_PRECISION {

// to[i] += weight[0]·x[i] + weight[1]·x[i − step] + weight[2]·x[i − 2·step] for i < n; `to` lies
// apart from x.
void add_three_taps(const Real* x, int64_t step, const Real* weight, int64_t n, Real* to);

}  // namespace AT_PRECISION
}  // namespace at
