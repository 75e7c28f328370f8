#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "device/portable.h"

namespace at::device {

// An address in a device's memory: the host counts with it, and cannot look there.
template <class T>
class Pointer {
 public:
  Pointer() = default;
  explicit Pointer(T* address) : address_(address) {}
  template <class From, class = std::enable_if_t<std::is_convertible_v<From*, T*>>>
  Pointer(const Pointer<From>& other) : address_(other.address()) {}
  T* address() const { return address_; }
  Pointer operator+(int64_t elements) const { return Pointer(address_ + elements); }

 private:
  T* address_ = nullptr;
};

// The emulated device's memory is mapped twice: at `begin`, where nothing may look, and `shift`
// bytes further on, where its functions do. Of no size until that device is first used.
struct EmulatedRange {
  uintptr_t begin = 0;
  size_t bytes = 0;
  uintptr_t shift = 0;
};
extern EmulatedRange emulated_range;

// Where a device's functions find what is at an address. Each makes one of every pointer that it
// reads or writes, when it is made, so that nothing is translated for each element.
template <class T>
class Ref {
 public:
  Ref() = default;
  template <class From, class = std::enable_if_t<std::is_convertible_v<From*, T*>>>
  Ref(const Pointer<From>& from) : at_(visible(from.address())) {}
  AT_PORTABLE T& operator[](int64_t index) const { return at_[index]; }
  AT_PORTABLE T* operator+(int64_t index) const { return at_ + index; }
  AT_PORTABLE T* get() const { return at_; }

 private:
  static T* visible(T* address) {
    const auto number = reinterpret_cast<uintptr_t>(address);
    if (number - emulated_range.begin >= emulated_range.bytes) return address;
    return reinterpret_cast<T*>(number + emulated_range.shift);
  }
  T* at_ = nullptr;
};

}  // namespace at::device
