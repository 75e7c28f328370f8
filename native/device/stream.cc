#include "device/stream.h"

#include <algorithm>

#include "core/buffer.h"

namespace at::device {

std::shared_ptr<void> Stream::memory(int64_t count) {
  // As the devices' allocators align.
  constexpr size_t kUnit = 256;
  const size_t bytes = (static_cast<size_t>(count) + kUnit - 1) / kUnit * kUnit;
  if (bytes > limit_ || live_ > limit_ - bytes) throw OverBudget(live_ + bytes, limit_);
  void* made = allocate(bytes);
  live_ += bytes;
  counts_.most_bytes = std::max(counts_.most_bytes, static_cast<int64_t>(live_));
  return std::shared_ptr<void>(made, [stream = shared_from_this(), bytes](void* memory) {
    stream->live_ -= bytes;
    stream->release(memory, bytes);
  });
}

}  // namespace at::device
