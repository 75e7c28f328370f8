#pragma once

#include <array>
#include <cstdint>

namespace at::kernels {

// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC11): four words of 32 bits that are a function of a key and a counter, the same for whoever
// asks.
struct Philox {
  uint64_t key = 0;
  uint32_t stream = 0;  // counter words 2 and 3
  uint32_t purpose = 0;

  std::array<uint32_t, 4> operator()(uint64_t index) const {
    uint32_t a = static_cast<uint32_t>(index), b = static_cast<uint32_t>(index >> 32);
    uint32_t c = stream, d = purpose;
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64_t p = uint64_t{0xD2511F53} * a, q = uint64_t{0xCD9E8D57} * c;
      const uint32_t high = static_cast<uint32_t>(p >> 32), other = static_cast<uint32_t>(q >> 32);
      const uint32_t next_a = other ^ b ^ k0, next_c = high ^ d ^ k1;
      b = static_cast<uint32_t>(q);
      d = static_cast<uint32_t>(p);
      a = next_a;
      c = next_c;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return {a, b, c, d};
  }
};

// A word as a whole number below `bound`.
inline int64_t below(uint32_t word, int64_t bound) {
  return static_cast<int64_t>((static_cast<unsigned __int128>(word) * bound) >> 32);
}

}  // namespace at::kernels
