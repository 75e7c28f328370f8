#pragma once

#include "core/control.h"
#include "kernels/device_block.h"

namespace at::kernels {

// Samples a side of the tiles that a device computes at once: large ones, within its memory.
template <class Number>
int64_t device_step(const device::Stream& stream, int64_t components);

// A tile in a device's memory, `stride` numbers from row to row.
template <class Number>
struct DeviceTile {
  device::Pointer<Number> data;
  int64_t stride = 0;
};

// Adds to a tile what one unit of two blocks gives, whose C are `count_a` and `count_b`.
template <class Number>
void add_on_device(const KernelTask& task, int64_t component, device::Stream& stream,
                   const DeviceUnit<Number>& a, int64_t count_a, const DeviceUnit<Number>& b,
                   int64_t count_b, const Place& place, const DeviceTile<Number>& out,
                   const Control& control);

// out (rows·C × cols·C, on the host) = the part of a tile that the units of a group give which are
// on a device. On a diagonal place what stands above the diagonal is of no account. What is
// returned is on its way there (Stream::bring()).
template <class Number>
device::Buffer<Number> contract_on_device(const KernelTask& task, int group, int64_t component,
                                          const Block<Number>& a, const Block<Number>& b,
                                          const Place& place, Number* out, const Control& control);

}  // namespace at::kernels
