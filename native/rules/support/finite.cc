#include "rules/support/finite.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "core/parallel.h"
#include "core/wider.h"

namespace at {
inline namespace AT_PRECISION {

using Bits = std::conditional_t<sizeof(Real) == sizeof(uint64_t), uint64_t, uint32_t>;

bool all_finite(const Real* values, int64_t count) {
  constexpr Bits kExponent =
      static_cast<Bits>(sizeof(Real) == sizeof(uint64_t) ? 0x7ff0000000000000 : 0x7f800000);
  std::atomic<bool> finite{true};
  parallel_for(count, 1 << 17, [&](int64_t first, int64_t last) {
    if (!finite.load(std::memory_order_relaxed)) return;
    bool found = false;
    wider([&] {
      Bits any = 0;
      for (int64_t e = first; e < last; ++e) {
        Bits bits;
        std::memcpy(&bits, values + e, sizeof(bits));
        any |= (bits & kExponent) == kExponent ? 1u : 0u;
      }
      found = any != 0;
    });
    if (found) finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

// Without their sign, bits are ordered as the numbers are, and infinity and NaN come after all
// others.
Real largest(const Real* values, int64_t count) {
  constexpr Bits kMagnitude = ~Bits{0} >> 1;
  std::atomic<Bits> most{0};
  parallel_for(count, 1 << 17, [&](int64_t first, int64_t last) {
    Bits own = 0;
    wider([&] {
      Bits found = 0;
      for (int64_t e = first; e < last; ++e) {
        Bits bits;
        std::memcpy(&bits, values + e, sizeof(bits));
        found = std::max(found, bits & kMagnitude);
      }
      own = found;
    });
    Bits before = most.load();
    while (own > before && !most.compare_exchange_weak(before, own)) {
    }
  });
  const Bits bits = most.load();
  Real result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

}  // namespace AT_PRECISION
}  // namespace at
