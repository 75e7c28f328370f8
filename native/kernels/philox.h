#pragma once

#include <array>
#include <cstdint>

#include "device/functions/philox.h"

namespace at::kernels {

// The random words of device/functions/philox.h on the host.
struct Philox {
  uint64_t key = 0;
  uint32_t stream = 0;
  uint32_t purpose = 0;

  std::array<uint32_t, 4> operator()(uint64_t index) const {
    const auto four = device::PhiloxKey{key, stream, purpose}.words(index);
    return {four.a, four.b, four.c, four.d};
  }
};

// A word as a whole number below `bound`.
inline int64_t below(uint32_t word, int64_t bound) {
  return static_cast<int64_t>((static_cast<unsigned __int128>(word) * bound) >> 32);
}

}  // namespace at::kernels
