#pragma once

#include <cstdlib>
#include <memory>

#include "device/open.h"
#include "device/stream.h"

namespace at::test {

// A stream of the device that tests run on: AT_TEST_DEVICE names a card, else it is the emulated
// one. A card takes what memory it has free.
inline std::shared_ptr<device::Stream> test_stream(size_t limit = SIZE_MAX) {
  const char* named = std::getenv("AT_TEST_DEVICE");
  return device::open_stream(named ? named : "emulated", limit);
}

}  // namespace at::test
