#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/stream.h"

namespace at::device {

// What a card can do at most, for the cost model; 0 where it is not known.
struct Rates {
  double float32 = 0, float64 = 0;  // FLOP/s of the ordinary units
  double memory = 0;                // bytes/s
};

// A device as it is found, or why it cannot be used.
struct Facts {
  std::string name;  // as open_stream() takes it: cuda:0
  std::string what;  // NVIDIA H200
  size_t memory = 0;
  std::string why_not;  // empty: it can be used
  Rates rates;
};

// The cards, or one entry that says why there are none.
std::vector<Facts> find_cards();
// What the driver says of itself, in words; empty where there is none.
std::string describe_driver();
// "cuda", "cuda:1", "emulated", "counted": a stream on that device; null for "cpu". Of a card's
// memory it may use what is free, of the emulated device's, which is the host's, `limit` bytes.
// Throws Error("NO_DEVICE", why) where there is no such device, or where it cannot be used.
std::shared_ptr<Stream> open_stream(const std::string& device, size_t limit);
// Throws as open_stream() does, and opens nothing.
void check_device(const std::string& device);

}  // namespace at::device
