#include "rules/support/taps.h"

// Where the linker can choose at load time, the loop is compiled once more for wider registers. It
// multiplies and adds apart in both, so the numbers are the same.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define AT_WIDER __attribute__((target_clones("avx2", "default")))
#else
#define AT_WIDER
#endif

namespace at {
inline namespace AT_PRECISION {

AT_WIDER void add_three_taps(const Real* x, int64_t step, const Real* weight, int64_t n,
                             Real* __restrict to) {
  const Real a = weight[0], b = weight[1], c = weight[2];
  const Real *second = x - step, *third = x - 2 * step;
  for (int64_t i = 0; i < n; ++i) to[i] += a * x[i] + b * second[i] + c * third[i];
}

}  // namespace AT_PRECISION
}  // namespace at
