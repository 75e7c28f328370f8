#pragma once

#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "device/pending.h"
#include "kernels/block.h"

namespace at::kernels {

// Adds the kernel between the samples of two blocks to the results (one per group, whole kernels,
// row-major; see KernelType). What is written to a symmetric kernel is mirrored bit for bit; `same`
// tells that a and b are one block: then half is computed. Uses the threads of the surrounding
// arena. Of blocks on a device the last tile is left to `pending`, where there is one: the results
// are whole when that is settled.
template <class Number>
void contract(const KernelTask& task, const Block<Number>& a, const Block<Number>& b, bool same,
              const std::vector<Number*>& results, Pool& pool, const Control& control,
              device::Pending* pending = nullptr);

// Adds the kernel of a block that holds all samples of a symmetric full or trace kernel to the
// lower triangle of the results. Called for every part of the block as soon as its features are
// known, so that none need be kept; mirror() then completes the results.
template <class Number>
void accumulate(const KernelTask& task, const Block<Number>& part,
                const std::vector<Number*>& results, Pool& pool, const Control& control);

}  // namespace at::kernels
