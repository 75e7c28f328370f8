#pragma once

#include <memory>
#include <vector>

#include "device/stream.h"
#include "kernels/block.h"

namespace at::kernels {

// A Unit whose numbers are in a device's memory.
template <class Number>
struct DeviceUnit {
  int group = 0;
  Method method = Method::kJacobian;
  device::Buffer<Number> x;  // (n, C, size)
  int64_t size = 0;
  device::Buffer<Number> delta;  // (n, T, C, m)
  device::Buffer<Number> h;      // (n, T, k)
  int64_t positions = 1;         // T
  int64_t rows = 1;              // m
  int64_t cols = 1;              // k
  // Instead of h: where its single 1 is, (n, T).
  device::Buffer<int64_t> columns;
  // Where T = 1 and both sides are one: inner products of the δ (n·C, n·C) or of the h (n, n) that
  // are known already, to which those of the factors above are added.
  device::Pointer<const Number> known_delta, known_h;
};

template <class Number>
struct DeviceBlock {
  std::shared_ptr<device::Stream> stream;
  std::vector<DeviceUnit<Number>> units;
  int64_t bytes() const {
    int64_t sum = 0;
    for (const auto& unit : units) sum += unit.x.bytes() + unit.delta.bytes() + unit.h.bytes();
    return sum;
  }
};

// Moves a block's features to the device, to join `there`; those of picked rows, for which it has
// no functions, stay where they are.
template <class Number>
void move_to(const std::shared_ptr<device::Stream>& stream, Block<Number>& block,
             std::vector<DeviceUnit<Number>> there = {});

// The samples of a block with `count` cotangents from `first` on, as samples of their own.
template <class Number>
std::shared_ptr<const DeviceBlock<Number>> some(const DeviceBlock<Number>& all, int64_t count,
                                                int64_t first);

}  // namespace at::kernels
