#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace at::device {

// What NVIDIA's driver says; its library is opened when it is first asked, so that nothing needs it
// to be there.
struct Driver {
  struct Card {
    std::string name;
    size_t memory;
    // 0 where the driver does not tell.
    int major = 0, minor = 0;  // compute capability
    int multiprocessors = 0;
    double clock = 0;         // Hz
    double memory_clock = 0;  // Hz; two transfers each
    int memory_bits = 0;      // at once
  };
  std::string why_not;  // empty: there is one, and it has cards
  int version = 0;      // of CUDA, 13000 for 13.0; 0: not known
  std::vector<Card> cards;
};
const Driver& driver();

}  // namespace at::device
