#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "core/control.h"
#include "kernels/block.h"

namespace at::kernels {

// sum (rows of a × rows of b; samples·C rows each, C = 1 but for the full kernel) += the part of
// the kernel that the lazy units of one group give: their features are expanded a slice of columns
// at a time, each multiplied while it is in the cache, so that they never stand in memory whole.
// With `same` a and b are one block, and only the lower triangle is touched. Uses the threads of
// the surrounding arena.
template <class Number>
void contract_slices(const KernelTask& task, int group, int64_t component, const Block<Number>& a,
                     const Block<Number>& b, bool same, Number* sum, Pool& pool,
                     const Control& control);

}  // namespace at::kernels
