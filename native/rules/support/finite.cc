#include "rules/support/finite.h"

#include <atomic>
#include <cstring>
#include <type_traits>

#include "core/parallel.h"

namespace at {
inline namespace AT_PRECISION {

bool all_finite(const Real* values, int64_t count) {
  using Bits = std::conditional_t<sizeof(Real) == sizeof(uint64_t), uint64_t, uint32_t>;
  constexpr Bits kExponent =
      static_cast<Bits>(sizeof(Real) == sizeof(uint64_t) ? 0x7ff0000000000000 : 0x7f800000);
  std::atomic<bool> finite{true};
  parallel_for(count, 1 << 17, [&](int64_t first, int64_t last) {
    if (!finite.load(std::memory_order_relaxed)) return;
    Bits found = 0;
    for (int64_t e = first; e < last; ++e) {
      Bits bits;
      std::memcpy(&bits, values + e, sizeof(bits));
      found |= (bits & kExponent) == kExponent ? 1u : 0u;
    }
    if (found) finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

}  // namespace AT_PRECISION
}  // namespace at
