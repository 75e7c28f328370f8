#include "device/copies.h"

#include <cstring>

#include "core/parallel.h"

namespace at::device {

void copy_in_parallel(void* to, const void* from, size_t bytes) {
  parallel_for(static_cast<int64_t>(bytes), 1 << 20, [&](int64_t first, int64_t last) {
    std::memcpy(static_cast<char*>(to) + first, static_cast<const char*>(from) + first,
                static_cast<size_t>(last - first));
  });
}

}  // namespace at::device
