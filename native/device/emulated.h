#pragma once

#include <memory>

#include "device/stream.h"

namespace at::device {

// A device that this machine's processor plays: the functions are those that run on a card. The
// host cannot read its memory, which holds NaN when it is taken and when it is given back, and
// nothing runs before the stream is synchronised, so that what forgets to wait, peeks, or reads
// what nobody wrote shows without a card. For tests.
std::shared_ptr<Stream> open_emulated(size_t limit);

}  // namespace at::device
