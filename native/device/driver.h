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
  };
  std::string why_not;  // empty: there is one, and it has cards
  int version = 0;      // of CUDA, 13000 for 13.0; 0: not known
  std::vector<Card> cards;
};
const Driver& driver();

}  // namespace at::device
