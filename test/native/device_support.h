#pragma once

#include "device/stream.h"
#include "support.h"

namespace at::test {

// Numbers on their way to a device and back.
template <class T>
device::Buffer<T> sent(device::Stream& stream, const std::vector<T>& numbers) {
  return stream.send(numbers);
}

template <class T>
std::vector<T> fetched(device::Stream& stream, const device::Buffer<T>& buffer) {
  return stream.fetch(buffer, buffer.size());
}

template <class T>
std::vector<T> as(const std::vector<double>& numbers) {
  return std::vector<T>(numbers.begin(), numbers.end());
}

}  // namespace at::test
