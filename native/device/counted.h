#pragma once

#include <memory>

#include "device/stream.h"

namespace at::device {

// A device that does nothing but count what it is asked for; what comes down from it is zeros. So
// the work of a call is known that no machine at hand could do. For benchmarks.
std::shared_ptr<Stream> open_counted(size_t limit);

}  // namespace at::device
