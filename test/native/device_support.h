#pragma once

#include "device/stream.h"
#include "support.h"

namespace at::test {

// Numbers on their way to a device and back. What is sent must stay until the stream is waited for.
template <class T>
device::Buffer<T> sent(device::Stream& stream, const std::vector<T>& numbers) {
  auto buffer = stream.take<T>(static_cast<int64_t>(numbers.size()));
  stream.upload(buffer.at(), numbers.data(), static_cast<int64_t>(numbers.size()));
  return buffer;
}

template <class T>
std::vector<T> fetched(device::Stream& stream, const device::Buffer<T>& buffer) {
  std::vector<T> numbers(static_cast<size_t>(buffer.size()));
  stream.download(numbers.data(), device::Pointer<const T>(buffer.at()), buffer.size());
  stream.synchronise();
  return numbers;
}

template <class T>
std::vector<T> as(const std::vector<double>& numbers) {
  return std::vector<T>(numbers.begin(), numbers.end());
}

}  // namespace at::test
