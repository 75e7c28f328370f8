#pragma once

#include "core/real.h"
#include "kernels/block.h"

namespace at {
inline namespace AT_PRECISION {

// What the jobs hand to the kernel engine, in their own precision.
using kernels::KernelTask;
using kernels::KernelType;
using kernels::Method;
using Picks = kernels::Picks<Real>;
using Unit = kernels::Unit<Real>;
using Block = kernels::Block<Real>;

}  // namespace AT_PRECISION
}  // namespace at
