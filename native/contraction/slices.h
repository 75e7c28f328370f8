#pragma once

#include <cstdint>

#include "contraction/block.h"
#include "contraction/cost.h"
#include "core/buffer.h"
#include "core/control.h"

namespace at {
inline namespace AT_PRECISION {

// Whether the features of a unit are expanded only while they are multiplied.
bool is_lazy(const Unit& unit);

// sum (rows of a × rows of b; samples·C rows each, C = 1 but for the full kernel) += the part of
// the kernel that the lazy units of one group give: their features are expanded a slice of columns
// at a time, each multiplied while it is in the cache, so that they never stand in memory whole.
// With `same` a and b are one block, and only the lower triangle is touched. Uses the threads of
// the surrounding arena.
void contract_slices(const KernelTask& task, int group, int64_t component, const Block& a,
                     const Block& b, bool same, Real* sum, Pool& pool, const Control& control);

}  // namespace AT_PRECISION
}  // namespace at
