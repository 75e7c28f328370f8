#pragma once

#include "device/pointer.h"

namespace at::device {

struct FourWords {
  uint32_t a, b, c, d;
  AT_PORTABLE uint32_t operator[](int64_t i) const {
    return i == 0 ? a : i == 1 ? b : i == 2 ? c : d;
  }
};

// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC11): four words of 32 bits that are a function of a key and a counter, the same for whoever
// asks.
struct PhiloxKey {
  uint64_t key = 0;
  uint32_t stream = 0;  // counter words 2 and 3
  uint32_t purpose = 0;

  AT_PORTABLE FourWords words(uint64_t index) const {
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

// to[r·128 + e] = 1 or −1, by bit e of block r: of numbers below `count`.
template <class T>
struct Signs {
  static constexpr int kBytes = sizeof(T);
  static constexpr int64_t kBlock = 128;
  Ref<T> to;
  int64_t count;
  PhiloxKey key;

  struct Row {
    T* to;
    int64_t count;
    FourWords words;
    AT_PORTABLE void operator()(int64_t e) const {
      if (e < count) to[e] = (words[e / 32] >> (e % 32) & 1) != 0 ? T(-1) : T(1);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {to + r * kBlock, count - r * kBlock, key.words(static_cast<uint64_t>(r))};
  }
};

}  // namespace at::device
