#pragma once

#include <cstdint>

namespace at {

// to[i] += weight[0]·x[i] + weight[1]·x[i − step] + weight[2]·x[i − 2·step] for i < n; `to` lies
// apart from x.
void add_three_taps(const float* x, int64_t step, const float* weight, int64_t n, float* to);

}  // namespace at
