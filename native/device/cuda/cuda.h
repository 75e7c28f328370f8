#pragma once

#include <memory>
#include <string>

#include "device/stream.h"

namespace at::device::cuda {

// Empty, or why cards cannot be used though the driver has some: it is older than this build needs,
// or a library is missing.
std::string why_not();
// Throws Error("NO_DEVICE") where the card itself cannot be used.
std::shared_ptr<Stream> open(int card);

}  // namespace at::device::cuda
