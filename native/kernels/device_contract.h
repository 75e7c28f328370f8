#pragma once

#include "core/control.h"
#include "kernels/device_block.h"

namespace at::kernels {

// Samples a side of the tiles that a device computes at once: large ones, within its memory.
template <class Number>
int64_t device_step(const device::Stream& stream, int64_t components);

// out (rows·C × cols·C, on the host) = the part of a tile that the units of a group give which are
// on a device. On a diagonal place what stands above the diagonal is of no account.
template <class Number>
void contract_on_device(const KernelTask& task, int group, int64_t component,
                        const Block<Number>& a, const Block<Number>& b, const Place& place,
                        Number* out, const Control& control);

}  // namespace at::kernels
