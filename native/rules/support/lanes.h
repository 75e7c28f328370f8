#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/real.h"
#include "device/portable.h"

namespace at {
inline namespace AT_PRECISION {

// As many numbers as fit into a register of 32 bytes, which are computed with side by side.
using Lanes = Real __attribute__((vector_size(32)));
constexpr int kLanes = 32 / static_cast<int>(sizeof(Real));

// count rounded up to whole lanes.
constexpr int64_t rounded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

AT_PORTABLE Lanes load(const Real* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
AT_PORTABLE void store(const Lanes& lanes, Real* to) { std::memcpy(to, &lanes, sizeof lanes); }

// Numbers out of a and b, of which b's count on from a's.
template <int... places>
AT_PORTABLE Lanes choose(const Lanes& a, const Lanes& b) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, places...);
#else
  using Place = std::conditional_t<sizeof(Real) == sizeof(int64_t), int64_t, int32_t>;
  using Mask = Place __attribute__((vector_size(32)));
  return __builtin_shuffle(a, b, Mask{places...});
#endif
}

template <int step, class Low, class High>
AT_PORTABLE void exchange(Lanes* rows, const Low& low, const High& high) {
#pragma GCC unroll 8
  for (int i = 0; i < kLanes; ++i) {
    if (i & step) continue;
    const Lanes a = rows[i], b = rows[i + step];
    rows[i] = low(a, b);
    rows[i + step] = high(a, b);
  }
}

// Rows and lanes change places: kLanes rows.
AT_PORTABLE void turn(Lanes* rows) {
#ifdef AT_DOUBLE
  exchange<2>(rows, choose<0, 1, 4, 5>, choose<2, 3, 6, 7>);
  exchange<1>(rows, choose<0, 4, 2, 6>, choose<1, 5, 3, 7>);
#else
  exchange<4>(rows, choose<0, 1, 2, 3, 8, 9, 10, 11>, choose<4, 5, 6, 7, 12, 13, 14, 15>);
  exchange<2>(rows, choose<0, 1, 8, 9, 4, 5, 12, 13>, choose<2, 3, 10, 11, 6, 7, 14, 15>);
  exchange<1>(rows, choose<0, 8, 2, 10, 4, 12, 6, 14>, choose<1, 9, 3, 11, 5, 13, 7, 15>);
#endif
}

}  // namespace AT_PRECISION
}  // namespace at
