#pragma once

#include <vector>

#include "contraction/block.h"
#include "contraction/cost.h"
#include "core/buffer.h"
#include "core/control.h"

namespace at {
inline namespace AT_PRECISION {

// Adds the kernel between the samples of two blocks to the results (one per group):
// (N1,O,N2,O), (N1,N2) or (N1,N2,O), row-major, whole kernels. With `mirror` (symmetric kernels)
// what is written is mirrored bit for bit; `same` tells that a and b are one block: then half is
// computed. Uses the threads of the surrounding arena.
void contract(const KernelTask& task, const Block& a, const Block& b, bool same,
              const std::vector<Real*>& results, Pool& pool, const Control& control);

// Adds the kernel of a block that holds all samples of a symmetric full or trace kernel to the
// lower triangle of the results. Called for every part of the block as soon as its features are
// known, so that none need be kept; mirror() then completes the results.
void accumulate(const KernelTask& task, const Block& part, const std::vector<Real*>& results,
                Pool& pool, const Control& control);
void mirror(const KernelTask& task, const std::vector<Real*>& results);

}  // namespace AT_PRECISION
}  // namespace at
